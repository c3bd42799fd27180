"""Receivers of webhooks: their addresses, their names, and the events that they can be told of."""

from __future__ import annotations

import re
from hashlib import blake2b
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from livechat.protocol.bodies import decoded

#: Bound on the number of receivers.
MOST_RECEIVERS: Final = 10
LONGEST_URL: Final = 2_000
#: Events that receivers are told of by default, and those on request.
USUAL_EVENTS: Final = (
    "message", "edited", "retracted", "occupied", "vacated", "restricted", "pardoned", "held",
    "reported", "reviewed", "room",
)  # fmt: skip
EXTRA_EVENTS: Final = ("joined", "left")
#: Characters of the host in a receiver's name.
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
    """Show an address in logs, without its path and query, which may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/{'…' if parts.path.strip('/') or parts.query else ''}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Answer(Struct, frozen=True, omit_defaults=True):
    """
    A receiver's last answer.

    @ivar time: when it came, in milliseconds since 1970.
    @ivar seconds: how long it took.
    @ivar status: the HTTP status; left out if there was no answer.
    @ivar text: the beginning of its body, or why there is none.
    """

    time: int
    seconds: float
    status: int | None = None
    text: str = ""


class ReceiverState(Struct, frozen=True, omit_defaults=True):
    """
    The state of a receiver of webhooks.

    @ivar receiver: its name, as in metrics.
    @ivar url: its address, without the path.
    @ivar state: `waiting` (for events), `sending`, `failing` (and tried again), `gone` (it answered
        410, and is told no more until the next start or a rewind), or `unknown` (just now no
        process tells it).
    @ivar waiting: entries that it has not been told of.
    @ivar oldest: when the oldest of those was stored, in milliseconds since 1970.
    @ivar sent: events that it has taken since the process that tells it began to.
    @ivar failed: attempts that failed since then.
    @ivar in_a_row: how many of these came last, one after the other.
    @ivar answer: its last answer.
    @ivar next: when it is tried again, in milliseconds since 1970.
    @ivar updated: when all of this was so, in milliseconds since 1970.
    """

    receiver: str
    url: str
    state: str = "unknown"
    waiting: int = 0
    oldest: int | None = None
    sent: int = 0
    failed: int = 0
    in_a_row: int = 0
    answer: Answer | None = None
    next: int | None = None
    updated: int = 0


class ReceiverList(Struct, frozen=True):
    """The answer to ``GET /chat/webhooks/``: the receivers, in the order of the options."""

    webhooks: list[ReceiverState]


class RewindRequest(Struct, frozen=True):
    """
    The JSON body of ``POST /chat/webhooks/rewind/``.

    @ivar since: send the entries stored since then again; in milliseconds since 1970.
    @ivar receiver: only this one, by its URL or its name; without it, all.
    """

    since: int
    receiver: str | None = None


class RewoundReceiver(Struct, frozen=True):
    """
    A receiver that is told anew.

    @ivar rooms: how many rooms have something for it; null where no process tells receivers just
        now: it is done by the next one that does.
    """

    receiver: str
    rooms: int | None


class RewoundList(Struct, frozen=True):
    """The answer to ``POST /chat/webhooks/rewind/``."""

    rewound: list[RewoundReceiver]


#: Bodies of requests, and of answers.
ASKED: Final = (RewindRequest,)
ANSWERED: Final = (ReceiverList, RewoundList)

_rewind_request: Final = msgspec.json.Decoder(RewindRequest)


def decode_rewind(data: bytes) -> RewindRequest:
    """
    Decode the JSON body of ``POST /chat/webhooks/rewind/``.

    @raise ChatError: as `livechat.protocol.bodies.decoded`.
    """
    return decoded(_rewind_request, data)
