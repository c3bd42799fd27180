"""
WebSockets: glue between Autobahn and `livechat.members.session`.

Autobahn speaks the protocol (RFC 6455).  What it leaves open is closed here:

    no bounds for messages            frames and messages over the limit: 1009
    empty fragments without end       more than `MOST_FRAMES` in a message: 1009
    pings, tiny frames in masses      the session's budget: 1008, then deaf
    many frames at once               some in each turn of the reactor
    a peer that does not read         what waits for it is bounded: 4008
    a peer that is not there          no sign of life in time: 4001

Pings and bounds need no timer for each socket: `livechat.limits.deadlines`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from txaio.tx import make_logger
from zope.interface import implementer

from livechat import metrics
from livechat.errors import ChatError, Close, close_code, internal
from livechat.interfaces import IClient
from livechat.limits.connections import Admission
from livechat.limits.deadlines import Deadlines
from livechat.limits.source import Source
from livechat.members.autobahn import Protocol
from livechat.members.backpressure import Drain, Patience
from livechat.members.session import HEARTBEAT, PlainSession, Session, Visit, back_in, session
from livechat.protocol.encoding import Encoding, encode_frame
from livechat.protocol.v1 import GoAway
from livechat.rooms.chat import Chat

#: Frames of one fragmented message.
MOST_FRAMES: Final = 64
#: Seconds between pings, and for an answer or any other sign of life.
PING_EVERY: Final = HEARTBEAT
PONG_WITHIN: Final = 10
#: Seconds for the peer's close frame.
GRACE: Final = 5
#: What stands for a close frame without a code, and for a connection that broke (RFC 6455,
#: section 7.1.5).
NO_CODE: Final = 1005
NO_CLOSE: Final = 1006
#: Bytes of the reason that a close frame gives (RFC 6455, section 5.5).
LONGEST_REASON: Final = 123


@implementer(IClient, IPushProducer)
class Socket(Protocol):
    """
    A member's connection.

    It is made, and enters its room, before the handshake is answered: who sees
    the connection open is in the room.  What is said meanwhile waits.
    """

    # What a write looks at stands in the object itself, as in the transport's.
    __slots__ = ("_push", "_ready", "encoding")

    _log = Logger()
    factory: SocketFactory
    transport: Any  # an ITCPTransport that is an IConsumer too
    session: PlainSession | Session | None = None
    admission: Admission | None = None

    def __init__(self) -> None:
        super().__init__()
        self.encoding = Encoding.PLAIN
        # What waits for the peer to read, if anything does.
        self._waiting: deque[bytes] | None = None
        self._waiting_bytes = 0
        # What is to be written before this turn ends.
        self._soon: list[bytes] = []
        self._drain = Drain()
        self._paused = True
        # Whether frames may go out at once, and how: it is open, and not paused.
        self._ready = False
        self._push: Callable[[bytes], None]
        self._deaf = False
        # More has arrived than was its turn; and its connection is gone.
        self._held_up = self._ended = False
        self._pinged = False
        self._fragments = 0
        self._close_at_once: tuple[Close, str] | None = None
        self.state = self.STATE_CONNECTING

    def connectionMade(self) -> None:
        # The HTTP channel is still there, and would pause for us.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)
        self._push = self.transport.write
        super().connectionMade()

    def onOpen(self) -> None:
        self.factory.opened(self)
        self.resumeProducing()
        if self._close_at_once is not None:
            self._close(*self._close_at_once)

    def dataReceived(self, data: bytes) -> None:
        if self._pinged:
            self._pinged = False
            self.factory.unanswered.stop(self)
        if not self._deaf:
            try:
                super().dataReceived(data)
            except Exception:  # noqa: BLE001 - whatever it is, the client is told
                self.met_a_bug()

    def held_up(self) -> None:
        if not self._deaf:
            self._held_up = True
            if not self._ended:
                self.transport.pauseProducing()
                self.factory.held_up(self)

    def have_turn(self) -> None:
        """It was held up, and all others have had their turn."""
        if self._held_up and not self._ended:
            self._held_up = False
            self.transport.resumeProducing()
            self.go_on()

    def _read_to_the_end(self) -> None:
        """The peer has closed in order, behind what it said: nothing of that is lost."""
        self._ended = True
        while self._held_up:
            self._held_up = False
            self.go_on()

    def onFrameBegin(self) -> None:
        opcode = self.current_frame.opcode
        if self.session is None:
            pass
        elif opcode > 7:
            self.session.control_received()
        elif opcode == 0:
            self._fragments += 1
            if self._fragments >= MOST_FRAMES:
                self._close(Close.TOO_BIG, f"a message in more than {MOST_FRAMES} frames")
            else:
                self.session.fragment_received()
        else:
            self._fragments = 0
        super().onFrameBegin()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.state != self.STATE_OPEN or self.session is None:
            return
        if isBinary:
            self.session.binary_received()
        else:
            self.session.text_received(payload)

    def onPing(self, payload: bytes) -> None:
        # Who does not read needs no pongs either, and could gather them without end.
        if not self._paused:
            super().onPing(payload)

    def ask_for_life(self) -> None:
        """Ping; anything that comes is an answer."""
        self._pinged = True
        self.factory.unanswered.start(self)
        # Behind what the peer does not read a ping would only wait as well.
        if not self._paused:
            self.sendPing()

    def write(self, frames: bytes) -> None:
        if self._ready:
            self._push(frames)
        elif self._soon:
            soon, self._soon = self._soon, []
            self._ready = not self._paused and self.state == self.STATE_OPEN
            self.write(b"".join((*soon, frames)))
        elif self.state in (self.STATE_CONNECTING, self.STATE_OPEN):
            if self._waiting is None:
                self._waiting = deque()
            self._waiting.append(frames)
            self._waiting_bytes += len(frames)
            self._watch()

    def write_soon(self, frames: bytes) -> None:
        if self._soon:
            self._soon.append(frames)
        elif self._ready:
            # So the next write comes by.
            self._ready = False
            self._soon.append(frames)
            self.factory.soon(self)
        else:
            self.write(frames)

    def end_turn(self) -> None:
        """Write what was to be written soon, if nothing has taken it along."""
        if self._soon:
            self.write(b"")

    def drained(self) -> Deferred[None]:
        gone = self.state not in (self.STATE_CONNECTING, self.STATE_OPEN)
        if gone or (not self._paused and self._waiting is None):
            return succeed(None)
        return self._drain.wait()

    def _watch(self) -> None:
        """See whether more waits than may."""
        self.factory.patience.look(self, self._waiting_bytes)

    def too_slow(self) -> None:
        """It does not read: close with 4008, which it sees if it reads again in time."""
        self._drop_waiting()
        self._close(Close.TOO_SLOW, "too slow")

    def silent(self) -> None:
        """It gave no sign of life."""
        self._close(Close.NO_PONG, "no pong")

    def flooded(self, reason: str) -> None:
        self._close(Close.FLOOD, reason)

    def met_a_bug(self) -> None:
        """Log the exception that is handled, and close with 4002."""
        self._log.failure("A connection met a bug.")
        try:
            self.turn_away(internal())
        except Exception:  # noqa: BLE001 - it cannot be told either
            self._log.failure("A connection is cut: its client cannot be told so.")
            self.abort()

    def turn_away(self, error: ChatError) -> None:
        metrics.refused(error.kind.code)
        reason = error.detail
        if error.retry_after is not None:
            reason = f"retry_ms={round(1000 * error.retry_after)} {reason}"
        self._close(
            close_code(error.kind), reason.encode()[:LONGEST_REASON].decode(errors="ignore")
        )

    def abandon(self) -> None:
        """The peer has gone before the handshake was answered."""
        self._leave()

    def abort(self) -> None:
        self.dropConnection(abort=True)

    def restart(self, retry_ms: int) -> None:
        """
        The server is going: send what waits, and say so.

        @param retry_ms: milliseconds after which the client should be back.
        """
        if self.session is not None and self.state == self.STATE_OPEN:
            self.session.going(retry_ms)
        self.end_turn()
        if self._waiting and self.state == self.STATE_OPEN:
            self.transport.write(b"".join(self._waiting))
            self._drop_waiting()
        self._close(Close.RESTART, "restart")

    def _close(self, code: Close, reason: str) -> None:
        if self.state == self.STATE_CONNECTING:
            self._close_at_once = code, reason
        else:
            self.sendCloseFrame(code, reason.encode())

    def sendCloseFrame(
        self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False
    ) -> None:
        """All closing that begins here comes through here, Autobahn's too."""
        self.end_turn()
        super().sendCloseFrame(code, reasonUtf8, isReply)
        self._ready = False
        self._leave()
        self.factory.closed(self)
        if not isReply and code != Close.RESTART:
            # The peer's close frame is waited for only where the peer did nothing
            # wrong: to find it, one would have to parse what a flood still sends.
            # The transport goes on reading, and drops it, so that ours arrives.
            self._deaf = True
            self.dropConnection()

    def _leave(self) -> None:
        try:
            if self.session is not None:
                self.session.close()
        finally:
            self._soon.clear()
            self._drain.over()

    def dropConnection(self, abort: bool = False) -> None:
        self._ready = False
        super().dropConnection(abort)

    def pauseProducing(self) -> None:
        self._paused = True
        self._ready = False

    def resumeProducing(self) -> None:
        try:
            self._resume()
        except Exception:  # noqa: BLE001 - the transport would cut it without a word
            self.met_a_bug()

    def _resume(self) -> None:
        """Write what waits, as far as the peer takes it."""
        self._paused = False
        while self._waiting and not self._paused and self.state == self.STATE_OPEN:
            frames = self._waiting.popleft()
            self._waiting_bytes -= len(frames)
            self.transport.write(frames)
        self._watch()
        if not self._waiting:
            self._waiting = None
            self._ready = not self._paused and not self._soon and self.state == self.STATE_OPEN
            if not self._paused:
                self._drain.over()

    def stopProducing(self) -> None:
        """The connection is being lost, which `connectionLost` is told too."""

    def _count_close(self) -> None:
        if self.closedByMe and self.localCloseCode is not None:
            metrics.closed(self.localCloseCode, here=True)
        else:
            code = self.remoteCloseCode or (NO_CODE if self.wasClean else NO_CLOSE)
            metrics.closed(code, here=False)

    @property
    def unsent(self) -> int:
        """Bytes that wait to be read."""
        return self._waiting_bytes

    def _drop_waiting(self) -> None:
        self.factory.patience.done(self)
        self._waiting = None
        self._waiting_bytes = 0

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._ready = False
        try:
            self._drop_waiting()
            if reason.check(ConnectionDone):
                self._read_to_the_end()
            self._ended = True
            self._leave()
        except Exception:  # noqa: BLE001 - it must be counted out all the same
            self._log.failure("A connection that is gone met a bug.")
        self.factory.lost(self)
        self._count_close()
        if self.admission is not None:
            self.admission.leave()
        super().connectionLost(reason)
        # These lead back here.  Without them it goes away now, and does not wait for the
        # garbage collector, which comes seldom.
        del self._push
        self.session = None
        self.is_closed = None


