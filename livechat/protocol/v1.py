"""
The frames of ``livechat.v1``, which ``docs/protocol.md`` describes.

Every frame is one JSON object with a ``type``.  A frame is a struct here, and its type is
the struct's tag.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct, field

from livechat.errors import ChatError, Kind
from livechat.protocol.messages import Message, Place, User
from livechat.protocol.wire import check_depth, explained

#: The name of the protocol, as a WebSocket's subprotocol.
V1: Final = "livechat.v1"
#: The largest number: JavaScript has no larger one.
LARGEST: Final = 2**53 - 1
#: Characters of a nonce, and of an epoch.
LONGEST_NONCE: Final = 64
_EPOCH: Final = r"[A-Za-z0-9_-]{1,64}"

#: Pattern of a place as text.
PLACE: Final = rf"({_EPOCH}):([0-9]{{1,16}})"
_PLACE: Final = re.compile(PLACE, re.ASCII)

Number = Annotated[int, Meta(ge=0, le=LARGEST)]
Nonce = Annotated[str, Meta(min_length=1, max_length=LONGEST_NONCE)]
Epoch = Annotated[str, Meta(pattern=f"^{_EPOCH}$")]


class Say(Struct, frozen=True, tag_field="type", tag="message"):
    """
    Say something.

    @ivar nonce: the same one from the same user in the same room is the same message.
    """

    message: str
    nonce: Nonce | None = None


class Resume(Struct, frozen=True, tag_field="type", tag="resume"):
    """Send what came after this place."""

    epoch: Epoch
    seq: Number

    @property
    def place(self) -> Place:
        return Place(self.epoch, self.seq)


class AskHistory(Struct, frozen=True, tag_field="type", tag="history"):
    """Send a page: that before a number, that after one, or the newest."""

    before: Number | None = None
    after: Number | None = None
    limit: Number | None = None


class AskPresence(Struct, frozen=True, tag_field="type", tag="presence"):
    """Say who is here."""


class Type(Struct, frozen=True, tag_field="type", tag="typing"):
    """Tell the others that something is being written."""


class Ping(Struct, frozen=True, tag_field="type", tag="ping"):
    """
    Say that the server is there, which pages in browsers cannot see otherwise: they are not
    told of RFC 6455's pings.
    """


ClientFrame = Say | Resume | AskHistory | AskPresence | Type | Ping


class Limits(Struct, frozen=True):
    """
    What a client may do.

    @ivar message_bytes: UTF-8 in a message.
    @ivar rate: messages a second; 0 is no limit.
    @ivar burst: messages at once.
    @ivar page: messages in a page of history.
    """

    message_bytes: int
    rate: float
    burst: float
    page: int


class Hello(Struct, frozen=True, tag_field="type", tag="hello"):
    """
    The first frame: everything after *seq* will come.

    @ivar heartbeat: seconds between two signs of life of the server.
    @ivar time: now, in milliseconds since 1970, UTC.
    """

    room: str
    connection: str
    user: User
    epoch: str
    seq: int
    limits: Limits
    heartbeat: int
    time: int


class Ack(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="ack"):
    """
    A message is stored.

    @ivar duplicate: it was before.
    """

    seq: int
    time: int
    nonce: str | None = None
    duplicate: bool = False


class Said(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="message"):
    """Somebody said something."""

    message: str
    seq: int
    time: int
    user: User | None = None


class Resumed(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="resumed"):
    """
    The answer to `Resume`; or, unasked, what was missed although the connection was there.

    @ivar complete: everything follows; otherwise *reason* says what does not.
    @ivar reason: ``trimmed``: what is older than *oldest* is gone; ``epoch``: numbering
        began anew, as *epoch*; ``forbidden``: the client may not read.
    @ivar first: the number of the first message that follows.
    @ivar to: the newest number.
    """

    complete: bool
    reason: Literal["trimmed", "epoch", "forbidden"] | None = None
    epoch: str | None = None
    oldest: int | None = None
    first: int | None = field(default=None, name="from")
    to: int | None = None


class History(Struct, frozen=True, tag_field="type", tag="history"):
    """
    A page, oldest first.

    @ivar first: the number of its first message.
    @ivar last: that of its last one; ``first - 1`` if it is empty.
    @ivar more: there are others beyond it, in the direction that was asked for.
    """

    messages: Sequence[Message]
    first: int
    last: int
    more: bool


class Present(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="presence"):
    """
    Who is here.

    @ivar members: the first of them; left out where a large room tells its numbers unasked.
    """

    users: int
    connections: int
    members: Sequence[User] | None = None


class Joined(Struct, frozen=True, tag_field="type", tag="joined"):
    """A user's first connection came."""

    user: User


