"""Bodies of HTTP requests and answers."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec
from msgspec import Raw, Struct, field

from livechat.protocol.credentials import Identity
from livechat.protocol.values import Data, Ref, Who
from livechat.protocol.wire import check_depth, explained

_Body = TypeVar("_Body")


class SendRequest(Struct, frozen=True):
    """
    The JSON body of ``POST /chat/send/``.

    @ivar reply_to: the number of the entry that it answers.
    @ivar user: the user that a key sends it for, if it may; ignored from other callers.
    """

    message: str
    room: str | None = None
    reply_to: Ref | None = None
    data: Data = field(default_factory=Raw)
    user: Who = field(default_factory=Raw)


class Sent(Struct, frozen=True):
    """The answer to a stored ``POST /chat/send/``."""

    message: str = "Message sent!"


class Held(Struct, frozen=True):
    """
    The answer to a message that waits for a review.

    @ivar case: the id of its case, which the header ``Livechat-Case`` has, too.
    """

    case: str
    message: str = "Message held."


class Allowance(Struct, frozen=True):
    """
    The answer to a page that asks if it may use the chat.

    @ivar origin: the page's, as the server reads it; null where there is none.
    @ivar option: what would allow it; null where it is allowed, or cannot be.
    """

    allowed: bool
    origin: str | None = None
    option: str | None = None


class Problem(Struct, frozen=True, omit_defaults=True):
    """
    RFC 9457's problem details, with livechat's stable `code`.

    @ivar reason: a moderator's own words, which *detail* has too.
    @ivar case: the id of the case under which a message waits for a review.
    """

    title: str
    status: int
    code: str
    detail: str
    reason: str | None = None
    case: str | None = None


class OperatorRequest(Struct, frozen=True):
    """
    The JSON body of ``POST /chat/operators/``.

    @ivar rooms: rights by pattern: `join`, `history`, `send`, `moderate`, `manage`, or `*` for all.
    @ivar password: where it is left out, an operator keeps the one there is; a new one gets one.
    """

    name: str
    rooms: dict[str, list[str]]
    password: str | None = None


class OperatorKept(Struct, frozen=True):
    """
    An operator with a name.

    @ivar rooms: rights by pattern.
    """

    name: str
    rooms: dict[str, list[str]]


class OperatorList(Struct, frozen=True):
    """The answer to ``GET /chat/operators/``."""

    operators: list[OperatorKept]


class OperatorSet(Struct, frozen=True):
    """
    The answer to ``POST /chat/operators/``.

    @ivar rooms: rights by pattern; any right includes entering and reading.
    @ivar new: whether there was no such operator before.
    @ivar password: the one that was made, which nobody can read again; null where none was.
    """

    name: str
    rooms: dict[str, list[str]]
    new: bool
    password: str | None = None


class OperatorDropped(Struct, frozen=True):
    """The answer to ``DELETE /chat/operators/{name}/``."""

    dropped: str


class Named(Struct, frozen=True):
    """
    A user that a key acts for.

    @ivar name: as shown to others; the id, unless said.
    @ivar role: a badge.
    """

    id: str
    name: str | None = None
    role: str | None = None


#: Bodies of requests, and of answers.
ASKED: Final = (SendRequest, OperatorRequest)
ANSWERED: Final = (Sent, Held, Allowance, Problem, OperatorList, OperatorSet, OperatorDropped)

_named: Final[msgspec.json.Decoder[str | Named | None]] = msgspec.json.Decoder(str | Named | None)
_send_request: Final = msgspec.json.Decoder(SendRequest)
_operator_request: Final = msgspec.json.Decoder(OperatorRequest)


def decode_send_request(data: bytes) -> SendRequest:
    """
    Decode the JSON body of ``POST /chat/send/``.

    @raise ChatError: not UTF-8, not JSON, or not an object of that form.
    """
    return decoded(_send_request, data)


def decode_operator(data: bytes) -> OperatorRequest:
    """
    Decode the JSON body of ``POST /chat/operators/``.

    @raise ChatError: as `decode_send_request`.
    """
    return decoded(_operator_request, data)


def decode_named(data: Raw) -> Identity | None:
    """
    Decode the user that a key acts for: an id, or an object; None if it is left out.

    @raise ChatError: as `decode_send_request`.
    """
    found = decoded(_named, bytes(data)) if bytes(data) else None
    if isinstance(found, str):
        return Identity(found)
    return None if found is None else Identity(found.id, found.name, found.role)


def decoded(decoder: msgspec.json.Decoder[_Body], data: bytes) -> _Body:
    """
    Decode a JSON body.

    @raise ChatError: not UTF-8, not JSON, or not of the form that *decoder* knows.
    """
    check_depth(data)
    try:
        # msgspec checks the UTF-8 of strings that it returns, not of those that it skips.
        data.decode()
        return decoder.decode(data)
    except ValueError as reason:
        raise explained(reason) from None
