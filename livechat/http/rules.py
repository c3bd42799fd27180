"""
Rules for every request, whatever it asks for: one valid ``Host`` that names this server, an
address that exists, and a page that may ask.

That is decided once, before a resource is asked to answer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct

from livechat.errors import ChatError, Kind
from livechat.http import call
from livechat.http.forwarded import forwarded
from livechat.http.origins import Asked, Origins
from livechat.http.response import Headers, Response, problem
from livechat.protocol.origins import is_among, is_host, without_port

#: Seconds that a browser may remember the answer to a preflight.
_PREFLIGHT_AGE: Final = 600
#: Names of the server that a refusal lists.
_LISTED: Final = 8
#: Characters of a name that a refusal repeats (RFC 1035, section 2.3.4).
LONGEST_HOST: Final = 253
#: Headers that pages of other origins may read.
_EXPOSED: Final = "Livechat-Epoch, Livechat-Seq, Livechat-Time, Livechat-Case, Link, Retry-After"
#: Headers that pages of other origins may send.
_ACCEPTED: Final = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID"

#: Renders an error for a request with these headers.
Render = Callable[[ChatError, call.Headers], Response]


class Audience(Struct, frozen=True):
    """
    The clients that may ask a resource.

    @ivar origins: the pages that may ask: the server's own; those and the ones of
        allowed origins; or all, as if there were no origins.
    @ivar hostless: requests of HTTP/1.0 need no ``Host``, which monitors do not send.
    @ivar any_name: whether clients may ask by a name that is not the server's: the page
        that says so needs its style.
    @ivar secure: only over https, as far as proxies tell.
    """

    origins: Literal["own", "allowed", "any"] = "allowed"
    hostless: bool = False
    any_name: bool = False
    secure: bool = False


class Rules:
    """Decides which requests are accepted, and adds headers to each answer."""

    def __init__(
        self,
        origins: Origins,
        promises: Callable[[Asked | None], Headers] = lambda _: (),
        names: Callable[[], tuple[str, ...]] = lambda: ("*",),
        render: Render = lambda error, _: problem(error),
        prefix: str = "",
    ) -> None:
        """
        @param origins: decides which pages may ask.
        @param promises: makes headers for every answer, given the address that its client asked
            for, or None if that is not known.
        @param names: returns the server's present names (`livechat.protocol.origins.is_among`).
        @param prefix: the path below which everything is.
        """
        self._origins = origins
        self._names = names
        self.promises = promises
        self._render = render
        self._prefix = prefix

    def address(
        self,
        audience: Audience | None,
        headers: call.Headers,
        *,
        old: bool = False,
        proxied: bool = False,
        ended: bool = False,
    ) -> tuple[Audience, Asked]:
        """
        The clients that may ask, and the address that this one asked for.

        @param audience: the resource's; None if there is none at the path.
        @param old: the request is of HTTP/1.0, which knows no ``Host``.
        @param proxied: a trusted proxy passes it on.
        @param ended: without TLS, which has ended there.
        @raise ChatError: there is no such address here, or only over https.
        """
        optional = old and audience is not None and audience.hostless
        asked = _asked(headers, proxied, optional=optional, ended=ended)
        if asked.host and (audience is None or not audience.any_name):
            names = self._names()
            if not is_among(asked.host, names):
                raise _misdirected(asked.host, names)
        if audience is None:
            below = f" All of this server is below {self._prefix}/." if self._prefix else ""
            raise ChatError(Kind.NOT_FOUND, f"There is nothing at this address.{below}")
        if audience.secure and asked.scheme != "https":
            raise ChatError(
                Kind.FORBIDDEN,
                "Operators come in only over https; behind a proxy, X-Forwarded-Proto must say so.",
            )
        return audience, asked

    def asking(
        self, audience: Audience, method: str, headers: call.Headers, asked: Asked
    ) -> str | None:
        """
        The origin of the page that asks, with which the answer is shared; None if it is not.

        @raise ChatError: this page may not ask.
        """
        if audience.origins == "any":
            return None
        shared = audience.origins == "allowed"
        found = self._origins.check(method, headers, asked, shared=shared)
        return found if shared else None

    def refusal(
        self,
        error: ChatError,
        headers: call.Headers,
        shared_with: str | None = None,
        asked: Asked | None = None,
    ) -> Response:
        """
        The answer to a request that is refused.

        @param headers: the request's, as far as they are known.
        """
        return self.complete(self._render(error, headers), shared_with, asked)

    def complete(
        self, answer: Response, shared_with: str | None, asked: Asked | None = None
    ) -> Response:
        """
        *answer* with the headers that all have, and those that share it with an origin.

        @param asked: the address that its client asked for, if that is known.
        """
        shared: Headers = ()
        if shared_with is not None:
            shared = (
                ("Access-Control-Allow-Origin", shared_with),
                ("Access-Control-Expose-Headers", _EXPOSED),
                ("Vary", "Origin"),
            )
            if self._origins.lends_cookies(shared_with):
                shared += (("Access-Control-Allow-Credentials", "true"),)
        if self._prefix:
            answer = answer.below(self._prefix)
        more = shared + self.promises(asked)
        return answer.plus(*more) if more else answer


def preflight(methods: str) -> Headers:
    """The headers that let a page of an allowed origin use *methods*."""
    return (
        ("Access-Control-Allow-Methods", methods),
        ("Access-Control-Allow-Headers", _ACCEPTED),
        ("Access-Control-Max-Age", str(_PREFLIGHT_AGE)),
    )


def _asked(headers: call.Headers, proxied: bool, *, optional: bool, ended: bool) -> Asked:
    """
    Return the address that the client asked for; empty if the request needs none.

    @raise ChatError: the headers about it are invalid.
    """
    hosts = headers.get("host", ())
    if not hosts and optional:
        return Asked("", "http" if ended else "https", ended=ended)
    if len(hosts) != 1 or (direct := _directly(hosts[0])) is None:
        raise ChatError(Kind.BAD_HOST, "Exactly one valid Host header is needed.")
    if not proxied:
        return direct
    told = forwarded(headers)
    scheme = told.scheme or ("http" if ended else "https")
    return Asked(told.host or hosts[0], scheme, certain=told.host is not None, ended=ended)


@lru_cache(maxsize=256)
def _directly(host: str) -> Asked | None:
    """Return the address for *host*, of a client without a proxy; None if it is invalid."""
    return Asked(host) if is_host(host) else None


def _misdirected(host: str, names: tuple[str, ...]) -> ChatError:
    listed = ", ".join(names[:_LISTED])
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    name = without_port(host)[:LONGEST_HOST]
    return ChatError(
        Kind.MISDIRECTED,
        f"This server is not called {name}. Its names are {listed or 'none'}{more}; "
        f"the option --host {name} would add this one.",
    )