class Left(Struct, frozen=True, tag_field="type", tag="left"):
    """A user's last connection went."""

    user: User


class Typing(Struct, frozen=True, tag_field="type", tag="typing"):
    """
    A user is writing something.

    @ivar ttl: milliseconds after which that is no longer so, unless it is said again.
    """

    user: User
    ttl: int


class ErrorText(Struct, frozen=True, omit_defaults=True):
    """
    What went wrong.

    @ivar code: for programs.
    @ivar detail: for people.
    @ivar retry_ms: milliseconds after which the same may work; left out where it won't.
    """

    code: str
    detail: str
    retry_ms: int | None = None


class Error(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="error"):
    """
    What was asked for was not done; with the code ``unknown`` it may have been.

    @ivar nonce: that of the message that was refused.
    """

    error: ErrorText
    nonce: str | None = None


class Pong(Struct, frozen=True, tag_field="type", tag="pong"):
    """The answer to `Ping`."""


class GoAway(Struct, frozen=True, tag_field="type", tag="goaway"):
    """The server is about to close; come back after *retry_ms* milliseconds."""

    retry_ms: int


ServerFrame = (
    Hello
    | Ack
    | Said
    | Resumed
    | History
    | Present
    | Joined
    | Left
    | Typing
    | Error
    | Pong
    | GoAway
)

_client_frame: Final[msgspec.json.Decoder[ClientFrame]] = msgspec.json.Decoder(ClientFrame)
_say: Final = msgspec.json.Decoder(Say)


def decode_frame(data: bytes) -> ClientFrame:
    """
    Decode a client's frame.

    @param data: the frame's payload, known to be UTF-8.
    @raise ChatError: it is none of the protocol's frames.
    """
    check_depth(data)
    try:
        return _client_frame.decode(data)
    except msgspec.ValidationError as reason:
        if str(reason) != "Object missing required field `type`":
            raise _refused(str(reason)) from None
    except ValueError as reason:
        raise explained(reason) from None
    try:
        # A message need not say that it is one.
        return _say.decode(data)
    except msgspec.ValidationError as reason:
        raise _refused(str(reason)) from None
    except ValueError as reason:
        raise explained(reason) from None


def _refused(found: str) -> ChatError:
    """Translate msgspec's error into the words of this protocol."""
    if found.startswith("Invalid value") and found.endswith("`$.type`"):
        return ChatError(Kind.UNKNOWN_TYPE, "There is no frame of that type.")
    what, at, key = found.partition(" - at `$.")
    if at:
        name = key.rstrip("`")
        return ChatError(Kind.BAD_MESSAGE, f"'{name}' is not what it must be: {what}.")
    if "missing required field" in found:
        name = found.split("`")[1]
        return ChatError(Kind.BAD_MESSAGE, f"The object has no key '{name}'.")
    return ChatError(Kind.BAD_MESSAGE, 'Send a JSON object, such as {"message": "text"}.')


def place_of_text(text: str) -> Place:
    """
    Read a place from ``epoch:seq``, as in ``?since=`` and ``Last-Event-ID``.

    @raise ChatError: it is no place.
    """
    found = _PLACE.fullmatch(text)
    if found is None or int(found[2]) > LARGEST:
        raise ChatError(Kind.BAD_QUERY, "A place in a room is written as epoch:seq.")
    return Place(found[1], int(found[2]))


def error_of(reason: ChatError, nonce: str | None = None) -> Error:
    """Make the frame for a `ChatError`."""
    wait = reason.retry_after
    retry_ms = None if wait is None else max(1, round(1000 * wait))
    return Error(ErrorText(reason.kind.code, reason.detail, retry_ms), nonce)
