"""
The frames of plain mode.

    -> {"message": "text"}                                  other keys are ignored
    <- {"message": "text"}                                  to everyone in the room
    <- {"error": {"code": "...", "detail": "..."}}          to the sender of a bad frame
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from livechat.errors import ChatError
from livechat.protocol.messages import Message
from livechat.protocol.wire import check_depth, encode, explained, text_frame

#: The subprotocol: browsers fail a WebSocket that offered some, and was answered with none.
PLAIN: Final = "livechat.plain"


class PlainFrame(Struct, frozen=True):
    """A message, in either direction."""

    message: str


class PlainErrorText(Struct, frozen=True):
    """An error's code for programs, and its detail for people."""

    code: str
    detail: str


class PlainError(Struct, frozen=True):
    """A frame was refused."""

    error: PlainErrorText


_plain_frame: Final = msgspec.json.Decoder(PlainFrame)


def decode_plain(data: bytes) -> str:
    """
    Return the text in a client's frame.

    @param data: the frame's payload, known to be UTF-8.
    @raise ChatError: not JSON, or not an object with a string called ``message``.
    """
    check_depth(data)
    try:
        return _plain_frame.decode(data).message
    except ValueError as reason:
        raise explained(reason) from None


def plain_frame(message: Message) -> bytes:
    """Encode and frame a message for plain members."""
    return text_frame(encode(PlainFrame(message.message)))


def error_frame(error: ChatError) -> bytes:
    """Encode and frame an error for a plain client."""
    return text_frame(encode(PlainError(PlainErrorText(error.kind.code, error.detail))))