class SocketFactory(WebSocketServerFactory):
    """
    The WebSockets of this process.

    @ivar sockets: those that are open.
    @ivar patience: with those that do not read.
    @ivar unanswered: those that were pinged and have not said anything since.
    """

    noisy = False
    log = make_logger("critical")

    def __init__(
        self, chat: Chat, clock: IReactorTime, patience: Patience, *, max_frame: int
    ) -> None:
        """
        @param max_frame: the most bytes of a frame, or a fragmented message.
        """
        super().__init__(server="", reactor=clock)
        self.patience = patience
        self.sockets: set[Socket] = set()
        self.unanswered: Deadlines[Socket] = Deadlines(
            clock, PONG_WITHIN, lambda one: one.silent(), Socket.met_a_bug
        )
        self._quiet: Deadlines[Socket] = Deadlines(
            clock, PING_EVERY, self._ask_for_life, Socket.met_a_bug
        )
        self._chat = chat
        self._clock = clock
        # Those with something to be written before this turn ends.
        self._soon: list[Socket] = []
        # Those that have had their turn to read, and have more.
        self._held_up: list[Socket] = []
        self.setProtocolOptions(
            versions=[13],
            webStatus=False,
            maxFramePayloadSize=max_frame,
            maxMessagePayloadSize=max_frame,
            failByDrop=False,
            echoCloseCodeReason=True,
            openHandshakeTimeout=0,
            closeHandshakeTimeout=GRACE,
            autoPingInterval=0,
        )
        self._socket = Socket.with_options(self)

    async def enter(self, visit: Visit, source: Source) -> Socket:
        """
        A new member of a room, whose connection is yet to be given to it (`Socket.open`).

        @raise livechat.errors.ChatError: the room cannot be entered now.
        """
        socket = self._socket()
        socket.factory = self
        socket.encoding = visit.encoding
        socket.session = session(self._chat, self._clock, visit, socket, source)
        await socket.session.open()
        return socket

    def refused(self, error: ChatError) -> Socket:
        """A connection that is opened only to be told *error*, and closed."""
        socket = self._socket()
        socket.factory = self
        socket.encoding = Encoding.V1
        socket.turn_away(error)
        return socket

    def going(self) -> Socket:
        """A connection that is opened only to be told that the server goes, and closed."""
        socket = self._socket()
        socket.factory = self
        socket.encoding = Encoding.V1
        retry_ms = back_in(len(self.sockets))
        socket.write(encode_frame(Encoding.V1, GoAway(retry_ms)))
        socket.restart(retry_ms)
        return socket

    def unsent(self) -> int:
        """Bytes that wait to be read."""
        return sum(socket.unsent for socket in self.sockets)

    def soon(self, socket: Socket) -> None:
        """*socket* has something to write before this turn ends."""
        if not self._soon:
            self._clock.callLater(0, self._end_turn)
        self._soon.append(socket)

    def _end_turn(self) -> None:
        soon, self._soon = self._soon, []
        self._each(soon, Socket.end_turn)

    def held_up(self, socket: Socket) -> None:
        """*socket* has more to read, in the next turn."""
        if not self._held_up:
            self._clock.callLater(0, self._next_turn)
        self._held_up.append(socket)

    def _next_turn(self) -> None:
        held_up, self._held_up = self._held_up, []
        self._each(held_up, Socket.have_turn)

    def _each(self, sockets: list[Socket], do: Callable[[Socket], None]) -> None:
        for socket in sockets:
            try:
                do(socket)
            except Exception:  # noqa: BLE001 - whatever it is, the others have their turns
                socket.met_a_bug()

    def opened(self, socket: Socket) -> None:
        """*socket* has answered its handshake."""
        self.sockets.add(socket)
        self._quiet.start(socket)

    def closed(self, socket: Socket) -> None:
        """*socket* has sent its close frame: it is not asked for anything any more."""
        self._quiet.stop(socket)
        self.unanswered.stop(socket)

    def lost(self, socket: Socket) -> None:
        """The connection of *socket* is gone."""
        self.sockets.discard(socket)
        self.closed(socket)

    def _ask_for_life(self, socket: Socket) -> None:
        self._quiet.start(socket)
        socket.ask_for_life()
