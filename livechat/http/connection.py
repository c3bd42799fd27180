"""
The port: HTTP/1.1 with bounds, and the door to WebSockets.

Twisted's parser does the parsing.  What it leaves open is closed here:

    a request that drips in          absolute deadlines, which no byte resets
    a body of any size               refused at its header, or where it grows too long
    a body in a temporary file       kept in memory, which the bound allows
    a client that does not hang up   aborted after a grace
    answers that nobody reads        no request is taken before the last answer is read
    errors without a word            every refusal says why

A connection goes through these stages, each with its own deadline:

    head -> body -> answer -> idle -> head ...      answer -> WebSocket or stream
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any, Final

from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.http_headers import Headers

from livechat import metrics
from livechat.errors import ChatError, Kind, internal
from livechat.http.access_log import AccessLog
from livechat.http.endpoint import Tree
from livechat.http.request import Request
from livechat.http.response import Upgrade
from livechat.limits.connections import Admission, Connections
from livechat.limits.rates import Rate, address_key
from livechat.limits.source import Source
from livechat.members.session import back_in
from livechat.members.websocket import Socket, SocketFactory
from livechat.net.proxies import Proxies
from livechat.protocol.v1 import V1

_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# CR and LF end a line together.  A line that ends otherwise would be waited for until its
# deadline, and others may take it for two.
_BARE: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")
#: Bytes of the fields behind a body in chunks.
LONGEST_TRAILER: Final = 4_096


#: Seconds after which an answer that goes on must end by itself.
LONGEST_STREAM: Final = 300.0


class _Stage(Enum):
    """What a connection is waiting for, and how many seconds it may."""

    HEAD = 10.0
    BODY = 15.0
    # For what was begun when the port stopped.
    LAST = 1.0
    ANSWER = 60.0
    # Longer than a stream goes on that ends by itself.
    STREAM = LONGEST_STREAM + 100.0
    IDLE = 30.0
    END = 5.0


class Channel(http.HTTPChannel):
    """
    A connection, until it closes or becomes a WebSocket.

    @ivar source: the client at its other end, as far as rates go.
    @ivar peer: the address of a proxy that is trusted, if one is at its other end.
    @ivar closing: the last answer was given; what comes is read and dropped, so
        that the answer arrives before the connection breaks, and so that no
        request is carried out of which its sender would never hear.
    """

    requestFactory = Request  # type: ignore[assignment]
    totalHeadersSize = 16_384
    maxHeaders = 100

    factory: HttpFactory
    transport: ITCPTransport
    source: Source
    peer: str | None = None
    admission: Admission
    closing = False
    _command = _path = b""
    _begun = False
    _socket: Socket | None = None
    _unread: Request | None = None
    _stage = _Stage.HEAD
    _deadline: IDelayedCall | None = None
    # An answer's head goes out with the body, or what is first of it: each write is a
    # TLS record and a system call.
    _head = b""

    def connectionMade(self) -> None:
        super().connectionMade()
        self.factory.channels.add(self)
        self._deadline = self.factory.reactor.callLater(_Stage.HEAD.value, self._expired)

    def _enter(self, stage: _Stage) -> None:
        self._stage = stage
        if self._deadline is not None:
            self._deadline.reset(stage.value)
        elif self in self.factory.channels:
            # After a feed, which has none.
            self._deadline = self.factory.reactor.callLater(stage.value, self._expired)

    def _expired(self) -> None:
        self._deadline = None
        if self._stage in (_Stage.ANSWER, _Stage.STREAM, _Stage.END):
            self.transport.abortConnection()
            return
        self._deadline = self.factory.reactor.callLater(_Stage.END.value, self._expired)
        if not self._begun:
            self.loseConnection()
        elif self._stage is _Stage.LAST:
            self.refuse(self.factory.going())
        else:
            self.refuse(ChatError(Kind.TOO_SLOW, "The request took too long to arrive."))

    def dataReceived(self, data: bytes) -> None:
        if self._deadline is not None and self._deadline.getTime() < self.factory.reactor.seconds():
            # The process stood still, and reads before it comes to its timers: the client
            # has given up, and may have said the same, or what follows it, elsewhere.
            self._deadline.cancel()
            self._expired()
            return
        if self.closing:
            return
        within = self._busyReceiving
        if not self._begun:
            self._begun = True
            if self._stage is not _Stage.LAST:
                self._enter(_Stage.HEAD)
        try:
            super().dataReceived(data)
            if self.line_mode and not within and self._buffer:
                self._check_ends(self._buffer)
        except Exception:  # noqa: BLE001 - the transport would cut it without a word
            self._met_a_bug()

    def lineReceived(self, line: bytes) -> None:
        if line[:1] in (b" ", b"\t"):
            self.refuse(ChatError(Kind.BAD_REQUEST, "Folded header lines are not accepted."))
        elif b"\n" in line or b"\r" in line:
            self._refuse_end()
        else:
            super().lineReceived(line)

    def _check_ends(self, received: bytes | bytearray) -> bool:
        """Refuse a line, or what there is of it, that ends otherwise than with CR and LF."""
        if _BARE.search(received) is None:
            return True
        self._refuse_end()
        return False

    def _refuse_end(self) -> None:
        self.refuse(ChatError(Kind.BAD_REQUEST, "Lines must end with CR and LF."))

    def headerReceived(self, line: bytes) -> bool:
        # Some take them for the ends of lines, and so for the beginnings of other fields.
        if _CONTROLS.search(line) is not None or (b"\x85" in line and not _is_utf8(line)):
            self.refuse(ChatError(Kind.BAD_REQUEST, "A header holds control characters."))
            return False
        try:
            received: bool = super().headerReceived(line)
        except ValueError:
            # A Content-Length with more digits than Python reads.
            self.refuse_body()
            return False
        return received

    def lineLengthExceeded(self, line: bytes) -> None:
        self._respondToBadRequestAndDisconnect()

    def allHeadersReceived(self) -> None:
        self._enter(_Stage.BODY)
        refusal = self.factory.going() if self.factory.stopping else self.admission.refusal
        if refusal is not None and not self._is_v1_handshake():
            self.refuse(refusal)
        else:
            decoder: Any = self._transferDecoder
            if hasattr(decoder, "_maxTrailerHeadersSize"):
                # Nobody looks at what comes behind a body in chunks.
                decoder._maxTrailerHeadersSize = LONGEST_TRAILER  # noqa: SLF001
                decoder.finishCallback = self._chunks_received
            super().allHeadersReceived()

    def _is_v1_handshake(self) -> bool:
        """
        Whether the request can only become a socket that is told by a code why it is closed:
        so it has to be answered like one that is let in.
        """
        request = self.requests[-1]
        headers = {
            name: b",".join(request.requestHeaders.getRawHeaders(name) or ())
            for name in (b"upgrade", b"connection", b"sec-websocket-protocol")
        }
        offered = [each.strip() for each in headers[b"sec-websocket-protocol"].split(b",")]
        return (
            self._command == b"GET"
            and self._path.startswith(b"/ws/chat/")
            and headers[b"upgrade"].strip().lower() == b"websocket"
            and b"upgrade" in headers[b"connection"].lower()
            and V1.encode() in offered
        )

    def _send100Continue(self) -> None:
        if not self.closing:
            super()._send100Continue()

    def allContentReceived(self) -> None:
        if not self.closing:
            self._enter(_Stage.ANSWER)
            super().allContentReceived()

    def isSecure(self) -> bool:
        return True

    def comes_from(self, address: str) -> None:
        """The proxy at the other end has said for whom it passes bytes on."""
        self.source = self.factory.source(address)
        self.peer = address if self.factory.proxies.trusts(address) else None
        if self.peer is None:
            try:
                self.admission.belongs_to(self.source.key)
            except ChatError as refusal:
                self.admission.refuse(refusal)

    def source_by(self, forwarded: Sequence[str]) -> Source:
        """
        The source of a request.

        @param forwarded: its values of ``X-Forwarded-For``.
        """
        if self.peer is not None:
            client = self.factory.proxies.client(self.peer, forwarded)
            if client != self.source.address:
                self.source = self.factory.source(client)
        return self.source

    def begin_stream(self) -> None:
        """The answer is one that goes on until it is ended."""
        self._enter(_Stage.STREAM)

    def begin_feed(self) -> None:
        """The answer goes on as long as its client is there."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def rawDataReceived(self, data: bytes) -> None:
        if self._socket is not None:
            self._socket.dataReceived(data)
            return
        super().rawDataReceived(data)
        decoder: Any = self._transferDecoder
        state = getattr(decoder, "state", None)
        if state is None or self.closing:
            return
        # All of these would be waited for until their deadline.
        if getattr(decoder, "length", 0) > self.factory.max_body:
            self.refuse_body()
        elif state == "CRLF" and decoder._buffer not in (b"", b"\r"):  # noqa: SLF001
            self._respondToBadRequestAndDisconnect()
        elif state != "BODY":
            # Fields behind the body that have come by now, and what there is of a line.
            fields = decoder._trailerHeaders[-1 - data.count(b"\n") :]  # noqa: SLF001
            all(self._check_ends(each) for each in (*fields, decoder._buffer))  # noqa: SLF001

    def _chunks_received(self, rest: bytes) -> None:
        """A body in chunks is whole, and so are the fields behind it."""
        decoder: Any = self._transferDecoder
        if all(self._check_ends(each) for each in decoder._trailerHeaders):  # noqa: SLF001
            self._finishRequestBody(rest)

    def pauseProducing(self) -> None:
        super().pauseProducing()
        # Twisted goes on reading while a request is being answered, without end if
        # the peer sends requests and reads no answers.
        self._networkProducer.pauseProducing()

    def resumeProducing(self) -> None:
        super().resumeProducing()
        unread, self._unread = self._unread, None
        if unread is not None:
            self.requestDone(unread)

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        lines = [b"%b %b %b" % (version, code, reason)]
        for name, values in headers.getAllRawHeaders():
            lines += (b"%b: %b" % (name, value) for value in values)
        self._head = b"\r\n".join((*lines, b"", b""))

    def write(self, data: bytes) -> None:
        self.writeSequence((data,))

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        head, self._head = self._head, b""
        self.transport.write(b"".join((head, *iovec)))

    def requestDone(self, request: Request) -> None:
        if self._head:
            self.write(b"")
        if self._waitingForTransport:
            self._unread = request
            return
        self._begun = False
        self._enter(_Stage.IDLE)
        super().requestDone(request)

    def hand_over(self, socket: Socket, upgrade: Upgrade) -> None:
        """
        Let *socket* go on with this connection.

        @param upgrade: its handshake, which was checked.
        """
        self._forget()
        socket.admission = self.admission
        self._socket = socket
        early, self._dataBuffer = self._dataBuffer, []
        # What is left of HTTP goes away now, and does not wait for the garbage collector.
        for request in self.requests:
            request.channel = None
        self.requests.clear()
        transport: Any = self.transport
        transport.protocol = socket
        socket.open(transport, upgrade.key, upgrade.subprotocol)
        # The channel reads nothing while a request is answered.
        if not transport.disconnecting:
            transport.resumeProducing()
        for data in early:
            socket.dataReceived(data)

    def refuse(self, error: ChatError) -> None:
        """Answer the request that is arriving, and close."""
        if self.closing:
            return
        known = self.requests[-1].all_headers() if self.requests else {}
        # For the access log.
        self.source_by(known.get("x-forwarded-for", ()))
        response = self.factory.tree.refusal(error, known)
        assert isinstance(response.body, bytes)
        self.factory.log_refused(self, response.status, len(response.body))
        self.transport.write(response.as_last())
        self.loseConnection()

    def _met_a_bug(self) -> None:
        """Log the exception that is handled; answer the request that was arriving with 500."""
        self._log.failure("A request met a bug.")
        try:
            if not self._handlingRequest:
                self.refuse(internal())
                return
        except Exception:  # noqa: BLE001 - it cannot be told either
            self._log.failure("A request is cut off: it cannot be answered.")
        self.transport.abortConnection()

    def refuse_body(self) -> None:
        """It is, or says that it will be, too long."""
        most = self.factory.max_body
        self.refuse(ChatError(Kind.BODY_TOO_LARGE, f"A body may have at most {most} bytes."))

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(ChatError(Kind.BAD_REQUEST, "This is not a valid HTTP/1.1 request."))

    def loseConnection(self) -> None:
        self.closing = True
        self._enter(_Stage.END)
        super().loseConnection()

    def retire(self) -> None:
        """
        Close as soon as nobody waits for an answer.  Who has just come, or begun to ask, has a
        moment to end the sentence, and is told that the port stops.
        """
        if self._handlingRequest:
            self.persistent = False
        elif self._stage is _Stage.IDLE and not self._begun:
            self.loseConnection()
        elif not self.closing:
            self._enter(_Stage.LAST)
        for request in tuple(self.requests):
            request.end()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._forget()
        self.admission.leave()
        super().connectionLost(reason)

    def _forget(self) -> None:
        self.factory.channels.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


