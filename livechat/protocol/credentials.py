"""A client's request, and the person of the site that it turns out to be from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from livechat.errors import ChatError, Kind

#: All values of a request's headers by lower-case name.
Headers = Mapping[str, tuple[str, ...]]
#: Beginning of the name of the admin page's cookie, at the root and below a path.  Browsers accept
#: the first prefix from this very host over TLS only.  It allows no path, so the second is used
#: below one: others on the same host need not get the cookie.
COOKIE: Final = "__Host-livechat"
COOKIE_BELOW: Final = "__Secure-livechat"
OWN_COOKIES: Final = (COOKIE, COOKIE_BELOW)


class Credentials(Struct, frozen=True):
    """
    A client's request, as an authenticator sees it.

    @ivar headers: all values by lower-case name.
    @ivar address: the client's, as far as proxies are trusted.
    @ivar proxied: a trusted proxy (``--trust-proxy``) passed the request on.  Otherwise any
        client may have written any header.
    """

    headers: Headers
    address: str
    proxied: bool

    def header(self, name: str) -> str | None:
        """
        The value of a header; None where it is missing.

        @raise ChatError: the header was sent more than once.
        """
        values = self.headers.get(name.lower(), ())
        if len(values) > 1:
            raise ChatError(Kind.BAD_REQUEST, f"The header {name} was sent {len(values)} times.")
        return values[0] if values else None


class Identity(Struct, frozen=True):
    """
    A person known to the site.

    @ivar id: never another person's; 1 to 64 characters that are to be seen, without ``!``.
    @ivar name: as shown to others; cleaned, and made up where nothing is left of it.
    @ivar role: a badge of at most 20 characters, which decides nothing.
    @ivar rooms: rights by pattern (`livechat.identity.rights`); None: those of all users.
    @ivar ends: when the client must be known anew, in seconds since 1970; None: never.
    @ivar issued: since when it is known, in seconds since 1970; None: since now.
    @ivar token: the id of its token, by which that can be revoked.
    """

    id: str
    name: str | None = None
    role: str | None = None
    rooms: Mapping[str, Sequence[str]] | None = None
    ends: int | None = None
    issued: int | None = None
    token: str | None = None
