"""Bodies of HTTP requests and answers that are for back ends, as a rule."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from livechat.protocol.audit import Action as Recorded
from livechat.protocol.audit import Author
from livechat.protocol.bodies import decoded
from livechat.protocol.messages import Message, User
from livechat.protocol.moderation import CaseKind, RestrictionKind
from livechat.protocol.settings import RoomSettings
from livechat.protocol.v1 import Ack, Can, Error
from livechat.protocol.values import Who

#: Actions of a batch.
MOST_ACTIONS: Final = 100


class KeyRequest(Struct, frozen=True):
    """
    The JSON body of ``POST /chat/keys/``.

    @ivar name: at most two keys have the same one at a time.
    @ivar rooms: rights by pattern: `join`, `history`, `send`, `moderate`, `manage`, or `*` for all.
    @ivar as_users: whether it may act for users that it names, and get tokens for them.
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


class TokenFound(Struct, frozen=True):
    """
    The answer to ``GET /chat/token/check/``.

    @ivar expires: when it ends, in seconds since 1970; null: never.
    @ivar rooms: rights by pattern; null: those of all users.
    """

    user: User
    expires: int | None
    rooms: dict[str, list[str]] | None


class Target(Struct, frozen=True):
    """
    The fields of a back end's action besides those of all.

    @ivar room: where it is done; actions that need no room have none.
    @ivar as_user: the user that a key acts for, if it may; ignored from other callers.
    """

    room: str | None = None
    as_user: Who = field(default_factory=Raw, name="as")


class Batch(Struct, frozen=True):
    """
    The JSON body of ``POST /chat/actions/``, if it is not a single action.

    @ivar actions: each with its room.
    """

    actions: Annotated[list[Raw], Meta(min_length=1, max_length=MOST_ACTIONS)] | None = None


class RoomLine(Struct, frozen=True):
    """
    An active room.

    @ivar connections: of members, at all processes.
    @ivar rate: messages a minute, lately.
    @ivar seq: the newest number; null if it is not known just now.
    @ivar time: when that was stored, in milliseconds since 1970, UTC.
    @ivar title: of its settings, as *topic*; empty where there is none.
    """

    room: str
    connections: int
    rate: float
    seq: int | None
    time: int | None
    title: str
    topic: str


class RoomList(Struct, frozen=True):
    """
    The answer to ``GET /chat/rooms/``: active rooms, by name.

    @ivar next: what to ask for as `after`; null where there are no more.
    """

    rooms: list[RoomLine]
    next: str | None


class RoomState(Struct, frozen=True):
    """
    The answer to ``GET /chat/rooms/{room}/``.

    @ivar epoch: the word of its numbering.
    @ivar seq: its newest number.
    @ivar can: the caller's rights there.
    @ivar settings: those that are not the usual ones; the words only for those that moderate.
    @ivar messages: the newest ones, oldest first, where they are asked for, and may be read.
    """

    room: str
    users: int
    connections: int
    epoch: str
    seq: int
    can: Can
    settings: RoomSettings
    messages: list[Message] | UnsetType = UNSET


class MemberList(Struct, frozen=True):
    """
    The answer to ``GET /chat/members/{room}/``: the users there, as far as their names are known.

    @ivar users: how many there are.
    @ivar next: what to ask for as `after`; null where there are no more.
    """

    users: int
    members: list[User]
    next: str | None


class RestrictionLine(Struct, frozen=True):
    """
    A restriction that is in force.

    @ivar room: where; `*`: in all rooms.
    @ivar user: the owner.
    @ivar guest: the id is that of a guest.
    @ivar until: when it ends, in seconds since 1970; null: not by itself.
    @ivar reason: as the person is told; empty where there is none.
    @ivar by: who made it.
    @ivar made: when, in seconds since 1970.
    """

    room: str
    user: User
    guest: bool
    kind: RestrictionKind
    until: int | None
    reason: str
    by: Author
    made: int


class RestrictionList(Struct, frozen=True):
    """
    The answer to ``GET /chat/restrictions/``: the oldest first.

    @ivar next: what to ask for as `after`; null where there are no more.
    """

    restrictions: list[RestrictionLine]
    next: str | None


class CaseLine(Struct, frozen=True, omit_defaults=True):
    """
    An open case: a message that waits for a review, or a report of one that was said.

    @ivar case: its id.
    @ivar time: when it came, in milliseconds since 1970, UTC.
    @ivar message: the text.
    @ivar user: its author; left out if unknown.
    @ivar data: of the message, as *reply_to*.
    @ivar ref: the number of the message that is reported.
    @ivar reporter: left out if unknown.
    @ivar reason: the reporter's.
    """

    case: str
    kind: CaseKind
    room: str
    time: int
    message: str
    user: User | None = None
    data: Raw | None = None
    reply_to: int | None = None
    ref: int | None = None
    reporter: User | None = None
    reason: str | None = None


class CaseList(Struct, frozen=True):
    """
    The answer to ``GET /chat/cases/``: the oldest first.

    @ivar next: what to ask for as `after`; null where there are no more.
    """

    cases: list[CaseLine]
    next: str | None


class RecordLine(Struct, frozen=True, omit_defaults=True):
    """
    A record of the audit.

    @ivar action: the action; left out, as is *by*, if the record cannot be read.
    @ivar by: who did it.
    @ivar room: where, or the pattern of rooms; left out where it concerns no room.
    @ivar text: the text that was removed by another than its author.
    """

    seq: int
    time: int
    action: Recorded | None = None
    by: Author | None = None
    room: str | None = None
    text: str | None = None


class Results(Struct, frozen=True):
    """
    The answer to a batch.

    @ivar results: what became of each action, in their order.
    """

    results: list[Ack | Error]


#: Bodies of requests, and of answers.
ASKED: Final = (KeyRequest, TokenRequest, Target)
ANSWERED: Final = (
    KeyList, KeyMade, KeyDropped, TokenMade, TokenFound, RoomList, RoomState, MemberList, Results,
    RestrictionList, CaseList, RecordLine,
)  # fmt: skip

_key_request: Final = msgspec.json.Decoder(KeyRequest)
_token_request: Final = msgspec.json.Decoder(TokenRequest)
_batch: Final = msgspec.json.Decoder(Batch)
_target: Final = msgspec.json.Decoder(Target)


def decode_key(data: bytes) -> KeyRequest:
    """
    Decode the JSON body of ``POST /chat/keys/``.

    @raise ChatError: as `livechat.protocol.bodies.decoded`.
    """
    return decoded(_key_request, data)


def decode_token(data: bytes) -> TokenRequest:
    """
    Decode the JSON body of ``POST /chat/token/``.

    @raise ChatError: as `livechat.protocol.bodies.decoded`.
    """
    return decoded(_token_request, data)


def decode_batch(data: bytes) -> list[Raw] | None:
    """
    Decode the JSON body of ``POST /chat/actions/``; None if it is a single action.

    @raise ChatError: as `livechat.protocol.bodies.decoded`.
    """
    return decoded(_batch, data).actions


def decode_target(data: bytes) -> Target:
    """
    Decode the fields of a back end beside an action.

    @raise ChatError: as `livechat.protocol.bodies.decoded`.
    """
    return decoded(_target, data)
