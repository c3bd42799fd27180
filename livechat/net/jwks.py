"""
Fetches JSON Web Key sets (RFC 7517) over HTTPS.

The server at the address need not be friendly: time and size are bounded, headers included, and
no redirect is followed.  Its certificate must be one that the system trusts.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Final

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, BrowserLikePolicyForHTTPS, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

#: Seconds for all of it.
WITHIN: Final = 5.0
#: Bytes that are read, the head of the answer included.
LARGEST: Final = 262_144
_TOO_MUCH: Final = f"the answer has more than {LARGEST} bytes"
_HEADERS: Final = {b"Accept": [b"application/jwk-set+json, application/json"]}


class KeySetFetcher:
    """A client of the addresses of key sets."""

    def __init__(self, reactor: Any, policy: IPolicyForHTTPS | None = None) -> None:
        """
        @param policy: checks certificates; without one, by those that the system trusts.
        """
        self._reactor = reactor
        self._policy = policy or BrowserLikePolicyForHTTPS()

    def fetch(self, url: str) -> Deferred[bytes]:
        """Fetch the set at *url*.  Fails with OSError, whose text says why."""
        connections = _Connections(self._reactor, self._policy)
        answer: Deferred[bytes] = Deferred.fromCoroutine(self._fetched(url, connections))
        late = OSError(f"there is no answer within {WITHIN:g} seconds")
        answer.addErrback(_explain, connections)
        return answer.addTimeout(WITHIN, self._reactor, lambda *_: Failure(late))

    async def _fetched(self, url: str, connections: _Connections) -> bytes:
        agent = Agent.usingEndpointFactory(self._reactor, connections)
        response = await agent.request(b"GET", url.encode(), Headers(_HEADERS))
        if response.code != 200:
            raise OSError(f"the answer is {response.code}, not 200")
        body = _Body()
        response.deliverBody(body)
        data = await body.whole
        if connections.left < 0:
            # Without a length, a cut connection looks like the body's end.
            raise OSError(_TOO_MUCH)
        return data


@implementer(IAgentEndpointFactory)
class _Connections:
    """
    The connections of one fetch.

    @ivar left: bytes that may still be read.
    """

    def __init__(self, reactor: Any, policy: IPolicyForHTTPS) -> None:
        self.left = LARGEST
        self._reactor = reactor
        self._policy = policy
        self._open: list[_Bounded] = []

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        options = self._policy.creatorForNetloc(uri.host, uri.port)
        host = HostnameEndpoint(self._reactor, uri.host.decode(), uri.port)
        return _BoundedEndpoint(wrapClientTLS(options, host), self)

    def opened(self, connection: _Bounded) -> None:
        """Keep a new connection, so that it can be cut."""
        self._open.append(connection)

    def abort(self) -> None:
        """Cut all."""
        for each in self._open:
            each.abortConnection()


@implementer(IStreamClientEndpoint)
class _BoundedEndpoint:
    """Connects, and counts the bytes that are read."""

    def __init__(self, endpoint: IStreamClientEndpoint, connections: _Connections) -> None:
        self._endpoint = endpoint
        self._connections = connections

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        counting = WrappingFactory(factory)
        counting.protocol = lambda made, wrapped: _Bounded(made, wrapped, self._connections)
        connected: Deferred[Any] = self._endpoint.connect(counting)
        return connected.addCallback(attrgetter("wrappedProtocol"))


class _Bounded(ProtocolWrapper):
    """A connection that is cut once too much came by it."""

    def __init__(self, factory: Any, wrapped: Any, connections: _Connections) -> None:
        super().__init__(factory, wrapped)
        self._connections = connections

    def connectionMade(self) -> None:
        super().connectionMade()
        self._connections.opened(self)

    def dataReceived(self, data: bytes) -> None:
        self._connections.left -= len(data)
        if self._connections.left < 0:
            self.abortConnection()
        else:
            super().dataReceived(data)


class _Body(Protocol):
    """
    Collects the body of an answer.

    Not `twisted.web.client.readBody`, which warns of its own transport.
    """

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred()
        self._pieces: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        self._pieces.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # Without a length only the JSON shows whether it is whole.
        if isinstance(reason.value, ResponseDone | PotentialDataLoss):
            self.whole.callback(b"".join(self._pieces))
        else:
            self.whole.errback(reason)


def _explain(failure: Failure, connections: _Connections) -> Failure:
    """Turn *failure* into OSError, and cut what is still there."""
    connections.abort()
    if connections.left < 0:
        return Failure(OSError(_TOO_MUCH))
    reasons = [each.value for each in getattr(failure.value, "reasons", ())] or [failure.value]
    last = reasons[-1]
    if isinstance(last, OSError):
        return Failure(last)
    if isinstance(last, SSL.Error) and last.args and last.args[0]:
        return Failure(OSError(f"TLS: {last.args[0][-1][-1]}"))
    return Failure(OSError(str(last) or type(last).__name__))
