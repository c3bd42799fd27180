"""Bodies of HTTP requests and answers."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct, field

from livechat.protocol.values import Data, Ref
from livechat.protocol.wire import check_depth, explained


class SendRequest(Struct, frozen=True):
    """
    The JSON body of ``POST /chat/send/``.

    @ivar reply_to: the number of the entry that it answers.
    """

    message: str
    room: str | None = None
    reply_to: Ref | None = None
    data: Data = field(default_factory=Raw)


class Sent(Struct, frozen=True):
    """The answer to a stored ``POST /chat/send/``."""

    message: str = "Message sent!"


class Allowance(Struct, frozen=True):
    """
    Whether the page that asks may use the chat.

    @ivar origin: the page's, as the server reads it; null where there is none.
    @ivar option: what would allow it; null where it is allowed, or cannot be.
    """

    allowed: bool
    origin: str | None = None
    option: str | None = None


class Problem(Struct, frozen=True):
    """RFC 9457's problem details, with livechat's stable `code`."""

    title: str
    status: int
    code: str
    detail: str


_send_request: Final = msgspec.json.Decoder(SendRequest)


def decode_send_request(data: bytes) -> SendRequest:
    """
    Decode the JSON body of ``POST /chat/send/``.

    @raise ChatError: not UTF-8, not JSON, or not an object of that form.
    """
    check_depth(data)
    try:
        # msgspec looks at the strings that it returns, not at those it skips.
        data.decode()
        return _send_request.decode(data)
    except ValueError as reason:
        raise explained(reason) from None
