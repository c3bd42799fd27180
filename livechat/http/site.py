"""
The port's site: a tree of resources, and the connections on which it is asked.

It is Twisted's, with bounded connections, an access log without secrets, and paths that are
split before they are decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.web import http, server
from twisted.web.http_headers import Headers

from livechat import metrics
from livechat.errors import ChatError, Kind
from livechat.http import call
from livechat.http.access_log import AccessLog
from livechat.http.connection import Channel
from livechat.http.response import Response
from livechat.http.rules import Rules
from livechat.http.short import ShortWay
from livechat.http.tree import Place, Traversal
from livechat.limits.connections import Connections
from livechat.limits.rates import Rate, address_key
from livechat.limits.source import Source
from livechat.net.proxies import Proxies

_T = TypeVar("_T")
_Decide = Callable[[bytes, bytes, Headers], _T]
#: Sessions that mounted resources may hold at once (`twisted.web.server.Request.getSession`).
MOST_SESSIONS: Final = 10_000


class Site(server.Site):
    """
    The port's connections, and the tree of resources that they may ask for.

    @ivar rules: the rules of every request.
    @ivar max_body: the most bytes that a request's body may have.
    @ivar channels: the connections that speak HTTP.
    @ivar connections: counts these and the WebSockets.
    @ivar stopping: the port stops; incomplete requests are refused.
    @ivar short: the short way in; None: there is none.
    """

    noisy = False
    stopping = False
    protocol = Channel  # type: ignore[assignment]

    def __init__(
        self,
        root: Place,
        request: Callable[..., http.Request],
        *,
        clock: IReactorTime,
        rules: Rules,
        rate: Rate,
        connections: Connections,
        max_body: int,
        access: AccessLog,
        proxies: Proxies,
        back_in: Callable[[], int],
        spares: Callable[[bytes, bytes, Headers], bool],
        body_limit: Callable[[bytes, bytes, Headers], int] | None = None,
        short: ShortWay | None = None,
        prefix: str = "",
    ) -> None:
        """
        @param request: makes a connection's requests.
        @param rate: the rate of a connection's messages.
        @param back_in: returns the milliseconds after which a client should come back when the
            port stops.
        @param spares: true for a request that is refused later, by another protocol's own means.
        @param body_limit: returns the bound on a request's body, in bytes; *max_body* by default.
            For requests that may go the short way it must be *max_body*.
        @param short: finds requests that may go the short way, by whole paths.
        @param prefix: the path below which everything is; the functions get paths without it.
        """
        # No idle timeout: each byte of a dripping request would start it anew.
        super().__init__(root, request, timeout=None, reactor=clock, parsePOSTFormSubmission=False)
        self.rules = rules
        self.max_body = max_body
        self.short = short
        self.channels: set[Channel] = set()
        self.proxies = proxies
        self.connections = connections
        self.prefix = prefix
        self.spares = self._below(spares)
        self.body_limit = self._below(body_limit or (lambda *_: max_body))
        self._access = access
        self._rate = rate
        self._back_in = back_in

    def buildProtocol(self, address: IAddress | None) -> Channel | None:  # type: ignore[override]
        host = getattr(address, "host", "")
        return self.channel_of(address, self.proxies.trusts(host))

    def channel_of(self, address: IAddress | None, trusted: bool) -> Channel | None:
        """
        Make a connection from *address*; None if there are too many.

        @param trusted: a proxy, whose word about other addresses is believed.
        """
        host = getattr(address, "host", "")
        admission = self.connections.enter(None if trusted else address_key(host))
        if admission is None:
            metrics.turned_away()
            return None
        channel = super().buildProtocol(address)
        assert isinstance(channel, Channel)
        channel.max_body = self.max_body
        channel.admission = admission
        channel.source = self.source(host)
        channel.peer = host if trusted else None
        return channel

    def _below(self, decide: _Decide[_T]) -> _Decide[_T]:
        """Give *decide* targets without the prefix."""
        prefix = self.prefix.encode()
        if not prefix:
            return decide
        return lambda method, target, headers: decide(method, target.removeprefix(prefix), headers)

    def inside(self, path: str) -> str | None:
        """Return *path* without the prefix; None if it is outside of it."""
        if not self.prefix:
            return path
        found = path.removeprefix(self.prefix)
        return found or "/" if found != path and found[:1] in ("", "/") else None

    def source(self, address: str) -> Source:
        """A new source of requests at *address*."""
        return Source(address, self._rate)

    def going(self) -> ChatError:
        """The refusal of a request when the port stops."""
        detail = "The server is restarting; come back."
        return ChatError(Kind.UNAVAILABLE, detail, retry_after=self._back_in() / 1000)

    def refusal(self, error: ChatError, headers: call.Headers) -> Response:
        return self.rules.refusal(error, headers)

    def getResourceFor(self, request: Traversal) -> Place:
        """The place in the tree that *request* names."""
        place: Place = self.resource
        while request.postpath and not place.isLeaf:
            segment = request.postpath.pop(0)
            request.prepath.append(segment)
            place = place.children.get(segment) or place.getChild(segment, request)
        return place

    def makeSession(self) -> server.Session:
        """
        A session for a mounted resource.

        @raise ChatError: there are too many.
        """
        if len(self.sessions) >= MOST_SESSIONS:
            raise ChatError(Kind.OVERLOADED, "The server has as many sessions as it may have.")
        made: server.Session = super().makeSession()
        return made

    def startFactory(self) -> None:
        """Skip Twisted's: its access log would tell the time by the reactor's clock."""

    def stopFactory(self) -> None:
        self._access.close()

    def log(self, request: http.Request) -> None:
        metrics.answered(request.method.decode(errors="replace"), request.code)
        self._access.write(request)

    def log_refused(
        self, source: Source, method: bytes, target: bytes, status: int, size: int
    ) -> None:
        """Count and log a request that was refused before all of it was there."""
        metrics.answered(method.decode("latin-1"), status)
        asked = f"{method.decode('latin-1')} {target.decode('latin-1')}".strip()
        self._access.write_refused(source.address, asked, status, size)
