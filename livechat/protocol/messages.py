"""
Users, entries and places in a room's stream: the words that everything else is said in.

A room's stream holds *entries*, numbered 1, 2, 3, ... without holes: messages, and *events* that
change messages before them.  Retracting a message empties it, and stores a `Retracted`.  Editing
gives it a new text, and stores an `Edited`.  An event has a number of its own.  So members are
told of a change as they are told of a message, and a member that resumes misses neither.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Final, Literal, NamedTuple

from msgspec import Raw, Struct

#: Separates an id from a role, and a role from `_VERIFIED`, in stored users.
_ROLE: Final = "\t"
_VERIFIED: Final = "v"
#: The kind of a retraction's actor.
By = Literal["author", "moderator"]
#: Edits of a message at most.
MOST_EDITS: Final = 20
#: Messages that one action can retract.
MOST_REFS: Final = 100


class User(Struct, frozen=True, omit_defaults=True):
    """
    A user, as others see it.

    @ivar id: nobody else of its kind has it; 1 to 64 characters without blanks.
    @ivar name: 1 to 40 characters, which others may have too.
    @ivar role: ``operator`` for an operator, left out for a guest; others may come.
    @ivar verified: the site vouches for the user; left out for guests.
    """

    id: str
    name: str
    role: str | None = None
    verified: bool = False

    @property
    def subject(self) -> str:
        """
        The kind and the id: nobody else has both.  A guest's id is public, and a site's users
        may choose theirs, so the id alone does not say whose a message is.
        """
        return f"{'u' if self.verified else 'g'}:{self.id}"


def user_to_text(user: User) -> str:
    """
    Write a user as stores keep it: ``id name``, or ``id``, a tab and ``role name``, or ``id``, a
    tab, the role if any, a tab and ``v name`` where it is verified.

    A livechat that knows no roles reads the other forms too, as a longer id.
    """
    if user.verified:
        return f"{user.id}{_ROLE}{user.role or ''}{_ROLE}{_VERIFIED} {user.name}"
    if user.role is None:
        return f"{user.id} {user.name}"
    return f"{user.id}{_ROLE}{user.role} {user.name}"


def user_of_text(text: str) -> User:
    """
    Read a user back from `user_to_text`.

    @raise ValueError: the text is no user.
    """
    # The role is before the first blank, so that a name cannot contain one.
    head, _, name = text.partition(" ")
    known_as, _, rest = head.partition(_ROLE)
    role, _, verified = rest.partition(_ROLE)
    if not (known_as and name):
        raise ValueError("not a user")
    return User(known_as, name, role or None, verified == _VERIFIED)


class Throttle(Struct, frozen=True):
    """
    The pace of a room, which its store keeps for all processes.

    @ivar key: whose messages count together: a subject, or the mark of an address.
    @ivar slow: seconds between two messages of one key; 0: none.
    @ivar rate: messages a second of all together; 0: no limit.
    """

    key: str
    slow: int = 0
    rate: int = 0


class Draft(Struct, frozen=True):
    """
    A message that a client asked to send: checked, but neither numbered nor stored.

    @ivar user: the author; None if unknown.
    @ivar nonce: of two acts in a room with the same one, only the first is stored.
    @ivar sender: the sender's address, as rate limits count it.
    @ivar reply_to: the number of the entry that it answers.
    @ivar data: a JSON object without insignificant white space, for the clients.
    @ivar throttle: refuses it if the room's pace is too fast; None: it does not count.
    @ivar original: the text that was sent, where the site has rewritten it.  By that one a
        repetition is known.
    """

    room: str
    message: str
    user: User | None = None
    nonce: str | None = None
    sender: str = ""
    reply_to: int | None = None
    data: Raw | None = None
    throttle: Throttle | None = None
    original: str | None = None


class Edit(Struct, frozen=True):
    """
    A new text for a message, that a client asked for: checked, but neither numbered nor stored.

    @ivar ref: the number of the message.
    @ivar author: the subject (`User.subject`) that the message must be of.
    @ivar since: the message must not be older, in milliseconds since 1970, UTC.
    @ivar data: what takes the place of its data; None removes them.
    @ivar original: as in `Draft`.
    """

    room: str
    ref: int
    message: str
    author: str
    since: int = 0
    data: Raw | None = None
    nonce: str | None = None
    sender: str = ""
    original: str | None = None


class Retraction(Struct, frozen=True):
    """
    An actor's request to retract messages: checked, but neither numbered nor stored.

    @ivar refs: their numbers, increasing; `MOST_REFS` at most.
    @ivar author: the subject (`User.subject`) of the actor; None if it has no user.
    @ivar moderates: messages of others may be among them.
    """

    room: str
    refs: tuple[int, ...]
    author: str | None = None
    moderates: bool = False
    nonce: str | None = None
    sender: str = ""


class Redaction(Struct, frozen=True):
    """
    Entries of a room that are to have other texts, or to be emptied, without a word about it.

    Nobody but the server itself asks for it.

    @ivar changes: a text for the message with this number; None empties the message or the edit
        with it, and the event of the message's last edit.  `MOST_REFS` at most.
    """

    room: str
    changes: dict[int, str | None]
    nonce: str | None = None
    sender: str = ""

    @property
    def refs(self) -> tuple[int, ...]:
        """The numbers, increasing."""
        return tuple(sorted(self.changes))


Amendment = Edit | Retraction | Redaction
#: Acts that clients ask to store; a nonce may be used for any of them.
Submission = Draft | Amendment


class Message(Struct, frozen=True, omit_defaults=True):
    """
    A stored message, as it stands in a history.

    @ivar seq: its number in the room's stream: 1, 2, 3, ... without holes.
    @ivar time: when it was stored, in milliseconds since 1970, UTC; never
        less than that of the entry before it.
    @ivar user: the author; left out if unknown.
    @ivar reply_to: the number of the entry that it answers; left out where it answers none.
    @ivar data: a JSON object, for the clients; left out where there is none.
    @ivar edited: when its present text was stored; left out where that is the first one.
    """

    message: str
    seq: int
    time: int
    user: User | None = None
    reply_to: int | None = None
    data: Raw | None = None
    edited: int | None = None


class Repeated(Message, frozen=True):
    """
    A message whose nonce was known: as it was stored the first time.  It was delivered
    then, and is not now.
    """


class Retracted(Struct, frozen=True):
    """
    An event: messages were retracted.

    @ivar refs: their numbers, increasing.
    """

    seq: int
    time: int
    refs: tuple[int, ...]
    by: By


class Edited(Struct, frozen=True):
    """
    An event: a message has a new text, and these data or none.

    @ivar ref: the number of the message.
    """

    seq: int
    time: int
    ref: int
    text: str
    data: Raw | None = None


class Gone(Struct, frozen=True):
    """The entry of a history in place of a retracted message or event."""

    seq: int
    time: int


Event = Retracted | Edited | Gone
Entry = Message | Event


def retracted_by(entries: Iterable[Entry]) -> frozenset[int]:
    """Return the numbers that the retractions among *entries* name."""
    return frozenset(ref for each in entries if isinstance(each, Retracted) for ref in each.refs)


def without(entries: Iterable[Entry], refs: Container[int]) -> list[Entry]:
    """Return *entries* as they are once the messages *refs* are retracted."""
    return [Gone(each.seq, each.time) if _speaks(each, refs) else each for each in entries]


def _speaks(entry: Entry, refs: Container[int]) -> bool:
    """Tell whether *entry* has text of one of the messages *refs*."""
    if isinstance(entry, Message):
        return entry.seq in refs
    return isinstance(entry, Edited) and entry.ref in refs


def characters(entry: Entry) -> int:
    """Estimate how long *entry* is."""
    if isinstance(entry, Message):
        return len(entry.message) + (len(bytes(entry.data)) if entry.data is not None else 0)
    return len(entry.text) if isinstance(entry, Edited) else 0


class Amended(Struct, frozen=True):
    """
    The result of an `Amendment`.

    @ivar event: as stored and delivered; that of a `Redaction` says nothing.
    @ivar before: the messages that it has changed, as they were.
    @ivar repeated: the nonce was known: the event was stored and delivered the first time.  Then
        only its number and time are certain, and *before* is empty.
    """

    event: Retracted | Edited | Gone
    before: tuple[Message, ...] = ()
    repeated: bool = False


class Place(NamedTuple):
    """A place in a room's stream: behind entry *seq* of *epoch*; 0 is the beginning."""

    epoch: str
    seq: int


class Position(Struct, frozen=True):
    """
    The end of a room's stream.

    @ivar epoch: names the numbering.  While it stays the same, a `seq` means
        the same entry; two positions of different epochs do not compare.
    @ivar seq: the number of the newest entry; 0 if there never was one.
    @ivar oldest: the number of the oldest entry kept; ``seq + 1`` if none is.
    @ivar event: the number of the newest event; 0 if there never was one.  All entries that are
        newer are messages; and all that are kept, if it is not.
    """

    epoch: str
    seq: int
    oldest: int
    event: int = 0


class Page(Struct, frozen=True):
    """Consecutive entries of one room, oldest first, and its position when they were read."""

    position: Position
    entries: tuple[Entry, ...]

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages among them."""
        return tuple(entry for entry in self.entries if isinstance(entry, Message))


class Newest(Struct, frozen=True, gc=False):
    """
    The newest entry that a room ever had, kept or not.

    @ivar seq: its number; 0 if there never was one.
    @ivar time: when it was stored, in milliseconds since 1970, UTC; or 0.
    """

    seq: int
    time: int
