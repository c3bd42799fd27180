"""
Restrictions of people, and cases: what moderators decide, as all processes share it.

A *restriction* takes something away from a subject (`livechat.protocol.messages.User.subject`), or
from everybody at an address.  A *case* is a message that waits for a review, or a report.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from livechat.protocol.audit import Author
from livechat.protocol.messages import User

#: Kinds of restrictions: no sending; messages wait for a review; no access at all.
RestrictionKind = Literal["mute", "hold", "ban"]
#: The right by which something was done.
ByRight = Literal["moderate", "manage"]
#: A message that waits for a review, or one that somebody complains of.
CaseKind = Literal["held", "report"]
CaseState = Literal["open", "approved", "rejected", "closed"]
Verdict = Literal["approve", "reject", "close"]

#: Characters of a reason.
LONGEST_REASON: Final = 200
#: Seconds of the longest restriction that ends by itself.
LONGEST_RESTRICTION: Final = 10 * 366 * 86_400
#: Seconds for which an address is restricted at most: another person may have it tomorrow.
LONGEST_ADDRESS: Final = 86_400
#: Characters of a case's id.
LONGEST_CASE: Final = 32

Reason = Annotated[str, Meta(max_length=LONGEST_REASON)]
CaseId = Annotated[str, Meta(min_length=1, max_length=LONGEST_CASE)]


class Restriction(Struct, frozen=True, omit_defaults=True):
    """
    A restriction of a user: rights taken away, for a time or for good.

    @ivar by: the right by which it was made.  It binds nobody that has the same one or a higher.
    @ivar user: the restricted user; of an address, the user that brought its restriction.
    @ivar author: the moderator; only moderators see it.
    @ivar made: when, in seconds since 1970.
    @ivar until: when it ends, in seconds since 1970; None: not by itself.
    @ivar reason: told to the person.
    @ivar address: addresses of the user are to be restricted, too.
    @ivar via: the subject because of which this address is restricted; "" if it is no address.
    """

    kind: RestrictionKind
    by: ByRight
    user: User
    author: Author
    made: int
    until: int | None = None
    reason: str = ""
    address: bool = False
    via: str = ""


class Notice(Struct, frozen=True, omit_defaults=True):
    """
    A restriction, as the person is told of it.

    @ivar until: as in `Restriction`.
    """

    kind: RestrictionKind
    until: int | None = None
    reason: str = ""


class Case(Struct, frozen=True, omit_defaults=True):
    """
    A message that waits for a review, or a report of one that was said.

    @ivar time: when it came, in milliseconds since 1970.
    @ivar user: the author of the message; None if unknown.
    @ivar owner: whose case it is, so that nobody opens too many: a subject, or the mark of an
        address.
    @ivar data: of the message, as JSON; "" where there are none.
    @ivar nonce: of the message that waits, as its sender gave it.
    @ivar once: the same, as the store is to know it.
    @ivar ref: the number of the message that is reported.
    @ivar reporter: told to those that moderate only.
    @ivar reason: the reporter's.
    @ivar verdict_reason: the reviewer's, told to author and reporter.
    @ivar reviewer: told to those that moderate only.
    @ivar decided: when it was, in seconds since 1970.
    @ivar seq: the number under which a message that waited was stored.
    """

    kind: CaseKind
    state: CaseState
    room: str
    time: int
    user: User | None
    message: str
    owner: str
    data: str = ""
    reply_to: int | None = None
    nonce: str | None = None
    once: str | None = None
    ref: int | None = None
    reporter: User | None = None
    reason: str = ""
    verdict_reason: str = ""
    reviewer: Author | None = None
    decided: int | None = None
    seq: int | None = None
