"""
Traces: frames of a room or a person, as operators see them, and how processes tell each other.

A line has no text unless that was asked for, and never that of a frame with a token.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from livechat.protocol.encoding import Encoding

#: Characters of a text that is shown.
LONGEST_TEXT: Final = 2_000
#: Frames whose text is never shown, as it has a token.
SECRET: Final = frozenset({"auth"})
#: The type of a frame that is no JSON, or no object.
UNREADABLE: Final = "?"

#: Kinds of lines: a frame from a client, or to it; a client that came, or left; lost lines.
Way = Literal["in", "out", "open", "close", "lost"]


class Aim(Struct, frozen=True):
    """
    The aim of a trace: connections that fit all that is said.

    @ivar room: None: any.
    @ivar person: an id, or a subject such as ``u:42``; None: anybody.
    @ivar texts: frames are shown with their texts.
    """

    room: str | None = None
    person: str | None = None
    texts: bool = False


class Line(Struct, frozen=True, omit_defaults=True):
    """
    A line of a trace.

    @ivar time: in milliseconds since 1970, by the clock of its process.
    @ivar process: the process that saw it.
    @ivar connection: the client's connection, as its `hello` says; left out where several got it.
    @ivar user: the subject of the client's user.
    @ivar type: of the frame, with a colon and the event or the error's code behind it.
    @ivar bytes: of the frame.
    @ivar seq: the frame's number.
    @ivar members: how many got it.
    @ivar code: with which it was closed.
    @ivar by: who closed it.
    @ivar text: the frame itself, as far as it may be shown.
    @ivar count: the lines that were left out.
    """

    way: Way
    time: int
    process: str = ""
    room: str | None = None
    connection: str | None = None
    user: str | None = None
    type: str | None = None
    bytes: int | None = None
    seq: int | None = None
    members: int | None = None
    code: int | None = None
    by: Literal["server", "peer"] | None = None
    text: str | None = None
    count: int | None = None


class Begin(Struct, frozen=True, tag="begin"):
    """
    Trace, and tell this process of it.  Said again and again: it holds for some seconds only.

    @ivar trace: its name, which no other has.
    """

    trace: str
    aim: Aim


class End(Struct, frozen=True, tag="end"):
    """Trace no more."""

    trace: str


class Lines(Struct, frozen=True, tag="lines"):
    """Lines of another process, and how many more there were."""

    trace: str
    lines: list[Line]
    lost: int = 0


News = Begin | End | Lines
_news: Final[msgspec.msgpack.Decoder[News]] = msgspec.msgpack.Decoder(News)


def news_to_bytes(news: News) -> bytes:
    """Write what a process tells the others."""
    return msgspec.msgpack.encode(news)


def news_of_bytes(data: bytes) -> News | None:
    """Read it back; None of another version's."""
    try:
        return _news.decode(data)
    except msgspec.MsgspecError:
        return None


class Seen(Struct, frozen=True):
    """
    A frame, as far as a trace is interested.

    @ivar size: its bytes.
    """

    type: str
    size: int
    seq: int | None = None
    text: str | None = None


def seen(payload: bytes, size: int, *, texts: bool) -> Seen:
    """
    Look at a frame.

    @param size: in bytes, including the frame's header.
    """
    try:
        value = msgspec.json.decode(payload)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        # An unreadable frame may have a token too.
        shows = texts and not any(each.encode() in payload for each in SECRET)
        return Seen(UNREADABLE, size, None, _shown(payload) if shows else None)
    kind, seq = _type(value), value.get("seq")
    shows = texts and kind not in SECRET
    number = seq if isinstance(seq, int) else None
    return Seen(kind, size, number, _shown(payload) if shows else None)


def _type(value: dict[str, Any]) -> str:
    kind, error = value.get("type"), value.get("error")
    if not isinstance(kind, str):
        # Plain frames have no type.
        kind = "error" if "error" in value else "message" if "message" in value else UNREADABLE
    more = error.get("code") if isinstance(error, dict) else value.get("event")
    return f"{kind[:32]}:{more[:32]}" if isinstance(more, str) else kind[:32]


def _shown(payload: bytes) -> str:
    return payload[: 4 * LONGEST_TEXT].decode(errors="replace")[:LONGEST_TEXT]


def frames_of(encoding: Encoding, data: bytes) -> Iterator[tuple[bytes, int]]:
    """The payloads of frames that are written, each with the bytes of its frame."""
    if encoding == Encoding.EVENTS:
        yield from _events(data)
        return
    at = 0
    while at + 2 <= len(data):
        size, head = data[at + 1] & 127, 2
        if size > 125:
            head = 4 if size == 126 else 10
            size = int.from_bytes(data[at + 2 : at + head], "big")
        yield data[at + head : at + head + size], head + size
        at += head + size


def _events(data: bytes) -> Iterator[tuple[bytes, int]]:
    for event in data.split(b"\n\n"):
        lines = event.split(b"\n")
        payload = next((each[6:] for each in lines if each.startswith(b"data: ")), None)
        # Events without data are comments.
        if payload is not None:
            yield payload, len(event) + 2
