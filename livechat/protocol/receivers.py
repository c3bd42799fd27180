"""Receivers of webhooks: their addresses, their names, and the events that they can be told of."""

from __future__ import annotations

import re
from hashlib import blake2b
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

#: Receivers that there may be.
MOST_RECEIVERS: Final = 10
LONGEST_URL: Final = 2_000
#: Events that receivers are told of unless others are asked for, and those on request.
USUAL_EVENTS: Final = (
    "message", "edited", "retracted", "occupied", "vacated", "restricted", "pardoned", "held",
    "reported", "reviewed", "room",
)  # fmt: skip
EXTRA_EVENTS: Final = ("joined", "left")
#: Characters of a receiver's name that are its host's.
_LONGEST_HOST: Final = 40


def receiver_url(text: str) -> str:
    """
    Check the address of a receiver: HTTPS, or HTTP on this machine.

    @raise ValueError: it is none; the text says what would be one.
    """
    if re.fullmatch(r"[!-~]+", text) is None or len(text) > LONGEST_URL:
        raise ValueError(f"must be a URL of at most {LONGEST_URL} characters of ASCII")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", 0, urlsplit("")
    if parts.scheme not in ("https", "http") or not host or port == 0:
        raise ValueError("must be a URL such as https://example.org/chat-events")
    if "@" in parts.netloc or "#" in text:
        raise ValueError("must have neither a name and password nor a fragment")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("must be https, unless it is on this machine (http://127.0.0.1:8000/)")
    return text


def receiver_name(url: str) -> str:
    """Name a receiver in metrics and stores: its host, and a mark that tells it from others."""
    host = re.sub(r"[^a-z0-9]+", "-", (urlsplit(url).hostname or "").lower()).strip("-")
    mark = blake2b(url.encode(), digest_size=4).hexdigest()
    return f"{host[:_LONGEST_HOST]}-{mark}".lstrip("-")


def shown_url(url: str) -> str:
    """Show an address to people in logs: without what may be a secret in its path or query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/{'…' if parts.path.strip('/') or parts.query else ''}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
