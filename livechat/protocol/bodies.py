"""Bodies of HTTP requests and answers."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

from livechat.protocol.credentials import Identity
from livechat.protocol.values import Data, Ref, Who
from livechat.protocol.wire import check_depth, explained

_Body = TypeVar("_Body")


class SendRequest(Struct, frozen=True):
    """
    The JSON body of ``POST /chat/send/``.

    @ivar reply_to: the number of the entry that it answers.
    @ivar user: for whom a key says it, if it may; others' is ignored.
    """

    message: str
    room: str | None = None
    reply_to: Ref | None = None
    data: Data = field(default_factory=Raw)
    user: Who = field(default_factory=Raw)


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

    @ivar rooms: rights by pattern; whoever has any may enter and read.
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


class KeyRequest(Struct, frozen=True):
    """
    The JSON body of ``POST /chat/keys/``.

    @ivar name: of at most two keys at a time.
    @ivar rooms: rights by pattern: `join`, `history`, `send`, `moderate`, `manage`, or `*` for all.
    @ivar as_users: whether it may name users for whom it acts, and get tokens for them.
    @ivar rate: acts a second, twice that at once; 0 is no limit.
    @ivar seconds: for how long it counts; null: without an end.
    @ivar scope: `metrics`: it may read `/metrics`.
    """

    name: str
    rooms: dict[str, list[str]]
    as_users: bool = field(default=False, name="as")
    rate: Annotated[float, Meta(ge=0, le=1_000_000)] = 1_000.0
    seconds: Annotated[int, Meta(ge=1, le=10**10)] | None = None
    scope: Literal["metrics"] | None = None


class KeyKept(Struct, frozen=True):
    """
    A key, without its secret.

    @ivar made: when it was made, in seconds since 1970.
    @ivar expires: when it ends, in seconds since 1970; null: never.
    """

    id: str
    name: str
    rooms: dict[str, list[str]]
    as_users: bool = field(name="as")
    rate: float
    made: int
    expires: int | None
    scope: Literal["metrics"] | None


class KeyList(Struct, frozen=True):
    """The answer to ``GET /chat/keys/``."""

    keys: list[KeyKept]


class KeyMade(KeyKept, frozen=True):
    """
    The answer to ``POST /chat/keys/``.

    @ivar key: the key itself, which nobody can read again.
    """

    key: str


class KeyDropped(Struct, frozen=True):
    """The answer to ``DELETE /chat/keys/{id}/``."""

    dropped: str


class TokenRequest(Struct, frozen=True):
    """
    The JSON body of ``POST /chat/token/``.

    @ivar user: the id of the user of the site.
    @ivar role: a badge, which decides nothing.
    @ivar rooms: rights by pattern, no more than the key's; null: those of all users, as far as the
        key has them.
    @ivar seconds: for how long it counts; no longer than the key.
    """

    user: str
    name: str | None = None
    role: str | None = None
    rooms: dict[str, list[str]] | None = None
    seconds: Annotated[int, Meta(ge=1)] = 3_600


class TokenMade(Struct, frozen=True):
    """
    The answer to ``POST /chat/token/``.

    @ivar expires: when it ends, in seconds since 1970.
    """

    token: str
    expires: int


class Named(Struct, frozen=True):
    """
    A user for whom a key acts.

    @ivar name: as shown to others; the id, unless said.
    @ivar role: a badge.
    """

    id: str
    name: str | None = None
    role: str | None = None


#: Bodies of requests, and of answers.
ASKED: Final = (SendRequest, OperatorRequest, KeyRequest, TokenRequest)
ANSWERED: Final = (
    Sent, Allowance, Problem, OperatorList, OperatorSet, OperatorDropped, KeyList, KeyMade,
    KeyDropped, TokenMade,
)  # fmt: skip

_key_request: Final = msgspec.json.Decoder(KeyRequest)
_token_request: Final = msgspec.json.Decoder(TokenRequest)
_named: Final[msgspec.json.Decoder[str | Named | None]] = msgspec.json.Decoder(str | Named | None)
_send_request: Final = msgspec.json.Decoder(SendRequest)
_operator_request: Final = msgspec.json.Decoder(OperatorRequest)


def decode_send_request(data: bytes) -> SendRequest:
    """
    Decode the JSON body of ``POST /chat/send/``.

    @raise ChatError: not UTF-8, not JSON, or not an object of that form.
    """
    return _decoded(_send_request, data)


def decode_operator(data: bytes) -> OperatorRequest:
    """
    Decode the JSON body of ``POST /chat/operators/``.

    @raise ChatError: as `decode_send_request`.
    """
    return _decoded(_operator_request, data)


def decode_key(data: bytes) -> KeyRequest:
    """
    Decode the JSON body of ``POST /chat/keys/``.

    @raise ChatError: as `decode_send_request`.
    """
    return _decoded(_key_request, data)


def decode_token(data: bytes) -> TokenRequest:
    """
    Decode the JSON body of ``POST /chat/token/``.

    @raise ChatError: as `decode_send_request`.
    """
    return _decoded(_token_request, data)


def decode_named(data: Raw) -> Identity | None:
    """
    Decode a user for whom a key acts: an id, or an object; None where nothing was said.

    @raise ChatError: as `decode_send_request`.
    """
    found = _decoded(_named, bytes(data)) if bytes(data) else None
    if isinstance(found, str):
        return Identity(found)
    return None if found is None else Identity(found.id, found.name, found.role)


def _decoded(decoder: msgspec.json.Decoder[_Body], data: bytes) -> _Body:
    check_depth(data)
    try:
        # msgspec looks at the strings that it returns, not at those it skips.
        data.decode()
        return decoder.decode(data)
    except ValueError as reason:
        raise explained(reason) from None
