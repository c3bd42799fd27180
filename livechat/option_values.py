"""
Values of options: functions from an option's text to its value.

Each raises ValueError with a sentence that begins with "must" or "is".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from livechat.errors import ChatError
from livechat.protocol.asking import ABOUT, About
from livechat.protocol.names import room_name
from livechat.protocol.origins import is_host
from livechat.protocol.receivers import EXTRA_EVENTS, USUAL_EVENTS

#: Where an access log may go besides a file: the daemon's own log.
STANDARD_LOG: Final = Path("-")
_SHORTEST_TOKEN: Final = 16
#: Seconds by the letter that a duration may end in.
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def integer(least: int, most: int) -> Callable[[str], int]:
    """Make the parser of a whole number in a range."""

    def parse(text: str) -> int:
        if re.fullmatch(r"[0-9]{1,15}", text) is None or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return parse


def rate(text: str) -> float:
    """Parse a number of messages a second; 0 is no limit."""
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text) is None:
        raise ValueError("must be a number, such as 20 or 0.5; 0 is no limit")
    return float(text)


def duration(text: str) -> int:
    """Parse a time, in seconds; 0 is no limit."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text)
    if found is None:
        raise ValueError("must be a time, such as 90s, 15m, 12h or 30d; 0 is no limit")
    return int(found[1]) * _UNITS[found[2] or "s"]


def lifetime(text: str) -> int:
    """Parse a time of at least a minute, in seconds."""
    with suppress(ValueError):
        if duration(text) >= 60:
            return duration(text)
    raise ValueError("must be a time of at least a minute, such as 30m or 12h")


def pause(most: int) -> Callable[[str], int]:
    """Make the parser of a time, in seconds, of at most so many."""

    def parse(text: str) -> int:
        with suppress(ValueError):
            if duration(text) <= most:
                return duration(text)
        raise ValueError(f"must be a time of at most {most} seconds, such as 30s; 0 is none")

    return parse


def address(text: str) -> str:
    """Parse an IP address to listen on, or the word ``loopback``."""
    if text == "loopback":
        return text
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(
            "must be an IP address, such as 0.0.0.0 or ::, or the word loopback"
        ) from None


def switch(text: str) -> bool:
    """Parse ``on`` or ``off``."""
    if text not in ("on", "off"):
        raise ValueError("must be on or off")
    return text == "on"


def choice(*words: str) -> Callable[[str], str]:
    """Make a parser of one of these words."""
    listed = f"{', '.join(words[:-1])} or {words[-1]}"

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be {listed}")
        return text

    return parse


def token(text: str) -> str:
    """Parse a secret that clients send."""
    if len(text) < _SHORTEST_TOKEN or not text.isascii() or not text.isprintable():
        raise ValueError(f"must have at least {_SHORTEST_TOKEN} printable characters of ASCII")
    return text


def token_keys(text: str) -> Path | str:
    """Parse the path of a file with keys, or the address of a set of them, which stays a text."""
    if "://" not in text:
        return path(text)
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc:
        raise ValueError("must be a file, or an address such as https://example.org/jwks.json")
    return text


def cookie(text: str) -> str:
    """Parse the name of a cookie (RFC 6265, section 4.1.1)."""
    if re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", text) is None:
        raise ValueError("must be the name of a cookie, such as __Host-chat")
    return text


def words(text: str) -> str:
    """Parse any text that is there."""
    if not text or not text.isprintable():
        raise ValueError("must be a text")
    return text


def network(text: str) -> IPv4Network | IPv6Network:
    """Parse an address or a network."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(
            "must be an address, or a network such as 10.0.0.0/8 or fd00::/8"
        ) from None


def host(text: str) -> str:
    """Parse a name of the server, which may begin with ``*.``."""
    # Which port it is makes no difference, and one that was given would never be met.
    if text != "*" and (":" in text or not is_host(text.removeprefix("*."))):
        raise ValueError("must be a name, such as chat.example.org or *.example.org, or *")
    return text


def prefix(text: str) -> str:
    """Parse the beginning of keys in Redis."""
    if re.fullmatch(r"[A-Za-z0-9_-]{1,32}", text) is None:
        raise ValueError("must be 1 to 32 of A-Z a-z 0-9 _ -")
    return text


def path_prefix(text: str) -> str:
    """Parse the path below which everything is: without its last slash, empty for the root."""
    found = text.rstrip("/")
    if found and re.fullmatch(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]{1,64}){1,8}", found) is None:
        raise ValueError("must be a path such as /chat-app, of letters, digits and ._~-")
    return found


def mount(text: str) -> tuple[str, str]:
    """Parse a path and the dotted name of its resource."""
    path, equals, name = text.partition("=")
    if not path.startswith("/") or not equals or not name:
        raise ValueError("must be a path and a dotted name, such as /docs=acme.docs.resource")
    return path, name


def room(text: str) -> str:
    """Parse a room's name."""
    try:
        return room_name(text)
    except ChatError as error:
        raise ValueError(f"is not a valid room name: {error.detail}") from None


def path(text: str) -> Path:
    """Parse a path, which need not be there."""
    if not text or "\0" in text:
        raise ValueError("must be a path")
    return Path(text)


def dotted(text: str) -> str:
    """Parse a dotted name."""
    if not all(part.isidentifier() for part in text.split(".")):
        raise ValueError("must be a dotted name, such as package.module.Extension")
    return text


def url(text: str) -> str:
    """Parse the URL of an extension's backend."""
    if re.match(r"[a-z][a-z0-9+.-]*:", text) is None:
        raise ValueError("must be a URL of a kind that an extension brings, such as memory:")
    return text


def log_path(text: str) -> Path:
    """Parse the path of a log, or ``-`` for the log of the daemon."""
    return STANDARD_LOG if text == "-" else path(text)


def asked_about(text: str) -> frozenset[About]:
    """Parse the acts that a site is asked about, separated by commas."""
    words = text.replace(" ", "").split(",")
    found = frozenset(each for each in ABOUT if each in words)
    if len(found) != len(words):
        raise ValueError(f"must be one or more of these, separated by commas: {', '.join(ABOUT)}")
    return found


def event_names(text: str) -> frozenset[str]:
    """Parse names of events, separated by commas."""
    found = frozenset(text.replace(" ", "").split(","))
    unknown = sorted(found.difference(USUAL_EVENTS, EXTRA_EVENTS))
    if unknown:
        known = ", ".join((*USUAL_EVENTS, *EXTRA_EVENTS))
        raise ValueError(f"must be names such as message,edited, of these: {known}")
    return found