class HttpFactory(http.HTTPFactory):
    """
    The port's connections.

    @ivar max_body: the most bytes that a request's body may have.
    @ivar channels: those that are not WebSockets.
    @ivar connections: counts all of them.
    @ivar stopping: the port stops; what is not a whole request yet is refused.
    """

    noisy = False
    stopping = False
    protocol = Channel  # type: ignore[assignment]

    def __init__(
        self,
        clock: IReactorTime,
        *,
        tree: Tree,
        sockets: SocketFactory,
        rate: Rate,
        connections: Connections,
        max_body: int,
        access: AccessLog,
        proxies: Proxies,
    ) -> None:
        """
        @param rate: of the messages of a connection.
        """
        # No idle timeout: it would start anew with each byte of a request that drips.
        super().__init__(timeout=None, reactor=clock)  # type: ignore[arg-type]
        self.tree = tree
        self.sockets = sockets
        self.max_body = max_body
        self.channels: set[Channel] = set()
        self.proxies = proxies
        self.connections = connections
        self._access = access
        self._rate = rate

    def buildProtocol(self, address: IAddress | None) -> Channel | None:  # type: ignore[override]
        host = getattr(address, "host", "")
        trusted = self.proxies.trusts(host)
        admission = self.connections.enter(None if trusted else address_key(host))
        if admission is None:
            metrics.turned_away.inc()
            return None
        channel = super().buildProtocol(address)
        assert isinstance(channel, Channel)
        channel.admission = admission
        channel.source = self.source(host)
        channel.peer = host if trusted else None
        return channel

    def source(self, address: str) -> Source:
        """A new source of messages at *address*."""
        return Source(address, self._rate)

    def going(self) -> ChatError:
        """How a request is refused when the port stops."""
        wait = back_in(len(self.sockets.sockets)) / 1000
        detail = "The server is restarting; come back."
        return ChatError(Kind.UNAVAILABLE, detail, retry_after=wait)

    def startFactory(self) -> None:
        """Not Twisted's: its access log would tell the time by the reactor's clock."""

    def stopFactory(self) -> None:
        self._access.close()

    def log(self, request: http.Request) -> None:
        metrics.answered(request.method.decode(errors="replace"), request.code)
        self._access.write(request)

    def log_refused(self, channel: Channel, status: int, size: int) -> None:
        """A request was refused before all of it was there, with so many bytes."""
        method = channel._command.decode("latin-1")  # noqa: SLF001 - Twisted has no other name
        metrics.answered(method, status)
        asked = f"{method} {channel._path.decode('latin-1')}".strip()  # noqa: SLF001
        self._access.write_refused(channel.source.address, asked, status, size)
