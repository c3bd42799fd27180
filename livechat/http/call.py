"""
A request, taken apart once.

An endpoint gets a `Call`, which needs no connection.  What a header, the query or a form holds
is found when it is first asked for, and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any, Final, Generic, TypeVar
from urllib.parse import parse_qsl

from msgspec import Struct
from twisted.web import http_headers

from livechat.errors import ChatError, Kind
from livechat.http.origins import Asked
from livechat.limits.source import Source
from livechat.protocol.origins import is_among

#: All values of headers by lower-case name.
Headers = Mapping[str, tuple[str, ...]]
#: The media type of forms.
FORM: Final = "application/x-www-form-urlencoded"
#: The scheme of tokens (RFC 6750, section 2.1).
_BEARER: Final = "bearer "
#: Headers that proxies add.
_BY_PROXIES: Final = (
    "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "via", "x-real-ip",
)  # fmt: skip
#: Fields that a query or a form may have.
MOST_FIELDS: Final = 100
_T = TypeVar("_T")


class _Found(Generic[_T]):
    """A property that is computed once; unlike Python's own it takes no lock."""

    def __init__(self, find: Callable[[Any], _T]) -> None:
        self._find = find
        self._name = find.__name__
        self.__doc__ = find.__doc__

    def __get__(self, call: Any, owner: type) -> _T:
        found = call.__dict__[self._name] = self._find(call)
        return found


class Call(Struct, frozen=True, dict=True):
    """
    A request, whole and within its limits.

    @ivar path: as it was sent, still percent-encoded, without the query.
    @ivar query_text: the query as it was sent, without the question mark.
    @ivar source: the connection it came on.
    @ivar names: the decoded names in its path, such as a room's.
    @ivar proxied: whether a trusted proxy passes it on.
    @ivar by_file: it came over a socket file, so its peer is on this machine.
    @ivar asked: the address that the client asked for.
    """

    method: str
    path: str
    query_text: str
    headers: Headers
    body: bytes
    source: Source
    names: Mapping[str, str] = {}
    proxied: bool = False
    by_file: bool = False
    asked: Asked = Asked("")

    def header(self, name: str) -> str | None:
        """
        The value of a header that must not be repeated.

        @raise ChatError: it is.
        """
        values = self.headers.get(name.lower(), ())
        if len(values) > 1:
            raise ChatError(Kind.BAD_REQUEST, f"The header {name} was sent {len(values)} times.")
        return values[0] if values else None

    @property
    def bearer(self) -> str | None:
        """
        The token of ``Authorization: Bearer``; None without one.

        @raise ChatError: the header is repeated.
        """
        given = self.header("authorization")
        return None if given is None else bearer(given)

    @property
    def is_local(self) -> bool:
        """True if it comes from this machine, by a client that means this machine."""
        # nginx's bare proxy_pass adds nothing.
        return self.is_direct and not self.proxied

    @property
    def is_direct(self) -> bool:
        """
        The same, as far as its headers tell: a trusted proxy on this machine may be its client.
        A command that asks over a socket file must name its own address as a proxy would.
        """
        return (
            ip_address(self.source.address).is_loopback
            and is_among(self.asked.host, ())
            and (self.by_file or not any(name in self.headers for name in _BY_PROXIES))
        )

    def joined(self, name: str) -> str:
        """The values of a header that may come in several pieces (RFC 9110, section 5.3)."""
        return ", ".join(self.headers.get(name, ()))

    def tokens(self, name: str) -> tuple[str, ...]:
        """The comma-separated tokens of a header, by its lower-case name."""
        found = self._tokens.get(name)
        if found is None:
            values = ",".join(self.headers.get(name, ()))
            found = self._tokens[name] = tuple(each.strip() for each in values.split(","))
        return found

    def lists(self, name: str, token: str) -> bool:
        """Tell whether a header's tokens hold *token*, in any case."""
        return any(each.lower() == token for each in self.tokens(name))

    @_Found
    def _tokens(self) -> dict[str, tuple[str, ...]]:
        return {}

    @_Found
    def query(self) -> Mapping[str, str]:
        """
        The fields of the query.

        @raise ChatError: they cannot be read.
        """
        try:
            return fields(self.query_text)
        except ValueError as reason:
            raise ChatError(Kind.BAD_QUERY, f"The query cannot be read: {reason}") from None

    @_Found
    def media_type(self) -> str:
        """The body's type, if its text is UTF-8; empty if it is not, or nothing was said."""
        given = self.header("Content-Type") or ""
        if given == "application/json":
            return given
        media, _, parameters = given.lower().partition(";")
        charset = parameters.replace(" ", "").replace('"', "")
        return media.strip() if charset in ("", "charset=utf-8") else ""

    @_Found
    def form(self) -> Mapping[str, str]:
        """
        The fields of the form that is the body.

        @raise ChatError: the body is none, or cannot be read.
        """
        if self.media_type != FORM:
            raise ChatError(
                Kind.UNSUPPORTED_MEDIA_TYPE, f"Send {FORM}, in UTF-8.", headers=(("Accept", FORM),)
            )
        try:
            return fields(self.body.decode())
        except UnicodeDecodeError:
            raise ChatError(Kind.BAD_FORM, "The form is not UTF-8.") from None
        except ValueError as reason:
            raise ChatError(Kind.BAD_FORM, f"The form cannot be read: {reason}") from None


def bearer(given: str) -> str | None:
    """The token in a header ``Authorization``; None if it is of another scheme."""
    if given[: len(_BEARER)].lower() != _BEARER:
        return None
    return given[len(_BEARER) :].strip() or None


def headers(found: http_headers.Headers) -> dict[str, tuple[str, ...]]:
    """All values of a request's headers by lower-case name, as far as they have come."""
    return {
        name.decode("latin-1").lower(): tuple(value.decode("latin-1") for value in values)
        for name, values in found.getAllRawHeaders()
    }


def fields(text: str) -> dict[str, str]:
    """
    The fields of a query or a form.

    @raise ValueError: a field is repeated or not UTF-8, or they are too many;
        the text is a sentence that says so.
    """
    if not text:
        return {}
    if text.count("&") >= MOST_FIELDS:
        raise ValueError(f"There are more than {MOST_FIELDS} fields.")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("It is not UTF-8.") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("A field is repeated.")
    return found
