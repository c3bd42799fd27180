"""
The port: HTTP/1.1 with bounds, and the door to WebSockets.

Twisted's parser does the parsing.  What it leaves open is closed here:

    a request that drips in          absolute deadlines, which no byte resets
    a body of any size               refused at its header, or where it grows too long
    a body in a temporary file       kept in memory, which the bound allows
    a client that does not hang up   aborted after a grace
    answers that nobody reads        no request is taken before the last answer is read
    errors without a word            every refusal is a problem+json

A connection goes through these stages, each with its own deadline:

    head -> body -> answer -> idle -> head ...      answer -> WebSocket or stream
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from enum import Enum
from http import HTTPStatus
from io import BytesIO
from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.http_headers import Headers
from zope.interface import implementer

from livechat.chat import Chat, Sender
from livechat.errors import ChatError, Kind
from livechat.limits import Admission, Connections, address_key
from livechat.net.access import AccessLog
from livechat.net.proxies import Proxies
from livechat.net.websocket import Socket, SocketFactory
from livechat.web.events import LASTS
from livechat.web.response import Response, Upgrade
from livechat.web.routing import Call, Tree

# What a client puts before the path if it takes this server for a proxy, which
# must be accepted (RFC 9112, section 3.2.2).
_ABSOLUTE: Final = re.compile(r"^https?://[^/?#]*(?=/)", re.ASCII | re.IGNORECASE)


class Request(http.Request):
    """A request, from its head to its answer."""

    _log = Logger()
    channel: Channel
    content: BytesIO
    #: Whether the connection was lost meanwhile.
    gone = False
    _sender: Sender | None = None
    _end: Callable[[], None] | None = None

    def __init__(self, channel: Channel, queued: object = False) -> None:
        super().__init__(channel, queued, parsePOSTFormSubmission=False)

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()
        if length is not None and length > self.channel.factory.max_body:
            self._too_large()

    def handleContentChunk(self, data: bytes) -> None:
        if self.channel.closing:
            return
        if self.content.tell() + len(data) > self.channel.factory.max_body:
            self._too_large()
        else:
            self.content.write(data)

    def _too_large(self) -> None:
        most = self.channel.factory.max_body
        self.channel.refuse(
            ChatError(Kind.BODY_TOO_LARGE, f"A body may have at most {most} bytes.")
        )

    def connectionLost(self, reason: Failure) -> None:
        self.gone = True
        self.end()
        super().connectionLost(reason)

    def process(self) -> None:
        Deferred.fromCoroutine(self._serve()).addErrback(self._broken)

    async def _serve(self) -> None:
        answer: Response | Upgrade | None = await self.channel.factory.tree.answer(self._call())
        if isinstance(answer, Upgrade):
            answer = await self._upgrade(answer)
        if answer is not None and not self.gone:
            await self._answer(answer)

    def _call(self) -> Call:
        path, _, query = _ABSOLUTE.sub("", self.uri.decode("latin-1")).partition("?")
        headers = {
            name.decode("latin-1").lower(): tuple(value.decode("latin-1") for value in values)
            for name, values in self.requestHeaders.getAllRawHeaders()
        }
        method = self.method.decode("latin-1")
        body = self.content.getvalue()
        self._sender = self.channel.sender_by(headers.get("x-forwarded-for", ()))
        return Call(method, path, query, headers, body, self._sender)

    def getClientAddress(self) -> IAddress:
        """For the access log."""
        peer: IAddress = super().getClientAddress()
        if self._sender is None or not isinstance(peer, IPv4Address | IPv6Address):
            return peer
        kind = IPv6Address if ":" in self._sender.address else IPv4Address
        return kind("TCP", self._sender.address, peer.port)

    async def _upgrade(self, upgrade: Upgrade) -> Response | None:
        """Go on as a WebSocket; None if that worked."""
        channel = self.channel
        if self.clientproto != b"HTTP/1.1":
            error = ChatError(Kind.BAD_HANDSHAKE, "A handshake needs HTTP/1.1.")
            return channel.factory.tree.refusal(error)
        try:
            channel.admission.belongs_to(channel.sender.key)
            socket = await channel.factory.sockets.enter(upgrade.room, channel.sender)
        except ChatError as error:
            return channel.factory.tree.refusal(error)
        if self.gone:
            socket.session.close()
            return None
        self.setResponseCode(HTTPStatus.SWITCHING_PROTOCOLS)
        channel.factory.log(self)
        channel.hand_over(socket, upgrade.key)
        return None

    async def _answer(self, response: Response) -> None:
        self.setResponseCode(response.status, HTTPStatus(response.status).phrase.encode())
        self.setHeader(b"Date", http.datetimeToString())
        for name, value in response.all_headers():
            self.responseHeaders.addRawHeader(name.encode(), value.encode())
        if isinstance(response.body, bytes):
            if response.status not in http.NO_BODY_CODES:
                self.setHeader(b"Content-Length", b"%d" % len(response.body))
            self.write(response.body)
        elif self.method != b"HEAD":
            await self._stream(response)
        if not self.gone:
            self.finish()

    async def _stream(self, response: Response) -> None:
        """Write the pieces as fast as the client reads them, and not faster."""
        assert not isinstance(response.body, bytes)
        pace = _Pace()
        self.registerProducer(pace, True)
        if response.end is not None:
            self._end = response.end
            self.channel.begin_stream()
        try:
            async with aclosing(response.body) as pieces:
                async for piece in pieces:
                    await pace.ready()
                    if self.gone:
                        return
                    self.write(piece)
        finally:
            self.end()
            if not self.gone:
                self.unregisterProducer()

    def end(self) -> None:
        """End an answer that would go on."""
        end, self._end = self._end, None
        if end is not None:
            end()

    def _broken(self, failure: Failure) -> None:
        """An answer that was begun cannot be ended: say so by cutting it off."""
        self._log.failure("{method} {uri} was cut off.", failure, method=self.method, uri=self.uri)
        if not self.gone:
            self.channel.transport.abortConnection()


@implementer(IPushProducer)
class _Pace:
    """Tells when the client has read enough for more to be written."""

    def __init__(self) -> None:
        self._paused = False
        self._waiting: Deferred[None] | None = None

    def ready(self) -> Deferred[None]:
        """Fires when the next piece may be written, or nobody is there any more."""
        if not self._paused:
            return succeed(None)
        self._waiting = Deferred()
        return self._waiting

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def stopProducing(self) -> None:
        self.resumeProducing()


class _Stage(Enum):
    """What a connection is waiting for, and how many seconds it may."""

    HEAD = 10.0
    BODY = 15.0
    ANSWER = 60.0
    # Longer than a stream that is read goes on.
    STREAM = LASTS + 100.0
    IDLE = 30.0
    END = 5.0


class Channel(http.HTTPChannel):
    """
    A connection, until it closes or becomes a WebSocket.

    @ivar sender: whoever is at its other end, as far as rates go.
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
    sender: Sender
    peer: str | None = None
    admission: Admission
    closing = False
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

    def _expired(self) -> None:
        self._deadline = None
        if self._stage in (_Stage.ANSWER, _Stage.STREAM, _Stage.END):
            self.transport.abortConnection()
            return
        self._deadline = self.factory.reactor.callLater(_Stage.END.value, self._expired)
        if self._begun:
            self.refuse(ChatError(Kind.TOO_SLOW, "The request took too long to arrive."))
        else:
            self.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        if self.closing:
            return
        if not self._begun:
            self._begun = True
            self._enter(_Stage.HEAD)
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        if line[:1] in (b" ", b"\t"):
            self.refuse(ChatError(Kind.BAD_REQUEST, "Folded header lines are not accepted."))
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        self._respondToBadRequestAndDisconnect()

    def allHeadersReceived(self) -> None:
        self._enter(_Stage.BODY)
        if self.admission.refusal is not None:
            self.refuse(self.admission.refusal)
        else:
            super().allHeadersReceived()

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
        self.sender = self.factory.chat.sender(address)
        self.peer = address if self.factory.proxies.trusts(address) else None
        if self.peer is None:
            try:
                self.admission.belongs_to(self.sender.key)
            except ChatError as refusal:
                self.admission.refuse(refusal)

    def sender_by(self, forwarded: Sequence[str]) -> Sender:
        """
        Whom a request is from.

        @param forwarded: its values of ``X-Forwarded-For``.
        """
        if self.peer is not None:
            client = self.factory.proxies.client(self.peer, forwarded)
            if client != self.sender.address:
                self.sender = self.factory.chat.sender(client)
        return self.sender

    def begin_stream(self) -> None:
        """The answer is one that goes on until it is ended."""
        self._enter(_Stage.STREAM)

    def rawDataReceived(self, data: bytes) -> None:
        if self._socket is not None:
            self._socket.dataReceived(data)
        else:
            super().rawDataReceived(data)

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

    def hand_over(self, socket: Socket, key: str) -> None:
        """
        Let *socket* go on with this connection.

        @param key: that of its handshake, which was checked.
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
        socket.open(transport, key)
        # The channel reads nothing while a request is answered.
        transport.resumeProducing()
        for data in early:
            socket.dataReceived(data)

    def refuse(self, error: ChatError) -> None:
        """Answer the request that is arriving, and close."""
        if self.closing:
            return
        response = self.factory.tree.refusal(error)
        assert isinstance(response.body, bytes)
        lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
        lines += (f"{name}: {value}" for name, value in response.all_headers())
        lines += (f"Content-Length: {len(response.body)}", "Connection: close", "", "")
        self.transport.write("\r\n".join(lines).encode() + response.body)
        self.loseConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(ChatError(Kind.BAD_REQUEST, "This is not a valid HTTP/1.1 request."))

    def loseConnection(self) -> None:
        self.closing = True
        self._enter(_Stage.END)
        super().loseConnection()

    def retire(self) -> None:
        """Close as soon as nobody waits for an answer."""
        self.persistent = False
        if not self._handlingRequest:
            self.loseConnection()
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


class HttpFactory(http.HTTPFactory):
    """
    The port's connections.

    @ivar max_body: the most bytes that a request's body may have.
    @ivar channels: those that are not WebSockets.
    @ivar connections: counts all of them.
    """

    noisy = False
    protocol = Channel  # type: ignore[assignment]

    def __init__(
        self,
        clock: IReactorTime,
        *,
        tree: Tree,
        sockets: SocketFactory,
        chat: Chat,
        connections: Connections,
        max_body: int,
        access: AccessLog,
        proxies: Proxies,
    ) -> None:
        # No idle timeout: it would start anew with each byte of a request that drips.
        super().__init__(timeout=None, reactor=clock)  # type: ignore[arg-type]
        self.tree = tree
        self.sockets = sockets
        self.max_body = max_body
        self.channels: set[Channel] = set()
        self.chat = chat
        self.proxies = proxies
        self.connections = connections
        self._access = access

    def buildProtocol(self, address: IAddress | None) -> Channel | None:  # type: ignore[override]
        host = getattr(address, "host", "")
        trusted = self.proxies.trusts(host)
        admission = self.connections.enter(None if trusted else address_key(host))
        if admission is None:
            return None
        channel = super().buildProtocol(address)
        assert isinstance(channel, Channel)
        channel.admission = admission
        channel.sender = self.chat.sender(host)
        channel.peer = host if trusted else None
        return channel

    def startFactory(self) -> None:
        """Not Twisted's: its access log would tell the time by the reactor's clock."""

    def stopFactory(self) -> None:
        self._access.close()

    def log(self, request: http.Request) -> None:
        self._access.write(request)
