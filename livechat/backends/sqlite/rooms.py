"""
Rooms with entries in the journal (`livechat.backends.sqlite.journal`), and groups of entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import NamedTuple

from msgspec import Struct

from livechat.backends.records import Record, to_entry
from livechat.protocol.messages import Entry, Message, User, user_of_text


class Users(dict[str | None, User | None]):
    """Users of a page, by their stored texts: few users say most of what is said in a room."""

    def __missing__(self, text: str | None) -> User | None:
        """
        @raise ValueError: *text* is no user.
        """
        self[text] = found = None if text is None else user_of_text(text)
        return found


class Row(Struct, frozen=True, array_like=True, gc=False):
    """
    An entry (`livechat.backends.records`) as the file has it.

    @ivar room: the id of the room's row.
    """

    room: int
    seq: int
    time: int
    text: str
    user: str | None = None
    kind: int = 0
    extra: str | None = None

    def entry(self, users: Users | None = None) -> Entry:
        """
        Return the entry of this row.

        @param users: those that were read before.
        @raise ValueError: this livechat knows no such row.
        """
        user = (Users() if users is None else users)[self.user]
        if not self.kind and self.extra is None:
            # Nearly all entries are plain messages.
            return Message(self.text, self.seq, self.time, user)
        return to_entry(Record(self.kind, self.text, self.extra), self.seq, self.time, user)


class Moment(NamedTuple):
    """
    The time of a group, in milliseconds since 1970, UTC.

    @ivar latest: the latest time of entries, but for stamps of a wrong clock.
    """

    now: int
    latest: int

    def stamp(self, before: int) -> int:
        """Return the time of an entry after one of the time *before*."""
        return before if self.now < before <= self.latest else self.now


class Room(Struct, gc=False):
    """
    A room, and its entries in the journal.

    A room does not change once the journal has it.  Only its `rows`, which it shares with the room
    that takes its place, may grow beyond `top`.

    @ivar moved: the newest number in `messages`.
    @ivar event: the number of the newest event; 0 if there never was one.
    @ivar floor: the oldest number that may be shown, by the room's limits.
    @ivar top: the newest number.
    @ivar time: that of the newest entry.
    @ivar rows: those after `moved`.
    """

    id: int
    moved: int
    event: int
    floor: int
    top: int
    time: int
    rows: list[Row]

    def next(self, moment: Moment) -> Room:
        """Return a room to which a group may add: as this one, but for the time."""
        room = copy(self)
        room.time = moment.stamp(self.time)
        return room

    def find(self, seq: int) -> Row | None:
        """Return the entry with that number, if it is in the journal."""
        return self.rows[seq - self.moved - 1] if self.moved < seq <= self.top else None

    def since(self, seq: int, limit: int) -> Sequence[Row]:
        """Return the entries of the journal from *seq* on, *limit* at most."""
        start = max(0, seq - self.moved - 1)
        return self.rows[start : min(start + limit, self.top - self.moved)]

    def matches(self, top: int, event: int) -> bool:
        """Tell whether the file is in the same state: its row of the room has *top* and *event*."""
        return top == self.moved and event == self.event


class Group(Struct, gc=False):
    """
    The rows that one transaction adds to the journal.

    @ivar rooms: as they are after it, by name.
    @ivar rows: the new entries.
    @ivar changed: entries of the journal that are others now, by room and number.
    @ivar floors: those that were raised, by room.
    @ivar events: the numbers of the newest events, by room, where there are new ones.
    """

    rooms: dict[str, Room]
    rows: list[Row]
    changed: dict[tuple[int, int], Row] = {}
    floors: dict[int, int] = {}
    events: dict[int, int] = {}
