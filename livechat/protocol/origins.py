"""Hosts, web origins and IP addresses: their forms, and the hosts that mean this server."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

# A name or an address, and a port (RFC 3986, section 3.2, without its rarer forms).
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?", re.ASCII)
_PORT: Final = re.compile(r":[0-9]*$", re.ASCII)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
#: Schemes of pages without an origin, and schemes without pages.
_WITHOUT: Final = frozenset(
    {"about", "blob", "data", "file", "filesystem", "ftp", "javascript", "ws", "wss"}
)
#: The origin of pages that have none: files, and frames in a sandbox.
NULL: Final = "null"


@lru_cache(maxsize=256)
def is_among(host: str, names: tuple[str, ...]) -> bool:
    """
    Tell whether *host* means a server with these names.

    Addresses always do, and localhost: no page of another site can lead a browser here by them
    (DNS rebinding).

    @param host: a valid ``Host``.
    @param names: a name may begin with ``*.``, for one label; ``*`` is any.
    """
    name = without_port(host.lower()).rstrip(".")
    if name == "localhost" or _is_address(name):
        return True
    above = name.partition(".")[2]
    return any(each in (name, f"*.{above}", "*") for each in map(str.lower, names))


def without_port(host: str) -> str:
    """Return the name or address in a valid ``Host``."""
    return _PORT.sub("", host)


def _is_address(name: str) -> bool:
    try:
        ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def unmapped(address: str) -> str:
    """
    Write an IP address in its one form: that of version 4, if version 6 only wraps it
    (``::ffff:192.0.2.1``).

    @raise ValueError: *address* is no IP address.
    """
    found = ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)


def is_host(text: str) -> bool:
    """Tell whether *text* can be the value of a ``Host`` header."""
    return _HOST.fullmatch(text) is not None


def origin(text: str) -> str:
    """
    Write an origin as browsers do: scheme, host, and the port unless it is the scheme's own
    (RFC 6454, section 6.1).

    The scheme may be one of apps, such as `capacitor` or `chrome-extension`.

    @raise ValueError: *text* is no origin.
    """
    parts = urlsplit(text)
    host = parts.hostname
    if (
        not parts.scheme
        or parts.scheme in _WITHOUT
        or not host
        or not is_host(parts.netloc)
        or text.lower().rstrip("/") != f"{parts.scheme}://{parts.netloc}".lower()
    ):
        raise ValueError("must be an origin, such as https://example.org or http://localhost:3000")
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def origins(text: str) -> str:
    """
    Write what ``--origin`` allows as browsers write it: an origin, `NULL`, or all origins below a
    name (``https://*.example.org``).

    @raise ValueError: *text* is none.
    """
    if text == NULL:
        return text
    scheme, star, rest = text.partition("://*.")
    if not star:
        return origin(text)
    written = origin(f"{scheme}://{rest}")
    name = without_port(written.partition("://")[2])
    # A single label, such as org, has names of other owners below it.
    if not scheme.lower().startswith("http") or ("." not in name and name != "localhost"):
        raise ValueError("must have at least two labels behind the star: https://*.example.org")
    return written.replace("://", "://*.", 1)


class Allowed:
    """Origins that ``--origin`` allows, as `origins` writes them."""

    def __init__(self, given: Iterable[str]) -> None:
        self._given = frozenset(given)
        # One label or more below the name, and never the name itself.
        self._below = [
            re.compile(rf"{re.escape(scheme)}://(?:[a-z0-9_-]+\.)+{re.escape(rest)}", re.ASCII)
            for scheme, star, rest in (each.partition("://*.") for each in self._given)
            if star
        ]

    def __contains__(self, found: object) -> bool:
        """Tell whether an origin is allowed, as browsers write it."""
        if not isinstance(found, str) or "*" in found:
            return False
        return found in self._given or any(each.fullmatch(found) for each in self._below)
