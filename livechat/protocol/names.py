"""What a room may be called, and how hosts and web origins are written."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from livechat.errors import ChatError, Kind

#: Characters of a room's name.
LONGEST_NAME: Final = 128
# RFC 3986's unreserved characters: such a name is the same in a URL and out of it,
# and there is only one way to write it.
_ROOM: Final = re.compile(rf"[A-Za-z0-9._~-]{{1,{LONGEST_NAME}}}", re.ASCII)
# A name or an address, and a port (RFC 3986, section 3.2, without its rarer forms).
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?", re.ASCII)
_PORT: Final = re.compile(r":[0-9]*$", re.ASCII)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def room_name(name: str) -> str:
    """
    *name*, if a room can be called so.

    @raise ChatError: it can't.
    """
    if _ROOM.fullmatch(name) is None or name in (".", ".."):
        raise ChatError(
            Kind.BAD_ROOM,
            f"A room's name has 1 to {LONGEST_NAME} characters of A-Z a-z 0-9 . _ ~ - "
            "and is not '.' or '..'.",
        )
    return name


@lru_cache(maxsize=256)
def is_among(host: str, names: tuple[str, ...]) -> bool:
    """
    Whether a server whose *names* these are is meant by *host*, which is a valid ``Host``.

    A name may begin with ``*.``, for one label; ``*`` is any.  Addresses always are meant, and
    localhost: no page of another site can be led here by them (DNS rebinding).
    """
    name = without_port(host.lower()).rstrip(".")
    if name == "localhost" or _is_address(name):
        return True
    above = name.partition(".")[2]
    return any(each in (name, f"*.{above}", "*") for each in map(str.lower, names))


def without_port(host: str) -> str:
    """The name or address of a valid ``Host``."""
    return _PORT.sub("", host)


def _is_address(name: str) -> bool:
    try:
        ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def unmapped(address: str) -> str:
    """
    An IP address in the one form that is written: of version 4, where it is one in the form of
    version 6 (``::ffff:192.0.2.1``).

    @raise ValueError: it is none.
    """
    found = ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)


def is_host(text: str) -> bool:
    """Whether *text* can be what a ``Host`` header says."""
    return _HOST.fullmatch(text) is not None


def origin(text: str) -> str:
    """
    A web origin as browsers write it: scheme, host, and the port unless it is
    the scheme's own (RFC 6454, section 6.1).

    @raise ValueError: *text* is none.
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
