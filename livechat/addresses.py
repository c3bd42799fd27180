r"""
Addresses to listen on: the values of ``--listen``.

    tls:10443                   TLS, on the loopback
    tls:[::]:10443              the same on an address
    http:127.0.0.1:8080         without TLS, for proxies that have ended it
    unix:/run/chat.sock:mode=660:group=www-data
                                the same on a socket file

The form is that of Twisted's endpoints, but for the brackets of IPv6; a colon in a path is ``\:``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

#: The interface of both addresses of the loopback.
LOOPBACK: Final = "loopback"
#: The permissions of a socket file, unless said.
MODE: Final = 0o660
_FORMS: Final = (
    "must be such as tls:10443, tls:[::]:10443, http:127.0.0.1:8080 or unix:/run/chat.sock"
)
_PLACE: Final = re.compile(r"(?:(\[[^\[\]]*\]|[^:\[\]]*):)?([0-9]{1,5})", re.ASCII)
_PARTS: Final = re.compile(r"(?:(?:^|:)(?:[^:\\]|\\[:\\])*)*")
_PART: Final = re.compile(r"(?:^|:)((?:[^:\\]|\\[:\\])*)")


class Address(Struct, frozen=True):
    """
    @ivar kind: `tls`; `http`, without TLS, for proxies; `unix`, the same on a socket file.
    @ivar interface: an IP address, or `LOOPBACK`; empty for a socket file.
    @ivar path: of the socket file.
    @ivar mode: its permissions.
    @ivar group: of the socket file; None for the process's own.
    @ivar given: whether ``--listen`` names it, and not ``--port``.
    """

    kind: Literal["tls", "http", "unix"]
    interface: str = ""
    port: int = 0
    path: Path | None = None
    mode: int = MODE
    group: str | None = None
    given: bool = True

    def __str__(self) -> str:
        """The address in the form that ``--listen`` takes."""
        if self.path is None:
            return f"{self.kind}:{in_url(self.interface)}:{self.port}"
        path = str(self.path).replace("\\", "\\\\").replace(":", "\\:")
        group = "" if self.group is None else f":group={self.group}"
        return f"unix:{path}:mode={self.mode:o}{group}"

    @property
    def is_plain(self) -> bool:
        """Tell whether its connections come without TLS, from proxies."""
        return self.kind != "tls"

    @property
    def is_local(self) -> bool:
        """Tell whether only this machine can connect."""
        if self.path is not None or self.interface == LOOPBACK:
            return True
        return ip_address(self.interface).is_loopback

    def below(self, directory: Path) -> Address:
        """Return the address with its path made absolute, below *directory* if it was relative."""
        return self if self.path is None else replace(self, path=directory / self.path)

    def at(self, port: int) -> Address:
        """Return the address with *port* in place of 0, which lets the kernel choose."""
        return replace(self, port=port)


def in_url(interface: str) -> str:
    """Write an address as URLs have it."""
    return f"[{interface}]" if ":" in interface else interface


def parse(text: str) -> Address:
    """
    Parse a value of ``--listen``.

    @raise ValueError: it is none; the text is a sentence that begins with "must" or "is".
    """
    kind, _, rest = text.partition(":")
    if kind == "unix":
        if _PARTS.fullmatch(rest) is None:
            raise ValueError("must have a path in which \\: stands for a colon, and \\\\ for \\")
        return _file(_PART.findall(rest))
    found = _PLACE.fullmatch(rest)
    if kind not in ("tls", "http") or found is None:
        raise ValueError(_FORMS)
    if int(found[2]) > 65_535:
        raise ValueError("must have a port from 0 to 65535")
    interface = LOOPBACK if found[1] is None else _interface(found[1])
    return Address("tls" if kind == "tls" else "http", interface, int(found[2]))


def _interface(text: str) -> str:
    bracketed = text.startswith("[")
    try:
        found = ip_address(text[1:-1] if bracketed else text)
    except ValueError:
        found = None
    if text == LOOPBACK:
        return text
    if found is None or bracketed != (found.version == 6) or "%" in text:
        raise ValueError(
            "must have an IP address, such as 0.0.0.0 or [::], or the word loopback, and a port"
        )
    return str(found)


def _file(parts: Sequence[str]) -> Address:
    path, *options = (re.sub(r"\\([\\:])", r"\1", part) for part in parts)
    if not path or "\0" in path:
        raise ValueError("must have the path of a socket file, such as unix:/run/chat.sock")
    mode, group, seen = MODE, None, set()
    for each in options:
        name, equals, value = each.partition("=")
        if name not in ("mode", "group") or not equals or name in seen:
            raise ValueError("must have only mode=660 and group=NAME behind the path, once each")
        seen.add(name)
        if name == "group":
            group = _group(value)
        else:
            mode = _mode(value)
    return Address("unix", path=Path(path), mode=mode, group=group)


def _mode(text: str) -> int:
    if re.fullmatch(r"0?[0-7]{3}", text, re.ASCII) is None:
        raise ValueError("must have a mode of three octal digits, such as mode=660")
    return int(text, 8)


def _group(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError("must have the name of a group, such as group=www-data")
    return text
