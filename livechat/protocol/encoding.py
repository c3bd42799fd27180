"""
The encodings in which members get messages and frames.

A room's members may want them in different encodings.  Each message and frame is encoded
once for each encoding, and not once for each member:

    PLAIN     ``{"message": "..."}`` in a WebSocket frame; no frames of ``livechat.v1``
    V1        the frames of ``livechat.v1``, each in a WebSocket frame
    EVENTS    the same as server-sent events (WHATWG HTML, section 9.2)
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from livechat.protocol.messages import Message, Place
from livechat.protocol.plain import plain_frame
from livechat.protocol.v1 import GoAway, Said, ServerFrame
from livechat.protocol.wire import encode, text_frame


class Encoding(IntEnum):
    """The form in which a member gets messages and frames."""

    PLAIN = 0
    V1 = 1
    EVENTS = 2


def encode_messages(encoding: Encoding, epoch: str, messages: Sequence[Message]) -> bytes:
    """Encode *messages* of *epoch* for members."""
    if encoding == Encoding.PLAIN:
        return b"".join(map(plain_frame, messages))
    if encoding == Encoding.V1:
        return b"".join([text_frame(encode(_said(message))) for message in messages])
    return b"".join([_event(_said(message), Place(epoch, message.seq)) for message in messages])


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


def _said(message: Message) -> Said:
    return Said(message.message, message.seq, message.time, message.user)


def _event(frame: ServerFrame, seen: Place | None) -> bytes:
    """
    Encode *frame* as a server-sent event.

    @param seen: the event's id, which the client repeats when it reconnects.
    """
    number = b"" if seen is None else f"id: {seen.epoch}:{seen.seq}\n".encode()
    # The client's own reconnecting obeys this.
    retry = b"retry: %d\n" % frame.retry_ms if isinstance(frame, GoAway) else b""
    name = str(frame.__struct_config__.tag).encode()
    return b"%bevent: %b\n%bdata: %b\n\n" % (retry, name, number, encode(frame))
