"""
The encodings in which members get entries and frames.

A room's members may want them in different encodings.  Each entry and frame is encoded
once for each encoding, and not once for each member:

    PLAIN     ``{"message": "..."}`` in a WebSocket frame; no events, no frames of ``livechat.v1``
    V1        the frames of ``livechat.v1``, each in a WebSocket frame
    EVENTS    the same as server-sent events (WHATWG HTML, section 9.2)
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from livechat.protocol.messages import Edited, Entry, Gone, Message, Place, Retracted
from livechat.protocol.plain import plain_frame
from livechat.protocol.v1 import Event, GoAway, Said, ServerFrame
from livechat.protocol.wire import encode, text_frame


class Encoding(IntEnum):
    """The form in which a member gets entries and frames."""

    PLAIN = 0
    V1 = 1
    EVENTS = 2


def encode_entries(encoding: Encoding, epoch: str, entries: Sequence[Entry]) -> bytes:
    """Encode *entries* of *epoch* for members; plain ones get the messages among them."""
    if encoding == Encoding.PLAIN:
        return b"".join([plain_frame(each) for each in entries if isinstance(each, Message)])
    if encoding == Encoding.V1:
        return b"".join([text_frame(encode(_frame(each))) for each in entries])
    return b"".join([_event(_frame(each), Place(epoch, each.seq)) for each in entries])


def encode_frame(encoding: Encoding, frame: ServerFrame, seen: Place | None = None) -> bytes:
    """
    Encode *frame* for members; plain ones get nothing.

    @param seen: the place from which a reader of events goes on after a reconnect.
    """
    if encoding == Encoding.PLAIN:
        return b""
    if encoding == Encoding.V1:
        return text_frame(encode(frame))
    return _event(frame, seen)


def _frame(entry: Entry) -> Said | Event:
    """Make the numbered frame of *entry*."""
    match entry:
        case Message():
            return Said(
                entry.message, entry.seq, entry.time, entry.user,
                entry.reply_to, entry.data, entry.edited,
            )  # fmt: skip
        case Retracted():
            return Event("retracted", entry.seq, entry.time, refs=entry.refs, by=entry.by)
        case Edited():
            return Event(
                "edited", entry.seq, entry.time, ref=entry.ref, text=entry.text, data=entry.data
            )
        case Gone():
            return Event("gone", entry.seq, entry.time)


def _event(frame: ServerFrame, seen: Place | None) -> bytes:
    """
    Encode *frame* as a server-sent event.

    @param seen: the event's id, which the client repeats when it reconnects.
    """
    number = b"" if seen is None else f"id: {seen.epoch}:{seen.seq}\n".encode()
    # EventSource reconnects by itself, after this time.
    retry = b"retry: %d\n" % frame.retry_ms if isinstance(frame, GoAway) else b""
    name = str(frame.__struct_config__.tag).encode()
    return b"%bevent: %b\n%bdata: %b\n\n" % (retry, name, number, encode(frame))
