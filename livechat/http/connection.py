"""
A connection: HTTP/1.1 with bounds, and the door to WebSockets.

Twisted's parser does the parsing, more strictly (`livechat.http.parser`).  What it leaves open
besides is closed here:

    a request that drips in          absolute deadlines, which no byte resets
    a client that does not hang up   aborted after a grace
    answers that nobody reads        no request is taken before the last answer is read
    errors without a word            every refusal says why

A connection goes through these stages, each with its own deadline:

    head -> body -> answer -> idle -> head ...      answer -> WebSocket or stream

A request that comes whole, where nothing else is under way, may go the short way
(`livechat.http.short`): it is in the stage of its answer at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.http_headers import Headers

from livechat.errors import ChatError, Kind, internal
from livechat.http import call
from livechat.http.parser import Parser
from livechat.http.response import Response, Successor, Upgrade
from livechat.http.short import ShortWay
from livechat.limits.connections import Admission
from livechat.limits.source import Source
from livechat.net.proxies import Proxies, not_a_proxy, unsaid

#: Seconds after which an answer that goes on must end by itself.
LONGEST_STREAM: Final = 300.0


class _Stage(Enum):
    """The stages of a connection, and the seconds that each may take."""

    HEAD = 10.0
    BODY = 15.0
    # Requests that had begun when the port stopped.
    LAST = 1.0
    ANSWER = 60.0
    # Longer than the life of a stream that ends by itself.
    STREAM = LONGEST_STREAM + 100.0
    IDLE = 30.0
    END = 5.0

    def __init__(self, seconds: float) -> None:
        # Attributes are faster than an enum's `value`.
        self.seconds = seconds


class Site(Protocol):
    """The part of `livechat.http.site.Site` that a connection needs."""

    reactor: IReactorTime
    channels: set[Channel]
    stopping: bool
    proxies: Proxies
    max_body: int
    short: ShortWay | None

    def source(self, address: str) -> Source:
        """A new source of requests at *address*."""

    def going(self) -> ChatError:
        """The refusal of a request when the port stops."""

    def spares(self, method: bytes, target: bytes, headers: Headers) -> bool:
        """Tell whether a request is refused by another protocol's means, and not at its head."""

    def body_limit(self, method: bytes, target: bytes, headers: Headers) -> int:
        """The most bytes that the body of a request may have."""

    def refusal(self, error: ChatError, headers: call.Headers) -> Response:
        """The answer to a request that cannot be served, with its headers as far as known."""

    def log_refused(
        self, source: Source, method: bytes, target: bytes, status: int, size: int
    ) -> None:
        """Count and log a request that was refused before all of it was there."""


