"""
The frames of ``livechat.v1``, which ``docs/protocol.md`` describes.

Every frame is one JSON object with a ``type``.  A frame is a struct here, and its type is
the struct's tag.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Raw, Struct, field

from livechat.errors import ChatError
from livechat.protocol.actions import Action, UserId
from livechat.protocol.audit import Action as Recorded
from livechat.protocol.audit import Author
from livechat.protocol.messages import Message, Place, User
from livechat.protocol.moderation import CaseKind, CaseState, Notice
from livechat.protocol.settings import RoomSettings
from livechat.protocol.values import Epoch, Number, Sought

#: The name of the protocol, as a WebSocket's subprotocol.
V1: Final = "livechat.v1"


class Resume(Struct, frozen=True, tag_field="type", tag="resume"):
    """Ask for the entries after this place."""

    epoch: Epoch
    seq: Number

    @property
    def place(self) -> Place:
        return Place(self.epoch, self.seq)


class AskHistory(Struct, frozen=True, tag_field="type", tag="history"):
    """
    Send a page: that before a number, that after one, or the newest.

    @ivar user: only what the user with this id said; a guest's if *guest*.
    @ivar q: only messages with this text, in any case and width.
    """

    before: Number | None = None
    after: Number | None = None
    limit: Number | None = None
    user: UserId | None = None
    guest: bool = False
    q: Sought | None = None


class AskPresence(Struct, frozen=True, tag_field="type", tag="presence"):
    """Ask for the users of the room."""


class Type(Struct, frozen=True, tag_field="type", tag="typing"):
    """Tell the others that something is being written."""


class Auth(Struct, frozen=True, tag_field="type", tag="auth"):
    """Go on with another token of the same user; the answer is `Rights`."""

    token: str


class Ping(Struct, frozen=True, tag_field="type", tag="ping"):
    """
    Say that the server is there, which pages in browsers cannot see otherwise: they are not
    told of RFC 6455's pings.
    """


ClientFrame = Action | Resume | AskHistory | AskPresence | Type | Auth | Ping


class Limits(Struct, frozen=True):
    """
    The bounds of what a client may do.

    @ivar message_bytes: UTF-8 in a message.
    @ivar rate: messages a second; 0 is no limit.
    @ivar burst: messages at once.
    @ivar page: messages in a page of history.
    @ivar edit: seconds for which a message can be edited.
    """

    message_bytes: int
    rate: float
    burst: float
    page: int
    edit: int


#: Rights in the room, in the order of `livechat.identity.rights.Right`.
Can = tuple[Literal["join", "history", "send", "moderate", "manage"], ...]


class Hello(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="hello"):
    """
    The first frame: everything after *seq* will come.

    @ivar heartbeat: seconds between two signs of life of the server.
    @ivar time: now, in milliseconds since 1970, UTC.
    @ivar can: what the client may do.
    @ivar expires: when its token ends, in seconds since 1970; left out without one.
    @ivar settings: those of the room that are not the usual ones, without its words; left out
        where there are none.
    @ivar restriction: what the client may not do; left out where nothing is restricted.
    """

    room: str
    connection: str
    user: User
    epoch: str
    seq: int
    limits: Limits
    heartbeat: int
    time: int
    can: Can
    expires: int | None = None
    settings: RoomSettings | None = None
    restriction: Notice | None = None


class Rights(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="rights"):
    """
    The client's rights from now on: the answer to `Auth`, and whenever they change.

    @ivar expires: as in `Hello`.
    @ivar expiring: the token ends within a minute.
    @ivar restriction: as in `Hello`.
    """

    can: Can
    expires: int | None = None
    expiring: bool = False
    restriction: Notice | None = None


class Ack(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="ack"):
    """
    A message is stored; or the event of an edit or a retraction; or something else was done.

    @ivar seq: its number; left out where nothing is numbered.
    @ivar duplicate: the act was done before.
    @ivar count: how many messages were retracted; left out otherwise.
    @ivar case: the id of the case that was opened or decided.
    @ivar address: whether an address was restricted, too; left out where that was not asked for.
    @ivar name: the client's from now on; left out where it asked for none.
    """

    seq: int | None = None
    time: int
    nonce: str | None = None
    duplicate: bool = False
    count: int | None = None
    case: str | None = None
    address: bool | None = None
    name: str | None = None


class Said(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="message"):
    """
    A message was said.

    @ivar reply_to: the number of the entry that it answers.
    @ivar data: a JSON object, for the clients.
    @ivar edited: when this text took the place of the first one.
    """

    message: str
    seq: int
    time: int
    user: User | None = None
    reply_to: int | None = None
    data: Raw | None = None
    edited: int | None = None


class Event(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="event"):
    """
    An event that changes messages.  Kinds may come that a client does not know: they are numbered
    too, so it advances over them.

    @ivar event: ``retracted``: *refs* were retracted, *by* their author or a moderator;
        ``edited``: *ref* has this *text* and these *data*, or none; ``gone``: the entry with this
        number was retracted, or edited again.
    """

    event: Literal["retracted", "edited", "gone"]
    seq: int
    time: int
    refs: tuple[int, ...] | None = None
    by: Literal["author", "moderator"] | None = None
    ref: int | None = None
    text: str | None = None
    data: Raw | None = None


class Resumed(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="resumed"):
    """
    The answer to `Resume`; or, unasked, a gap in a live connection.

    @ivar complete: all entries follow; otherwise *reason* says which are missing.
    @ivar reason: ``trimmed``: entries older than *oldest* are gone; ``epoch``: numbering
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
    A page, oldest first: messages only, with their present text.

    @ivar first: the first number of the page's range.
    @ivar last: the last one; ``first - 1`` if none was.
    @ivar more: there are others beyond them, in the direction that was asked for.
    """

    messages: Sequence[Message]
    first: int
    last: int
    more: bool


class Present(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="presence"):
    """
    The users who are here.

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


