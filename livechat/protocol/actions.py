"""
Actions: what clients do, as frames of ``livechat.v1`` and as bodies of ``POST /chat/actions/``.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Raw, Struct, field

from livechat.protocol.messages import MOST_REFS
from livechat.protocol.moderation import (
    LONGEST_RESTRICTION,
    CaseId,
    Reason,
    RestrictionKind,
    Verdict,
)
from livechat.protocol.settings import AskedChange
from livechat.protocol.values import Data, Nonce, Ref

#: Characters of a token's id.
LONGEST_TOKEN_ID: Final = 200
#: Characters of a user's id.
LONGEST_USER_ID: Final = 64

UserId = Annotated[str, Meta(min_length=1, max_length=LONGEST_USER_ID)]
Seconds = Annotated[int, Meta(ge=1, le=LONGEST_RESTRICTION)]


class Say(Struct, frozen=True, tag_field="type", tag="message"):
    """
    Say something.

    @ivar nonce: the same one from the same user in the same room is the same act.
    @ivar reply_to: the number of the entry that it answers.
    @ivar data: a JSON object, for the clients.
    """

    message: str
    nonce: Nonce | None = None
    reply_to: Ref | None = None
    data: Data = field(default_factory=Raw)


class Reword(Struct, frozen=True, tag_field="type", tag="edit"):
    """
    Give a message of one's own another text.

    @ivar ref: the number of the message.
    @ivar data: what takes the place of its data; left out, they are removed.
    @ivar nonce: as in `Say`.
    """

    ref: Ref
    message: str
    data: Data = field(default_factory=Raw)
    nonce: Nonce | None = None


class Retract(Struct, frozen=True, tag_field="type", tag="retract"):
    """
    Take messages back: *ref*, or all *refs*, or what *user* said.

    @ivar user: the id of their author; a guest's if *guest*, else that of a user of the site.
    @ivar seconds: the greatest age of the messages; left out, of any age.
    @ivar nonce: as in `Say`.
    """

    ref: Ref | None = None
    refs: Annotated[tuple[Ref, ...], Meta(min_length=1, max_length=MOST_REFS)] | None = None
    user: UserId | None = None
    guest: bool = False
    seconds: Seconds | None = None
    nonce: Nonce | None = None


class Clear(Struct, frozen=True, tag_field="type", tag="clear"):
    """
    Take back all messages of the room that are kept.

    @ivar nonce: comes back with the ack.
    """

    nonce: Nonce | None = None


class Restrict(Struct, frozen=True, tag_field="type", tag="restrict"):
    """
    Take something from a person, in this room or everywhere.  Another restriction of the person
    there is replaced.

    @ivar user: as in `Retract`.
    @ivar seconds: how long; left out, until it is pardoned.
    @ivar reason: told to the person.
    @ivar retract: their messages of these last seconds are retracted.
    @ivar address: everybody at their address is restricted as well, for a day at most.
    @ivar everywhere: in all rooms.
    @ivar nonce: comes back with the ack.
    """

    user: UserId
    kind: RestrictionKind
    guest: bool = False
    seconds: Seconds | None = None
    reason: Reason = ""
    retract: Seconds | None = None
    address: bool = False
    everywhere: bool = False
    nonce: Nonce | None = None


class Pardon(Struct, frozen=True, tag_field="type", tag="pardon"):
    """
    End a person's restriction.

    @ivar user: as in `Retract`.
    @ivar everywhere: that in all rooms; else that in this room.
    @ivar nonce: comes back with the ack.
    """

    user: UserId
    guest: bool = False
    everywhere: bool = False
    nonce: Nonce | None = None


class ChangeRoom(Struct, frozen=True, tag_field="type", tag="room"):
    """
    Change settings of the room.

    @ivar set: null lets a setting be inherited again.
    @ivar nonce: comes back with the ack.
    """

    set: AskedChange
    nonce: Nonce | None = None


class Complain(Struct, frozen=True, tag_field="type", tag="report"):
    """
    Report a message to those that moderate.

    @ivar ref: the number of the message.
    @ivar nonce: comes back with the ack.
    """

    ref: Ref
    reason: Reason = ""
    nonce: Nonce | None = None


class Review(Struct, frozen=True, tag_field="type", tag="review"):
    """
    Decide a case: say a held message, or do not; or close a report.

    @ivar reason: told to the author, or the reporter.
    @ivar nonce: comes back with the ack.
    """

    case: CaseId
    verdict: Verdict
    reason: Reason = ""
    nonce: Nonce | None = None


class Rename(Struct, frozen=True, tag_field="type", tag="rename"):
    """
    Change one's name in this room; for guests.

    @ivar name: as ``?name=`` in the address.
    @ivar nonce: comes back with the ack.
    """

    name: str
    nonce: Nonce | None = None


class Revoke(Struct, frozen=True, tag_field="type", tag="revoke"):
    """
    Refuse the tokens of a user of the site that were issued until now; or the one token with this
    id (its ``jti``).

    @ivar nonce: comes back with the ack.
    """

    user: str | None = None
    token: Annotated[str, Meta(min_length=1, max_length=LONGEST_TOKEN_ID)] | None = None
    nonce: Nonce | None = None


class Forget(Struct, frozen=True, tag_field="type", tag="forget"):
    """
    Forget a person everywhere: their messages, name and id.

    @ivar user: as in `Retract`.
    @ivar nonce: comes back with the ack.
    """

    user: UserId
    guest: bool = False
    nonce: Nonce | None = None


Action = (
    Say
    | Reword
    | Retract
    | Clear
    | Restrict
    | Pardon
    | ChangeRoom
    | Complain
    | Review
    | Rename
    | Revoke
    | Forget
)