class Channel(Parser):
    """
    A connection, until it closes or another protocol takes it over.

    @ivar source: the client at its other end, as far as rates go.
    @ivar peer: the address of a proxy that is trusted, if one is at its other end.
    @ivar plain: it came without TLS, so its peer must be such a proxy, and say for whom it asks
        and how: as long as it does not, a request is not answered, and not secure.
    @ivar feeding: the answer is one of those that go on as long as their client is there.
    @ivar closing: the last answer was given; what comes is read and dropped, so
        that the answer arrives before the connection breaks, and so that no
        request is carried out of which its sender would never hear.
    """

    site: Site
    transport: ITCPTransport
    source: Source
    peer: str | None = None
    plain = False
    admission: Admission
    closing = False
    # The method and the path of the arriving request.
    _command = _path = b""
    _begun = False
    _successor: Successor | None = None
    _unread: http.Request | None = None
    _stage = _Stage.HEAD
    _deadline: IDelayedCall | None = None
    feeding = False
    # The head of an answer, until the first part of its body is written.
    _head = b""

    @property
    def stalled(self) -> bool:
        """Tell whether the client leaves written bytes unread."""
        stalled: bool = self._waitingForTransport
        return stalled

    def connectionMade(self) -> None:
        super().connectionMade()
        self.site.channels.add(self)
        self._deadline = self.site.reactor.callLater(_Stage.HEAD.seconds, self._expired)

    def _enter(self, stage: _Stage) -> None:
        self._stage = stage
        if self._deadline is not None:
            self._deadline.reset(stage.seconds)
        elif self in self.site.channels:
            # A feed has had no deadline.
            self._deadline = self.site.reactor.callLater(stage.seconds, self._expired)

    def _expired(self) -> None:
        self._deadline = None
        if self._stage in (_Stage.ANSWER, _Stage.STREAM, _Stage.END):
            self.transport.abortConnection()
            return
        self._deadline = self.site.reactor.callLater(_Stage.END.seconds, self._expired)
        if not self._begun:
            self.loseConnection()
        elif self._stage is _Stage.LAST:
            self.refuse(self.site.going())
        else:
            self.refuse(ChatError(Kind.TOO_SLOW, "The request took too long to arrive."))

    def dataReceived(self, data: bytes) -> None:
        if self._deadline is not None and self._deadline.getTime() < self.site.reactor.seconds():
            # The process stood still, and reads before it runs its timers.  The client has given
            # up, and may have sent this request, or later ones, on another connection.
            self._deadline.cancel()
            self._expired()
            return
        if self.closing:
            return
        try:
            if not self._begun:
                self._begun = True
                if self._take(data):
                    return
                if self._stage is not _Stage.LAST:
                    self._enter(_Stage.HEAD)
            super().dataReceived(data)
        except Exception:  # noqa: BLE001 - the transport would cut it without a word
            self._met_a_bug()

    def _take(self, data: bytes) -> bool:
        """
        Answer the request at the beginning of *data*, if it may go the short way, and read on
        behind it.  Return True if it went.
        """
        site, short = self.site, self.site.short
        if (
            short is None
            or not self.is_fresh
            or not self.persistent
            or site.stopping
            or self.admission.refusal is not None
        ):
            return False
        whole = short.find(data, site.max_body)
        if whole is None:
            return False
        self.max_body = site.max_body
        self._enter(_Stage.ANSWER)
        self.receive_whole(short.make(self, whole), whole.body, whole.rest)
        return True

    def allHeadersReceived(self) -> None:
        self._enter(_Stage.BODY)
        refusal = self.site.going() if self.site.stopping else self.admission.refusal
        if refusal is not None and not self.site.spares(
            self._command, self._path, self.requests[-1].requestHeaders
        ):
            self.refuse(refusal)
        else:
            headers = self.requests[-1].requestHeaders
            self.max_body = self.site.body_limit(self._command, self._path, headers)
            super().allHeadersReceived()

    def allContentReceived(self) -> None:
        if not self.closing:
            self._enter(_Stage.ANSWER)
            super().allContentReceived()

    def isSecure(self) -> bool:
        return True

    def comes_from(self, address: str) -> None:
        """Take the client's *address* from the proxy at the other end."""
        self.source = self.site.source(address)
        self.peer = address if self.site.proxies.trusts(address) else None
        if self.peer is None:
            try:
                self.admission.belongs_to(self.source.key)
            except ChatError as refusal:
                self.admission.refuse(refusal)

    def source_by(self, forwarded: Sequence[str]) -> Source:
        """
        The source of a request.

        @param forwarded: its values of ``X-Forwarded-For``.
        @raise ChatError: it came without TLS, and not from a proxy, or that does not say.
        """
        if self.plain and self.peer is None:
            raise not_a_proxy()
        if self.peer is not None:
            said = self.site.proxies.said(forwarded)
            if said is None and self.plain:
                raise unsaid()
            client = self.peer if said is None else said
            if client != self.source.address:
                self.source = self.site.source(client)
        return self.source

    def begin_stream(self) -> None:
        """The answer is one that goes on until it is ended."""
        self._enter(_Stage.STREAM)

    def begin_feed(self) -> None:
        """The answer goes on as long as its client is there."""
        self.feeding = True
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def rawDataReceived(self, data: bytes) -> None:
        if self._successor is not None:
            self._successor.dataReceived(data)
        else:
            super().rawDataReceived(data)

    def pauseProducing(self) -> None:
        super().pauseProducing()
        # Twisted would read on while a request is answered, without a bound if the peer sends
        # requests and reads no answers.
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
        self.begin_answer(b"\r\n".join((*lines, b"", b"")))

    def begin_answer(self, head: bytes) -> None:
        """
        Begin an answer with its whole *head*.

        The head goes out with the first part of the body: each write is a TLS record and a system
        call.
        """
        self._head = head

    def write(self, data: bytes) -> None:
        self.writeSequence((data,))

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        head, self._head = self._head, b""
        self.transport.write(b"".join((head, *iovec)))

    def requestDone(self, request: http.Request) -> None:
        if self._head:
            self.write(b"")
        if self._waitingForTransport:
            self._unread = request
            return
        self._begun = False
        self._enter(_Stage.IDLE)
        super().requestDone(request)

    def hand_over(self, successor: Successor, upgrade: Upgrade) -> None:
        """
        Hand this connection over to *successor*.

        @param upgrade: its handshake, which was checked.
        """
        self._forget()
        successor.admission = self.admission
        self._successor = successor
        early, self._dataBuffer = self._dataBuffer, []
        # Break the cycles of HTTP's objects now, rather than leave them to the garbage collector.
        for request in self.requests:
            request.channel = None
        self.requests.clear()
        transport: Any = self.transport
        transport.protocol = successor
        successor.open(transport, upgrade.key, upgrade.subprotocol)
        # The channel reads nothing while a request is answered.
        if not transport.disconnecting:
            transport.resumeProducing()
        for data in early:
            successor.dataReceived(data)

    def refuse(self, error: ChatError) -> None:
        if self.closing:
            return
        known = call.headers(self.requests[-1].requestHeaders) if self.requests else {}
        # The access log needs the client's address.
        with suppress(ChatError):
            self.source_by(known.get("x-forwarded-for", ()))
        response = self.site.refusal(error, known)
        assert isinstance(response.body, bytes)
        size = len(response.body)
        self.site.log_refused(self.source, self._command, self._path, response.status, size)
        self.transport.write(response.as_last())
        self.loseConnection()

    def _met_a_bug(self) -> None:
        """Log the current exception; answer the arriving request with 500."""
        self._log.failure("A request met a bug.")
        try:
            if not self._handlingRequest:
                self.refuse(internal())
                return
        except Exception:  # noqa: BLE001 - it cannot be told either
            self._log.failure("A request is cut off: it cannot be answered.")
        self.transport.abortConnection()

    def loseConnection(self) -> None:
        self.closing = True
        self._enter(_Stage.END)
        super().loseConnection()

    def settle(self) -> None:
        """Close an idle connection; on any other, answer the request that is there or begun."""
        if self._handlingRequest:
            self.persistent = False
        elif self._stage is _Stage.IDLE and not self._begun:
            self.loseConnection()

    def retire(self) -> None:
        """
        Close as soon as no answer is waited for.  A client that has just come, or begun a request,
        has a moment to end it, and is told that the port stops.
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
        self.site.channels.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