class Renamed(Struct, frozen=True, tag_field="type", tag="renamed"):
    """A user has another name; *user* has the new one."""

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
    The code and the words of an error.

    @ivar code: for programs.
    @ivar detail: for people.
    @ivar retry_ms: milliseconds after which the same may work; left out where it won't.
    @ivar reason: a moderator's own words, which *detail* has too.
    @ivar case: the id of the case under which a message waits for a review.
    """

    code: str
    detail: str
    retry_ms: int | None = None
    reason: str | None = None
    case: str | None = None


class Error(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="error"):
    """
    An act was not done; with the code ``unknown`` it may have been.

    @ivar nonce: that of the message that was refused.
    """

    error: ErrorText
    nonce: str | None = None


class Pong(Struct, frozen=True, tag_field="type", tag="pong"):
    """The answer to `Ping`."""


class RoomChanged(Struct, frozen=True, tag_field="type", tag="room"):
    """
    The room has other settings.

    @ivar settings: as in `Hello`; those that are left out are the usual ones.
    """

    settings: RoomSettings


class CaseChanged(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="case"):
    """
    A case was opened or decided.  Those that moderate the room get all of it; the author of a
    held message, and a reporter, what concerns them.

    @ivar nonce: that of the held message; for its author.
    @ivar seq: the number under which a held message was stored.
    @ivar ref: the number of the message that was reported.
    @ivar reason: the reviewer's, or for those that moderate the reporter's, while it is open.
    @ivar time: when it came.
    @ivar user: the author of the message; as *message*, *reporter* and *reviewer* only for those
        that moderate.
    """

    case: str
    kind: CaseKind
    state: CaseState
    nonce: str | None = None
    seq: int | None = None
    ref: int | None = None
    reason: str | None = None
    time: int | None = None
    user: User | None = None
    message: str | None = None
    data: Raw | None = None
    reply_to: int | None = None
    reporter: User | None = None
    reviewer: Author | None = None


class Moderated(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="moderated"):
    """The room was moderated; only moderators get this."""

    action: Recorded
    by: Author
    time: int
    text: str | None = None


class GoAway(Struct, frozen=True, tag_field="type", tag="goaway"):
    """The server is about to close; come back after *retry_ms* milliseconds."""

    retry_ms: int


ServerFrame = (
    Hello
    | Rights
    | Ack
    | Said
    | Event
    | Resumed
    | History
    | Present
    | Joined
    | Left
    | Renamed
    | Typing
    | Error
    | Pong
    | RoomChanged
    | CaseChanged
    | Moderated
    | GoAway
)


def error_of(reason: ChatError, nonce: str | None = None) -> Error:
    """Make the frame for a `ChatError`."""
    wait = reason.retry_after
    retry_ms = None if wait is None else max(1, round(1000 * wait))
    told = ErrorText(reason.kind.code, reason.detail, retry_ms, reason.reason or None, reason.case)
    return Error(told, nonce)
