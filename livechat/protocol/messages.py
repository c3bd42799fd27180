"""Users, messages and places in a room's stream: the words that everything else is said in."""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec import Struct

#: Separates an id from a role in stored users.
_ROLE: Final = "\t"


class User(Struct, frozen=True, omit_defaults=True):
    """
    A user, as others see it.

    @ivar id: nobody else has it; 1 to 64 characters without blanks.
    @ivar name: 1 to 40 characters, which others may have too.
    @ivar role: ``operator`` for an operator, left out for a guest; others may come.
    """

    id: str
    name: str
    role: str | None = None


def user_to_text(user: User) -> str:
    """
    Write a user as stores keep it: ``id name``, or ``id``, a tab and ``role name``.

    A livechat that knows no roles reads the second form too, as a longer id.
    """
    if user.role is None:
        return f"{user.id} {user.name}"
    return f"{user.id}{_ROLE}{user.role} {user.name}"


def user_of_text(text: str) -> User:
    """
    Read a user back from `user_to_text`.

    @raise ValueError: the text is no user.
    """
    # The role stands before the first blank: no name can bring one along.
    head, _, name = text.partition(" ")
    known_as, _, role = head.partition(_ROLE)
    if not (known_as and name):
        raise ValueError("not a user")
    return User(known_as, name, role or None)


class Draft(Struct, frozen=True):
    """
    A message that a client asked to send: checked, but neither numbered nor stored.

    @ivar user: the author; None if unknown.
    @ivar nonce: of two messages of a room with the same one, only the first is stored.
    @ivar sender: what counts as the address that it came from.
    """

    room: str
    message: str
    user: User | None = None
    nonce: str | None = None
    sender: str = ""


class Message(Struct, frozen=True, omit_defaults=True):
    """
    A stored message, as it stands in a history.

    @ivar seq: its number in the room's stream: 1, 2, 3, ... without holes.
    @ivar time: when it was stored, in milliseconds since 1970, UTC; never
        less than that of the message before it.
    @ivar user: the author; left out if unknown.
    """

    message: str
    seq: int
    time: int
    user: User | None = None


class Repeated(Message, frozen=True):
    """
    A message whose nonce was known: as it was stored the first time.  It was delivered
    then, and is not now.
    """


class Place(NamedTuple):
    """A place in a room's stream: behind message *seq* of *epoch*; 0 is the beginning."""

    epoch: str
    seq: int


class Position(Struct, frozen=True):
    """
    How far a room's stream reaches.

    @ivar epoch: names the numbering.  While it stays the same, a `seq` means
        the same message; two positions of different epochs do not compare.
    @ivar seq: the number of the newest message; 0 if there never was one.
    @ivar oldest: the number of the oldest message kept; ``seq + 1`` if none is.
    """

    epoch: str
    seq: int
    oldest: int


class Page(Struct, frozen=True):
    """Consecutive messages of one room, oldest first, and its position when they were read."""

    position: Position
    messages: tuple[Message, ...]


class Newest(Struct, frozen=True, gc=False):
    """
    The newest message that a room ever had, kept or not.

    @ivar seq: its number; 0 if there never was one.
    @ivar time: when it was stored, in milliseconds since 1970, UTC; or 0.
    """

    seq: int
    time: int
