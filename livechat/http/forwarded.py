"""
Forwarding headers: the host and the scheme that a client asked a reverse proxy for.

Proxies say it in ``X-Forwarded-Host`` and ``X-Forwarded-Proto``, or in ``Forwarded`` (RFC 7239).
Clients can send these headers too, and many proxies add their own value behind the client's: of
several values the last one counts.  What cannot be understood is refused, because a guess could
make a foreign page's origin the server's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from livechat.errors import ChatError, Kind
from livechat.protocol.origins import is_host, origin

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PAIR: Final = re.compile(rf'({_WORD})=(?:({_WORD})|"((?:[^"\\]|\\.)*)")', re.ASCII)
_ESCAPED: Final = re.compile(r"\\(.)")
#: Schemes of HTTP for those that proxies send: Traefik sends ws and wss of handshakes.
_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}

Headers = Mapping[str, tuple[str, ...]]


class Forwarded(Struct, frozen=True):
    """
    The address that a client asked for, as far as a proxy says.

    @ivar host: the name or address, and perhaps the port.
    @ivar scheme: ``http`` or ``https``.
    """

    host: str | None = None
    scheme: str | None = None


def forwarded(headers: Headers) -> Forwarded:
    """
    Read what the last proxy says.

    @param headers: all values by lower-case name.
    @raise ChatError: it is not valid, or its headers contradict each other.
    """
    plain = Forwarded(
        _host("X-Forwarded-Host", _last(headers, "x-forwarded-host")),
        _scheme("X-Forwarded-Proto", _last(headers, "x-forwarded-proto")),
    )
    said = _pairs(headers.get("forwarded", ()))
    structured = Forwarded(
        _host("Forwarded", said.get("host")), _scheme("Forwarded", said.get("proto"))
    )
    scheme = _agreed(plain.scheme, structured.scheme)
    host = _agreed(*(_in_full(each.host, scheme) for each in (plain, structured)))
    return Forwarded(host, scheme)


def _last(headers: Headers, name: str) -> str | None:
    """Return the last value of a header that is a list: the last hop's."""
    values = headers.get(name)
    return values[-1].rpartition(",")[2].strip() if values else None


def _pairs(values: tuple[str, ...]) -> dict[str, str]:
    """
    Parse the parameters of the last element of ``Forwarded``.

    Each line must be valid by itself: a quotation mark that a client leaves open must not
    swallow what a proxy adds in a line of its own.
    """
    found: dict[str, str] = {}
    for value in values:
        at, found = 0, {}
        while at <= len(value):
            pair = _PAIR.match(value, at + _blanks(value, at))
            if pair is None or pair[1].lower() in found:
                raise _invalid("Forwarded")
            token, quoted = pair[2], pair[3]
            found[pair[1].lower()] = _ESCAPED.sub(r"\1", quoted) if token is None else token
            at = pair.end() + _blanks(value, pair.end())
            if value[at : at + 1] not in ("", ",", ";"):
                raise _invalid("Forwarded")
            if value[at : at + 1] == ",":
                found = {}
            at += 1
    return found


def _blanks(text: str, at: int) -> int:
    end = at
    while text[end : end + 1] in (" ", "\t"):
        end += 1
    return end - at


def _host(header: str, text: str | None) -> str | None:
    if text is None:
        return None
    if not is_host(text):
        raise _invalid(header)
    return text


def _scheme(header: str, text: str | None) -> str | None:
    if text is None:
        return None
    if text.lower() not in _SCHEMES:
        raise _invalid(header)
    return _SCHEMES[text.lower()]


def _in_full(host: str | None, scheme: str | None) -> str | None:
    """Return *host* as browsers write it, without the scheme's own port."""
    if host is None:
        return None
    try:
        return origin(f"{scheme or 'https'}://{host}").partition("://")[2]
    except ValueError:
        raise _invalid("X-Forwarded-Host or Forwarded") from None


def _agreed(one: str | None, other: str | None) -> str | None:
    if one is not None and other is not None and one != other:
        raise ChatError(
            Kind.BAD_HOST,
            "Forwarded and X-Forwarded-* differ; the proxy must set only one of them.",
        )
    return other if one is None else one


def _invalid(header: str) -> ChatError:
    return ChatError(Kind.BAD_HOST, f"The proxy's header {header} is not valid.")
