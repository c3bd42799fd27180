"""
Origins of pages that may ask: the server's own, and allowed ones.

Browsers say in ``Origin`` whose page asks; clients that are no browsers send none and are
welcome.  A foreign origin is refused even where the browser would let the request through
unseen (a form, a "simple" fetch), because by then its message would be in the room.

A browser does not show its page why it was refused, so the server's log says it too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from livechat.errors import ChatError, Kind
from livechat.limits.rates import LogLimit, Rate
from livechat.protocol.origins import NULL, Allowed, origin

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: Lines of the log about refused origins: six a minute, ten at once.
_LINES: Final = Rate(0.1, 10)
#: Seconds until the log names an origin again, and how many origins are remembered for that.
NAMED_AGAIN: Final = 3_600.0
REMEMBERED: Final = 256
#: Characters that an origin can have: a scheme, a name of at most 253, a port.
_LONGEST: Final = 300
#: Characters of an invalid origin that are shown.
_SHOWN: Final = 80

Headers = Mapping[str, tuple[str, ...]]
#: Cached, as requests come from pages of few origins.
_as_browsers = lru_cache(maxsize=256)(origin)


class Asked(Struct, frozen=True):
    """
    The address that a client asked for.

    @ivar host: the name or address, and perhaps the port.
    @ivar certain: False behind a proxy that does not say: then `host` is the proxy's way here.
    @ivar ended: TLS has ended at a proxy, so `scheme` is what that says.
    """

    host: str
    scheme: str = "https"
    certain: bool = True
    ended: bool = False

    @property
    def origin(self) -> str:
        """
        The origin of the server's own pages.

        @raise ValueError: its port is none.
        """
        return _as_browsers(f"{self.scheme}://{self.host}")


class Origins:
    """Decides which pages may ask, and logs which were refused."""

    _log = Logger()

    def __init__(
        self,
        allowed: frozenset[str],
        names: Callable[[], tuple[str, ...]],
        clock: IReactorTime,
    ) -> None:
        """
        @param allowed: origins besides the server's own (`livechat.protocol.origins.origins`).
        @param names: the server's names, of its certificate and of ``--host``.
        """
        self._allowed = Allowed(allowed)
        self._names = names
        self._clock = clock
        self._seldom = LogLimit(_LINES)
        self._told: dict[str, float] = {}

    def check(self, method: str, headers: Headers, asked: Asked, *, shared: bool) -> str | None:
        """
        Return the origin of the page that asks; None if no page does.

        @param shared: whether pages of allowed origins may ask, or only the server's own.
        @raise ChatError: this page may not.
        """
        given = headers.get("origin", ())
        if not given:
            # A request without Origin: browsers send it with each unsafe method, unless they were
            # told to hide it.
            if method not in _SAFE and "cross-site" in headers.get("sec-fetch-site", ()):
                raise ChatError(Kind.BAD_ORIGIN, "Requests from other sites are refused.")
            return None
        if given == (NULL,) and headers.get("sec-fetch-site") == ("same-origin",):
            # A form of our own page, whose Referrer-Policy makes browsers hide the origin.
            return None
        found = named(headers)
        if found is not None and (
            (shared and found in self._allowed) or self._is_own(found, headers, asked)
        ):
            return found
        raise self._refusal(given, found, asked, shared)

    def lends_cookies(self, page: str) -> bool:
        """Tell whether pages of this origin may read answers that depend on cookies."""
        # Any site can have a page without an origin, in a frame.
        return page != NULL and page in self._allowed

    def allows(self, headers: Headers, asked: Asked) -> bool:
        """True if the page that asks may use the chat."""
        found = named(headers)
        if found is None:
            return not headers.get("origin")
        return found in self._allowed or self._is_own(found, headers, asked)

    def lends(self, headers: Headers, asked: Asked) -> bool:
        """Tell whether the page that asks may use the visitor's cookies."""
        return headers.get("origin") != (NULL,) and self.allows(headers, asked)

    def _is_own(self, found: str, headers: Headers, asked: Asked) -> bool:
        if found == _own(asked):
            return True
        # nginx's bare proxy_pass: no header has the address that was asked for, but only pages at
        # one of the server's names have its origin.  A wildcard is not enough, as it may cover
        # names of others; and a browser's word that the page is cross-site counts.
        return (
            not asked.certain
            and found.startswith("https://")
            and headers.get("sec-fetch-site", ("same-origin",)) == ("same-origin",)
            and any(urlsplit(found).hostname == name.lower() for name in self._names())
        )

    def _refusal(
        self, given: tuple[str, ...], found: str | None, asked: Asked, shared: bool
    ) -> ChatError:
        page = "Pages without an origin" if found == NULL else f"Pages of {found or 'that origin'}"
        if shared:
            self._tell(given, found, f"To allow them: --origin {found}")
            options = "--origin and, behind a proxy, --trust-proxy"
        else:
            self._tell(given, found, "Behind a proxy, see --trust-proxy")
            options = "--trust-proxy, if this is behind a proxy"
        return ChatError(
            Kind.BAD_ORIGIN,
            f"{page} may not do that here, at {_own(asked) or 'this address'}; "
            f"see the server's option {options}.",
        )

    def _tell(self, given: tuple[str, ...], found: str | None, advice: str) -> None:
        """Log a refusal: each origin once an hour, and all together at a bounded rate."""
        shown = found or ascii(", ".join(given)[:_SHOWN])
        if given == (NULL,):
            advice = f"They have no origin: files, or frames in a sandbox. {advice}"
        elif found is None:
            advice = "That is no origin"
        now, key = self._clock.seconds(), f"{shown} {advice}"
        if now - self._told.get(key, -NAMED_AGAIN) < NAMED_AGAIN:
            return
        more = self._seldom.due(now)
        if more is None:
            return
        self._told.pop(key, None)
        self._told[key] = now
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]
        self._log.warn(
            "Pages of {origin} are refused. {advice}.{more}", origin=shown, advice=advice, more=more
        )


def named(headers: Headers) -> str | None:
    """The origin that a request names, as browsers write it; None if that is no origin."""
    given = headers.get("origin", ())
    try:
        (only,) = given
        if only == NULL:
            return NULL
        return _as_browsers(only) if len(only) <= _LONGEST else None
    except ValueError:
        return None


def _own(asked: Asked) -> str | None:
    try:
        return asked.origin
    except ValueError:
        return None
