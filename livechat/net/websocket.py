"""
WebSockets: glue between Autobahn and `livechat.session`.

Autobahn speaks the protocol (RFC 6455).  What it leaves open is closed here:

    no bounds for messages            frames and messages over the limit: 1009
    empty fragments without end       more than `MOST_FRAMES` in a message: 1009
    pings, tiny frames in masses      the session's budget: 1008, then deaf
    a peer that does not read         what waits for it is bounded: 4008
    a peer that is not there          no sign of life in time: 4001

Pings and bounds need no timer for each socket: `livechat.net.deadlines`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from txaio.tx import make_logger
from zope.interface import implementer

from livechat.chat import Chat, Sender
from livechat.errors import Close
from livechat.interfaces import IClient
from livechat.limits import Admission
from livechat.net.autobahn import Protocol
from livechat.net.deadlines import Deadlines
from livechat.session import Session

#: Seconds for which more than the bound may wait for a member: a burst that the
#: limits allow is no reason to close a member that is reading it.
SLOW: Final = 5.0
#: So many frames of the largest size may always wait.
LARGEST_FRAMES: Final = 4
#: So many times the bytes that may wait end a member's connection at once.  They
#: are the room's, not the member's own: all that wait for them hold the same bytes.
FAR_TOO_MUCH: Final = 64
#: Frames of one fragmented message.
MOST_FRAMES: Final = 64
#: Seconds between pings, and for an answer or any other sign of life.
PING_EVERY: Final = 25
PONG_WITHIN: Final = 10
#: Seconds for the peer's close frame.
GRACE: Final = 5


@implementer(IClient, IPushProducer)
class Socket(Protocol):
    """
    A member's connection.

    It is made, and enters its room, before the handshake is answered: who sees
    the connection open is in the room.  What is said meanwhile waits.
    """

    # What a write looks at stands in the object itself, as in the transport's.
    __slots__ = ("_push", "_ready")

    factory: SocketFactory
    transport: Any  # an ITCPTransport that is an IConsumer too
    session: Session
    admission: Admission | None = None

    def __init__(self) -> None:
        super().__init__()
        # What waits for the peer to read, if anything does.
        self._waiting: deque[bytes] | None = None
        self._waiting_bytes = 0
        self._paused = True
        # Whether frames may go out at once, and how: it is open, and not paused.
        self._ready = False
        self._push: Callable[[bytes], None]
        self._deaf = False
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
            self.factory.unanswered.done(self)
        if not self._deaf:
            super().dataReceived(data)

    def onFrameBegin(self) -> None:
        opcode = self.current_frame.opcode
        if opcode > 7:
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
        if self.state != self.STATE_OPEN:
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
        self.factory.unanswered.begin(self)
        # Behind what the peer does not read a ping would only wait as well.
        if not self._paused:
            self.sendPing()

    def write(self, frames: bytes) -> None:
        if self._ready:
            self._push(frames)
        elif self.state in (self.STATE_CONNECTING, self.STATE_OPEN):
            if self._waiting is None:
                self._waiting = deque()
            self._waiting.append(frames)
            self._waiting_bytes += len(frames)
            self._watch()

    def _watch(self) -> None:
        """See whether more waits than may."""
        unsent = self.factory.unsent
        if self._waiting_bytes > FAR_TOO_MUCH * unsent:
            self.too_slow()
        elif self._waiting_bytes > unsent and self not in self.factory.slow:
            self.factory.slow.begin(self)

    def too_slow(self) -> None:
        """It does not read: close with 4008, which it sees if it reads again in time."""
        self._drop_waiting()
        self._close(Close.TOO_SLOW, "too slow")

    def silent(self) -> None:
        """It gave no sign of life."""
        self._close(Close.NO_PONG, "no pong")

    def flooded(self, reason: str) -> None:
        self._close(Close.FLOOD, reason)

    def abort(self) -> None:
        self.dropConnection(abort=True)

    def restart(self) -> None:
        """The server is going: send what waits, and say so."""
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
        super().sendCloseFrame(code, reasonUtf8, isReply)
        self._ready = False
        self.session.close()
        self.factory.closed(self)
        if not isReply and code != Close.RESTART:
            # The peer's close frame is waited for only where the peer did nothing
            # wrong: to find it, one would have to parse what a flood still sends.
            # The transport goes on reading, and drops it, so that ours arrives.
            self._deaf = True
            self.dropConnection()

    def dropConnection(self, abort: bool = False) -> None:
        self._ready = False
        super().dropConnection(abort)

    def pauseProducing(self) -> None:
        self._paused = True
        self._ready = False

    def resumeProducing(self) -> None:
        self._paused = False
        while self._waiting and not self._paused and self.state == self.STATE_OPEN:
            frames = self._waiting.popleft()
            self._waiting_bytes -= len(frames)
            self.transport.write(frames)
        if self._waiting_bytes <= self.factory.unsent:
            self.factory.slow.done(self)
        if not self._waiting:
            self._waiting = None
            self._ready = not self._paused and self.state == self.STATE_OPEN

    def stopProducing(self) -> None:
        """The connection is being lost, which `connectionLost` is told too."""

    def _drop_waiting(self) -> None:
        self.factory.slow.done(self)
        self._waiting = None
        self._waiting_bytes = 0

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._ready = False
        self._drop_waiting()
        self.session.close()
        self.factory.lost(self)
        if self.admission is not None:
            self.admission.leave()
        super().connectionLost(reason)
        # These lead back here.  Without them it goes away now, and does not wait for the
        # garbage collector, which comes seldom.
        del self.session, self._push
        self.is_closed = None


class SocketFactory(WebSocketServerFactory):
    """
    The WebSockets of this process.

    @ivar sockets: those that are open.
    @ivar unsent: bytes that may wait for one of them.
    @ivar slow: those for which more waits.
    @ivar unanswered: those that were pinged and have not said anything since.
    """

    noisy = False
    log = make_logger("critical")

    def __init__(self, chat: Chat, clock: IReactorTime, *, max_frame: int, max_unsent: int) -> None:
        """
        @param max_frame: the most bytes of a frame, or a fragmented message.
        @param max_unsent: bytes that may wait for a member, or more if a few of the
            largest frames are more.
        """
        super().__init__(server="", reactor=clock)
        self.unsent = max(max_unsent, LARGEST_FRAMES * max_frame)
        self.sockets: set[Socket] = set()
        self.slow: Deadlines[Socket] = Deadlines(clock, SLOW, Socket.too_slow)
        self.unanswered: Deadlines[Socket] = Deadlines(clock, PONG_WITHIN, Socket.silent)
        self._quiet: Deadlines[Socket] = Deadlines(clock, PING_EVERY, self._ask_for_life)
        self._chat = chat
        self._clock = clock
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

    async def enter(self, room: str, sender: Sender) -> Socket:
        """
        A new member of *room*, whose connection is yet to be given to it (`Socket.open`).

        @raise livechat.errors.ChatError: the room cannot be entered now.
        """
        socket = self._socket()
        socket.factory = self
        socket.session = Session(self._chat, self._clock, room, socket, sender)
        await socket.session.open()
        return socket

    def opened(self, socket: Socket) -> None:
        """*socket* has answered its handshake."""
        self.sockets.add(socket)
        self._quiet.begin(socket)

    def closed(self, socket: Socket) -> None:
        """*socket* has sent its close frame: it is not asked for anything any more."""
        self._quiet.done(socket)
        self.unanswered.done(socket)

    def lost(self, socket: Socket) -> None:
        """The connection of *socket* is gone."""
        self.sockets.discard(socket)
        self.closed(socket)

    def _ask_for_life(self, socket: Socket) -> None:
        self._quiet.begin(socket)
        socket.ask_for_life()
