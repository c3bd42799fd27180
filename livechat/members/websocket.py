"""
WebSockets: glue between Autobahn and sessions (`livechat.members.base`).

Autobahn speaks the protocol (RFC 6455).  This module closes its gaps:

    no bounds for messages            frames and messages over the limit: 1009
    empty fragments without end       more than `MOST_FRAMES` in a message: 1009
    pings, tiny frames in masses      the session's budget: 1008, then deaf
    many frames at once               some in each turn of the reactor
    a peer that does not read         its queue is bounded (`livechat.members.outgoing`): 4008
    a peer that is not there          no sign of life in time: 4001

Pings and bounds need no timer for each socket: `livechat.limits.deadlines`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from txaio.tx import make_logger
from zope.interface import implementer

from livechat import metrics
from livechat.errors import ChatError, Close, close_code
from livechat.identity.actor import Actor
from livechat.limits.connections import Admission
from livechat.members.autobahn import Protocol
from livechat.members.backpressure import Backpressure
from livechat.members.base import BaseSession, JoinRequest, reconnect_ms
from livechat.members.outgoing import Outgoing, flushes
from livechat.members.pinging import PING, Pings
from livechat.members.session import Renew, make_session
from livechat.members.traced import TracedMembers
from livechat.members.turns import NextTurn
from livechat.protocol.encoding import Encoding, encode_frame
from livechat.protocol.v1 import GoAway
from livechat.rooms.chat import Chat
from livechat.rooms.member import IClient
from livechat.rooms.tracing import Tracing

#: Frames of one fragmented message.
MOST_FRAMES: Final = 64
#: Seconds for the peer's close frame.
CLOSE_WITHIN: Final = 5
#: The codes for a close frame without a code, and for a broken connection (RFC 6455, section
#: 7.1.5).
NO_CODE: Final = 1005
NO_CLOSE: Final = 1006
#: Bytes of the reason that a close frame gives (RFC 6455, section 5.5).
LONGEST_REASON: Final = 123


@implementer(IClient)
class Socket(Outgoing, Protocol):  # type: ignore[misc]  # Autobahn's bases differ in types
    """
    A member's connection.

    It is made, and enters its room, before the handshake is answered: a client that sees
    the connection open is in the room.  Frames that are written meanwhile wait.
    """

    factory: SocketFactory
    transport: Any  # an ITCPTransport that is an IConsumer too
    session: BaseSession | None = None
    admission: Admission | None = None

    def __init__(self, factory: SocketFactory, encoding: Encoding) -> None:
        Protocol.__init__(self)
        Outgoing.__init__(self, encoding, factory.backpressure, factory.flushes)
        self.factory = factory
        self._deaf = False
        # Flags: more data waits for the next turn; the connection is gone.
        self._held_up = self._ended = False
        self._pinged = False
        self._fragments = 0
        self._close_at_once: tuple[Close, str] | None = None
        self.state = self.STATE_CONNECTING

    def connectionMade(self) -> None:
        # The HTTP channel is still registered, and would pause for us.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)
        super().connectionMade()

    def onOpen(self) -> None:
        self.factory.opened(self)
        transport = self.transport
        self._start(transport.write, self.wire)
        if self._close_at_once is not None:
            self._close(*self._close_at_once)

    def frames_received(self, frames: Iterable[bytes | None], rest: bytes) -> None:
        if self._pinged:
            self._pinged = False
            self.factory.unanswered.stop(self)
        if not self._deaf:
            try:
                super().frames_received(frames, rest)
            except Exception:  # noqa: BLE001 - whatever it is, the client is told
                self.met_a_bug()

    def held_up(self) -> None:
        if not self._deaf:
            self._held_up = True
            if not self._ended:
                self.transport.pauseProducing()
                self.factory.held_up.add(self)

    def have_turn(self) -> None:
        """Read on after `held_up`: all others have had their turn."""
        if self._held_up and not self._ended:
            self._held_up = False
            self.transport.resumeProducing()
            self.go_on()

    def _read_to_the_end(self) -> None:
        """Read the rest, because the peer has closed in order behind it."""
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
        if self.trace is not None:
            self.trace.came(payload, text=not isBinary)
        if isBinary:
            self.session.binary_received()
        else:
            self.session.text_received(payload)

    def onPing(self, payload: bytes) -> None:
        # A peer that does not read needs no pongs, and could gather them without end.
        if not self._paused:
            super().onPing(payload)

    def pong_received(self) -> None:
        if self.session is not None:
            self.session.control_received()

    def asked_for_life(self) -> None:
        """Take the next bytes of the peer, whatever they are, for the answer to a ping."""
        self._pinged = True

    def pinged(self, sent: int) -> None:
        """
        Send the rest of a ping.

        @param sent: the bytes that were sent; -1 if the wire was not ready for any.
        """
        # A ping would only wait behind frames that the peer does not read.
        if sent >= 0 or not self._paused:
            self.went(PING, sent)

    def too_slow(self) -> None:
        """Close with 4008, which the peer sees if it reads again in time."""
        self._drop_waiting()
        self._close(Close.TOO_SLOW, "too slow")

    def silent(self) -> None:
        """Close: the peer gave no sign of life."""
        self._close(Close.NO_PONG, "no pong")

    def flooded(self, reason: str) -> None:
        self._close(Close.FLOOD, reason)

    def turn_away(self, error: ChatError) -> None:
        metrics.refused(error.kind.code)
        reason = error.detail
        if error.retry_after is not None:
            reason = f"retry_ms={round(1000 * error.retry_after)} {reason}"
        self._close(
            close_code(error.kind), reason.encode()[:LONGEST_REASON].decode(errors="ignore")
        )

    def abandon(self) -> None:
        """Leave the room: the peer was gone before the handshake was answered."""
        self._leave()

    def abort(self) -> None:
        self.dropConnection(abort=True)

    def restart(self, retry_ms: int) -> None:
        """
        Send all frames that wait, and close: the server is about to stop.

        @param retry_ms: milliseconds after which the client should reconnect.
        """
        if self.session is not None and self.state == self.STATE_OPEN:
            self.session.announce_restart(retry_ms)
        self.flush()
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
        """Close and leave the room.  Autobahn's own closing comes through here too."""
        self.flush()
        super().sendCloseFrame(code, reasonUtf8, isReply)
        self._leave()
        self.factory.closed(self)
        if not isReply and code != Close.RESTART:
            # Wait for the peer's close frame only after correct behaviour: to find it in a flood,
            # all of the flood would have to be parsed. The transport goes on reading, and drops the
            # data, so that our close frame arrives.
            self._deaf = True
            self.dropConnection()

    def _leave(self) -> None:
        # Nothing may follow a close frame, not even a frame caused by leaving.
        self._stop()
        try:
            if self.session is not None:
                self.session.close()
        finally:
            self._release()

    def dropConnection(self, abort: bool = False) -> None:
        self._stop()
        super().dropConnection(abort)

    def _count_close(self) -> None:
        code = self.localCloseCode if self.closedByMe else None
        here = code is not None
        if code is None:
            code = self.remoteCloseCode or (NO_CODE if self.wasClean else NO_CLOSE)
        metrics.closed(code, here=here)
        if self.trace is not None:
            self.trace.closed(code, "server" if here else "peer")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        try:
            self._stop()
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
        # These attributes refer back to the socket. Without them it is freed now, and not by the
        # garbage collector, which runs rarely.
        self.session = None
        self.is_closed = None


