"""How hosts, web origins and IP addresses are written, and which hosts mean this server."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

# A name or an address, and a port (RFC 3986, section 3.2, without its rarer forms).
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?", re.ASCII)
_PORT: Final = re.compile(r":[0-9]*$", re.ASCII)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


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
    Write a web origin as browsers do: scheme, host, and the port unless it is the scheme's own
    (RFC 6454, section 6.1).

    @raise ValueError: *text* is no origin.
    """
    parts = urlsplit(text)
    host = parts.hostname
    if (
        parts.scheme not in _DEFAULT_PORTS
        or not host
        or not is_host(parts.netloc)
        or text.lower().rstrip("/") != f"{parts.scheme}://{parts.netloc}".lower()
    ):
        raise ValueError("must be an origin, such as https://example.org or http://localhost:3000")
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"
