"""
WebSockets: glue between Autobahn and `livechat.session`.

Autobahn speaks the protocol (RFC 6455).  What it leaves open is closed here:

    no bounds for messages            frames and messages over the limit: 1009
    empty fragments without end       more than `MOST_FRAMES` in a message: 1009
    pings, tiny frames in masses      the session's budget: 1008, then deaf
    a peer that does not read         what waits for it is bounded: 4008
    a peer that is not there          no pong in time: 4001
    a peer that does not hang up      aborted after `GRACE`
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.types import ConnectionRequest
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from txaio.tx import make_logger
from zope.interface import implementer

from livechat.chat import Chat, Sender
from livechat.errors import Close
from livechat.interfaces import IClient
from livechat.limits import Admission
from livechat.session import Session

#: Bytes that may wait for a member, and seconds for which more may: a burst that the
#: limits allow is no reason to close a member that is reading it.
UNSENT: Final = 1024 * 1024
SLOW: Final = 5.0
#: So many frames of the largest size may always wait.
LARGEST_FRAMES: Final = 4
#: So many times the bytes that may wait end a member's connection at once.  They
#: are the room's, not the member's own: all that wait for them hold the same bytes.
FAR_TOO_MUCH: Final = 64
#: Frames of one fragmented message.
MOST_FRAMES: Final = 64
#: Seconds between pings, and for the answer.
PING_EVERY: Final = 25
PONG_WITHIN: Final = 10
#: Seconds for the peer's close frame, and then for its end of the connection.
GRACE: Final = 5


@implementer(IClient, IPushProducer)
class Socket(WebSocketServerProtocol):
    """
    A member's connection.

    It is made, and enters its room, before the handshake is answered: who sees
    the connection open is in the room.  What is said meanwhile waits.
    """

    # Autobahn logs what clients do wrong, with what they sent; and where nothing is
    # logged it colours the arguments all the same, unless the level is this low.
    log = make_logger("critical")

    factory: SocketFactory
    transport: Any  # an ITCPTransport that is an IConsumer too
    session: Session
    admission: Admission | None = None

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._slow: IDelayedCall | None = None
        self._paused = True
        self._deaf = False
        self._fragments = 0
        self._cut: IDelayedCall | None = None
        self._close_at_once: tuple[Close, str] | None = None
        self.state = self.STATE_CONNECTING

    def connectionMade(self) -> None:
        # Autobahn's resource leaves the HTTP channel there, which would pause for us.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)
        super().connectionMade()

    def onConnect(self, request: ConnectionRequest) -> None:
        """Everything was decided before Autobahn was asked."""

    def onOpen(self) -> None:
        self.factory.sockets.add(self)
        self.resumeProducing()
        if self._close_at_once is not None:
            self._close(*self._close_at_once)

    def dataReceived(self, data: bytes) -> None:
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

    def onAutoPingTimeout(self) -> None:
        self.autoPingTimeoutCall = None
        self._close(Close.NO_PONG, "no pong")

    def write(self, frames: bytes) -> None:
        if self.state == self.STATE_OPEN and not self._paused:
            self.transport.write(frames)
        elif self.state in (self.STATE_CONNECTING, self.STATE_OPEN):
            self._waiting.append(frames)
            self._waiting_bytes += len(frames)
            self._watch()

    def _watch(self) -> None:
        """See whether more waits than may."""
        if self._waiting_bytes > FAR_TOO_MUCH * self.factory.unsent:
            self._too_slow()
        elif self._waiting_bytes > self.factory.unsent and self._slow is None:
            self._slow = self.factory.clock.callLater(SLOW, self._too_slow)

    def _too_slow(self) -> None:
        self._drop_waiting()
        self._close(Close.TOO_SLOW, "too slow")

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
        self.session.close()
        if not isReply and code != Close.RESTART:
            # The peer's close frame is waited for only where the peer did nothing
            # wrong: to find it, one would have to parse what a flood still sends.
            # The transport goes on reading, and drops it, so that ours arrives.
            self._deaf = True
            self.dropConnection()

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        while self._waiting and not self._paused and self.state == self.STATE_OPEN:
            frames = self._waiting.popleft()
            self._waiting_bytes -= len(frames)
            self.transport.write(frames)
        if self._waiting_bytes <= self.factory.unsent:
            self._stop_watching()

    def stopProducing(self) -> None:
        """The connection is lost, which `connectionLost` is told too."""

    def _drop_waiting(self) -> None:
        self._stop_watching()
        self._waiting.clear()
        self._waiting_bytes = 0

    def _stop_watching(self) -> None:
        if self._slow is not None and self._slow.active():
            self._slow.cancel()
        self._slow = None

    def dropConnection(self, abort: bool = False) -> None:
        if self._cut is None and not abort:
            # TLS waits for the peer's goodbye, if need be for ever.
            self._cut = self.factory.clock.callLater(GRACE, self.transport.abortConnection)
        super().dropConnection(abort)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._cut is not None and self._cut.active():
            self._cut.cancel()
        self._drop_waiting()
        self.session.close()
        self.factory.sockets.discard(self)
        if self.admission is not None:
            self.admission.leave()
        super().connectionLost(reason)


class SocketFactory(WebSocketServerFactory):
    """
    The WebSockets of this process.

    @ivar sockets: those that are open.
    @ivar unsent: bytes that may wait for one of them.
    """

    protocol = Socket  # type: ignore[assignment]
    noisy = False
    log = make_logger("critical")

    def __init__(self, chat: Chat, clock: IReactorTime, *, max_frame: int) -> None:
        """
        @param max_frame: the most bytes of a frame, or a fragmented message.
        """
        super().__init__(server="", reactor=clock)
        self.clock = clock
        self.unsent = max(UNSENT, LARGEST_FRAMES * max_frame)
        self.sockets: set[Socket] = set()
        self._chat = chat
        self.setProtocolOptions(
            versions=[13],
            webStatus=False,
            maxFramePayloadSize=max_frame,
            maxMessagePayloadSize=max_frame,
            failByDrop=False,
            echoCloseCodeReason=True,
            openHandshakeTimeout=GRACE,
            closeHandshakeTimeout=GRACE,
            autoPingInterval=PING_EVERY,
            autoPingTimeout=PONG_WITHIN,
        )

    async def enter(self, room: str, sender: Sender) -> Socket:
        """
        A new member of *room*, whose connection is yet to be given to it.

        @raise livechat.errors.ChatError: the room cannot be entered now.
        """
        socket = Socket()
        socket.factory = self
        socket.session = Session(self._chat, self.clock, room, socket, sender)
        await socket.session.open()
        return socket
