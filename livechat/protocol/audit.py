"""
Records of the audit: what operators did, as the texts of entries of an internal room.

    {"action":{"type":"retract","ref":1042,"user":{…}},"by":{…},"room":"lobby","text":"…"}

A livechat that does not know the type of an action reads the rest of its record.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from livechat.protocol.messages import User

#: Acts that this version records; later ones may record more.
Recorded = Literal[
    "sign_in", "sign_out", "message", "retract", "operator_add", "operator_change", "operator_drop",
    "key_add", "key_drop", "revoke", "restrict", "pardon", "room", "clear", "review",
    "trace", "forget", "rewind",
]  # fmt: skip


class Action(Struct, frozen=True, omit_defaults=True):
    """
    An act of an operator.

    @ivar type: a `Recorded`, or one of another livechat.
    @ivar seq: the number of the message that was sent.
    @ivar ref: the number of the message that was removed.
    @ivar user: the author of that message, the owner of revoked tokens, or the person that was
        restricted or pardoned; left out if unknown.
    @ivar name: the operator, or the key, that was added, changed or dropped; the receiver of
        webhooks that is told anew.
    @ivar key: the id of that key.
    @ivar token: the id of the token that was revoked.
    @ivar kind: of a restriction: ``mute``, ``hold`` or ``ban``.
    @ivar seconds: how long it holds; left out where it does not end by itself.
    @ivar address: addresses of the person were restricted, too.
    @ivar reason: as it was told to the person.
    @ivar set: the settings that were changed.
    @ivar case: the id of the case that was reviewed, or under which somebody was forgotten.
    @ivar verdict: ``approve``, ``reject`` or ``close``.
    @ivar count: how many messages were removed.
    @ivar person: the id of the person that was traced.
    @ivar texts: the trace had the texts, too.
    """

    type: str
    seq: int | None = None
    ref: int | None = None
    user: User | None = None
    name: str | None = None
    key: str | None = None
    token: str | None = None
    kind: str | None = None
    seconds: int | None = None
    address: bool = False
    reason: str | None = None
    set: dict[str, Any] | None = None
    case: str | None = None
    verdict: str | None = None
    count: int | None = None
    person: str | None = None
    texts: bool = False


class Author(Struct, frozen=True, omit_defaults=True):
    """
    The author of an act.  An address is not recorded.

    @ivar kind: ``operator``, ``key``, ``user`` or ``guest``, as of an actor.
    @ivar name: an operator's or a key's; left out where the shared password was used.
    """

    kind: str
    user: User | None = None
    name: str | None = None


class AuditRecord(Struct, frozen=True, omit_defaults=True):
    """
    A record.

    @ivar room: where it was done, or the pattern of rooms; left out where it concerns no room.
    @ivar text: the text that was removed by another than its author.
    """

    action: Action
    by: Author
    room: str | None = None
    text: str | None = None


_decoder: Final = msgspec.json.Decoder(AuditRecord)


def record_to_text(record: AuditRecord) -> str:
    """Write a record as JSON."""
    return msgspec.json.encode(record).decode()


def record_of_text(text: str) -> AuditRecord:
    """
    Read a record back from `record_to_text`.

    @raise ValueError: the text is no record.
    """
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError) as reason:
        raise ValueError(str(reason)) from None