class SocketFactory(WebSocketServerFactory):
    """
    The WebSockets of this process.

    @ivar sockets: the open sockets.
    @ivar backpressure: finds sockets that do not read.
    @ivar flushes: sockets with frames to write before this turn ends.
    @ivar held_up: sockets that have had their turn to read, and have more data.
    @ivar pings: find sockets whose peer is gone.
    @ivar unanswered: sockets that were pinged and have not sent anything since.
    """

    noisy = False
    log = make_logger("critical")

    def __init__(
        self,
        chat: Chat,
        clock: IReactorTime,
        backpressure: Backpressure,
        *,
        max_frame: int,
        renew: Renew | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """
        @param max_frame: the most bytes of a frame, or a fragmented message.
        @param renew: gives an actor another token (`livechat.identity.door.Door.renew`).
        """
        super().__init__(server="", reactor=clock)
        self.sockets: set[Socket] = set()
        self.backpressure = backpressure
        self.flushes = flushes(clock)
        self.held_up: NextTurn[Socket] = NextTurn(clock, Socket.have_turn, Socket.met_a_bug)
        self.pings = Pings(clock)
        self.unanswered = self.pings.unanswered
        self._chat = chat
        self._clock = clock
        self._renew = renew
        self.setProtocolOptions(
            versions=[13],
            webStatus=False,
            maxFramePayloadSize=max_frame,
            maxMessagePayloadSize=max_frame,
            failByDrop=False,
            echoCloseCodeReason=True,
            openHandshakeTimeout=0,
            closeHandshakeTimeout=CLOSE_WITHIN,
            autoPingInterval=0,
        )
        self._socket = Socket.with_options(self)
        self._traced = TracedMembers(tracing, self.sockets)

    async def enter(self, request: JoinRequest, actor: Actor) -> Socket:
        """
        Make a member of a room, whose connection is yet to be given to it (`Socket.open`).

        @raise livechat.errors.ChatError: the room cannot be entered now.
        """
        socket = self._socket(self, request.encoding)
        socket.session = make_session(
            self._chat, self._clock, actor, request, socket, renew=self._renew
        )
        self._traced.entering(socket)
        await socket.session.open()
        return socket

    def refused(self, error: ChatError) -> Socket:
        """Make a connection that is opened only to be told *error*, and closed."""
        socket = self._socket(self, Encoding.V1)
        socket.turn_away(error)
        return socket

    def going(self) -> Socket:
        """Make a connection that is opened only to be told that the server stops, and closed."""
        socket = self._socket(self, Encoding.V1)
        retry_ms = reconnect_ms(len(self.sockets))
        socket.write(encode_frame(Encoding.V1, GoAway(retry_ms)))
        socket.restart(retry_ms)
        return socket

    def unsent(self) -> int:
        """Count the bytes that wait to be read."""
        return sum(socket.unsent for socket in self.sockets)

    def opened(self, socket: Socket) -> None:
        """Count *socket* in: it has answered its handshake."""
        self.sockets.add(socket)
        self.pings.start(socket)

    def closed(self, socket: Socket) -> None:
        """Ping *socket* no more: it has sent its close frame."""
        self.pings.stop(socket)

    def lost(self, socket: Socket) -> None:
        """Count *socket* out: its connection is gone."""
        self.sockets.discard(socket)
        self.closed(socket)
