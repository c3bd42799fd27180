"""
POSTs of JSON to other people's servers.

Such a server need not be friendly: time is bounded, and so is what is read, headers included.  No
redirect is followed, no proxy is asked, no cookie is kept.  The certificate of an ``https`` address
must be one that the system trusts.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, Final, cast

from msgspec import Struct
from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IConsumer, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    BrowserLikePolicyForHTTPS,
    HTTPConnectionPool,
    ResponseNeverReceived,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IBodyProducer, IPolicyForHTTPS
from zope.interface import implementer

from livechat import __version__

#: Bytes of an answer that are read, its head included, and those of its body that are kept.
LARGEST: Final = 65_536
KEPT: Final = 4_096
#: Seconds for which a connection is kept open; many servers close it after five.
IDLE: Final = 4
#: Characters of a header that are kept.
_LONGEST_HEADER: Final = 200
_AGENT: Final = f"livechat/{__version__}".encode()


class Answered(Struct, frozen=True):
    """
    An answer.

    @ivar body: its beginning.
    @ivar whole: the body has no more.
    @ivar retry_after: the header of that name; empty without it.
    """

    status: int
    body: bytes = b""
    whole: bool = True
    content_type: str = ""
    retry_after: str = ""

    @property
    def good(self) -> bool:
        """Tell whether the server has accepted the body."""
        return 200 <= self.status < 300


class Poster:
    """A client of servers, with connections that it keeps open for a while."""

    def __init__(
        self,
        reactor: Any,
        policy: IPolicyForHTTPS | None = None,
        *,
        connections: int = 1,
        largest: int = KEPT,
    ) -> None:
        """
        @param policy: checks certificates; without one, by those that the system trusts.
        @param connections: kept open of each server.
        @param largest: bytes of a body that are kept.
        """
        self._reactor = reactor
        self._pool = HTTPConnectionPool(reactor)
        self._pool.maxPersistentPerHost = connections
        self._pool.cachedConnectionTimeout = IDLE
        # A lost POST may have been received, so its sender decides on a retry.
        self._pool.retryAutomatically = False
        self._endpoints = _Endpoints(reactor, policy or BrowserLikePolicyForHTTPS())
        self._agent = Agent.usingEndpointFactory(reactor, self._endpoints, self._pool)
        self._largest = largest

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], within: float
    ) -> Deferred[Answered]:
        """
        Send *body*, which is not empty, and return the answer.

        Cancelling it cuts the connection.  Fails with OSError, whose text says why.

        @param within: seconds for all of it.
        """
        running: Deferred[Answered] = Deferred.fromCoroutine(self._posted(url, body, headers))
        running.addErrback(_explain)
        late = OSError(f"there is no answer within {within:g} seconds")
        running.addTimeout(within, self._reactor, lambda *_: Failure(late))

        def give_up(answer: Deferred[Answered]) -> None:
            # First: a connection that is cut looks like one that has broken.
            answer.errback(CancelledError())
            running.cancel()

        answer: Deferred[Answered] = Deferred(give_up)
        running.addBoth(lambda found: None if answer.called else answer.callback(found))
        return answer

    async def _posted(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        sent = Headers({b"User-Agent": [_AGENT], b"Content-Type": [b"application/json"]})
        for name, value in headers.items():
            sent.setRawHeaders(name.encode(), [value.encode()])
        while True:
            post = _Post(body, self._endpoints, self._largest)
            try:
                return await self._answered(url, sent, post)
            except Exception:
                post.abort()
                if post.left < 0:
                    raise OSError(f"the answer has more than {LARGEST} bytes") from None
                # A kept connection may just have been closed; the next one is another.
                if not post.unheard:
                    raise

    async def _answered(self, url: str, headers: Headers, post: _Post) -> Answered:
        response = await self._agent.request(b"POST", url.encode(), headers, post)
        given = response.headers
        whole = await post.collected(response)
        return Answered(
            response.code,
            b"".join(post.pieces),
            whole,
            _first(given, b"content-type"),
            _first(given, b"retry-after"),
        )

    def close(self) -> Deferred[Any]:
        """Close the connections that are not in use."""
        closed: Deferred[Any] = self._pool.closeCachedConnections()
        return closed


def _first(headers: Headers, name: bytes) -> str:
    found = headers.getRawHeaders(name, [b""])
    return found[0].decode("latin-1")[:_LONGEST_HEADER]


@implementer(IBodyProducer)
class _Post:
    """
    One request, and the part of its answer that was read.

    @ivar connection: the one that it was written to.
    @ivar left: bytes that may still be read.
    """

    def __init__(self, body: bytes, endpoints: _Endpoints, largest: int) -> None:
        self.length = len(body)
        self.left = LARGEST
        self.connection: _Bounded | None = None
        self.pieces: list[bytes] = []
        self._body = body
        self._endpoints = endpoints
        self._room = largest

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        # The connection that is written to, whichever the pool has chosen, becomes this post's.
        self._endpoints.writing = self
        consumer.write(self._body)
        self._endpoints.writing = None
        return succeed(None)

    def pauseProducing(self) -> None: ...

    def resumeProducing(self) -> None: ...

    def stopProducing(self) -> None: ...

    @property
    def unheard(self) -> bool:
        """Tell whether it was written to a connection that had been closed by then."""
        connection = self.connection
        return connection is not None and connection.kept and connection.closed_by_peer

    def abort(self) -> None:
        """Cut its connection."""
        if self.connection is not None:
            self.connection.abortConnection()

    def read(self, size: int) -> bool:
        """Count bytes that were read; return False if they are too many."""
        self.left -= size
        return self.left >= 0

    async def collected(self, response: Any) -> bool:
        """Collect the beginning of the body; return whether that is all of it."""
        body = _Body(self)
        response.deliverBody(body)
        return await body.ended

    def keep(self, data: bytes) -> bool:
        """Keep *data*, as far as there is room for it; False if there is not."""
        kept = data[: self._room]
        self.pieces.append(kept)
        self._room -= len(kept)
        return len(kept) == len(data)


class _Body(Protocol):
    """Collects the beginning of the body of an answer."""

    def __init__(self, post: _Post) -> None:
        self.ended: Deferred[bool] = Deferred()
        self._post = post

    def dataReceived(self, data: bytes) -> None:
        if not self.ended.called and not self._post.keep(data):
            # The status is known, and the rest may be endless.
            self.ended.callback(False)
            self._post.abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # The status counts even if the body breaks off.
        if not self.ended.called:
            self.ended.callback(True)


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """
    Connects to servers.

    @ivar writing: the post whose body is being written just now.
    """

    def __init__(self, reactor: Any, policy: IPolicyForHTTPS) -> None:
        self.writing: _Post | None = None
        self._reactor = reactor
        self._policy = policy

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        host: Any = HostnameEndpoint(self._reactor, uri.host.strip(b"[]").decode(), uri.port)
        if uri.scheme == b"https":
            host = wrapClientTLS(self._policy.creatorForNetloc(uri.host, uri.port), host)
        return _Endpoint(host, self)


@implementer(IStreamClientEndpoint)
class _Endpoint:
    """Connects, and counts the bytes that are read."""

    def __init__(self, endpoint: IStreamClientEndpoint, endpoints: _Endpoints) -> None:
        self._endpoint = endpoint
        self._endpoints = endpoints

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        counting = WrappingFactory(factory)
        # Twisted would log each start and stop, several lines for each post.
        counting.noisy = cast("Any", factory).noisy = False
        counting.protocol = lambda made, wrapped: _Bounded(made, wrapped, self._endpoints)
        connected: Deferred[Any] = self._endpoint.connect(counting)
        return connected.addCallback(attrgetter("wrappedProtocol"))


class _Bounded(ProtocolWrapper):
    """
    A connection that is cut once too much came by it.

    @ivar kept: it has had an answer, and was written to again.
    @ivar closed_by_peer: it was closed, with no byte of an answer to the newest post.
    """

    def __init__(self, factory: Any, wrapped: Any, endpoints: _Endpoints) -> None:
        super().__init__(factory, wrapped)
        self.kept = False
        self.closed_by_peer = False
        self._cut = False
        self._endpoints = endpoints
        self._post: _Post | None = None

    def write(self, data: bytes) -> None:
        if self._endpoints.writing is not None:
            self.kept = self._post is not None
            self._post = self._endpoints.writing
            self._post.connection = self
        super().write(data)

    def dataReceived(self, data: bytes) -> None:
        if self._post is None or self._post.read(len(data)):
            super().dataReceived(data)
        else:
            self.abortConnection()

    def abortConnection(self) -> None:
        self._cut = True
        cast("Any", self.transport).abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        silent = self._post is not None and self._post.left == LARGEST
        self.closed_by_peer = silent and not self._cut
        super().connectionLost(reason)


def _explain(failure: Failure) -> Failure:
    """Turn *failure* into OSError."""
    reasons = [each.value for each in getattr(failure.value, "reasons", ())] or [failure.value]
    last = reasons[-1]
    if isinstance(last, OSError):
        return Failure(last)
    if isinstance(last, SSL.Error) and last.args and last.args[0]:
        return Failure(OSError(f"TLS: {last.args[0][-1][-1]}"))
    if isinstance(last, ConnectionClosed) or isinstance(failure.value, ResponseNeverReceived):
        return Failure(OSError("the connection was closed without an answer"))
    return Failure(OSError(str(last) or type(last).__name__))
