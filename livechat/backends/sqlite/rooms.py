"""
Rooms with entries in the journal (`livechat.backends.sqlite.journal`), and their shares of a group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from livechat.backends.records import Record, to_entry
from livechat.protocol.messages import Entry, Message, User, user_of_text, user_to_text


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

    def entry(self) -> Entry:
        """
        Return what is shown.

        @raise ValueError: the row is none that this livechat knows.
        """
        user = None if self.user is None else user_of_text(self.user)
        if not self.kind and self.extra is None:
            # As nearly all are.
            return Message(self.text, self.seq, self.time, user)
        return to_entry(Record(self.kind, self.text, self.extra), self.seq, self.time, user)


class Room(Struct, frozen=True, gc=False):
    """
    A room, and its entries in the journal.

    @ivar moved: the newest number in `messages`.
    @ivar event: the number of the newest event; 0 if there never was one.
    @ivar floor: the oldest number that may be shown, by the room's limits.
    @ivar top: the newest number.
    @ivar time: that of the newest entry.
    @ivar rows: those after `moved`; what is newer than `top` is of a room after this one.
    """

    id: int
    moved: int
    event: int
    floor: int
    top: int
    time: int
    rows: list[Row]

    def find(self, seq: int) -> Row | None:
        """Return the entry with that number, if it is in the journal."""
        return self.rows[seq - self.moved - 1] if self.moved < seq <= self.top else None

    def since(self, seq: int, limit: int) -> Sequence[Row]:
        """Return the entries of the journal from *seq* on, *limit* at most."""
        start = max(0, seq - self.moved - 1)
        return self.rows[start : min(start + limit, self.top - self.moved)]

    def matches(self, top: int, event: int) -> bool:
        """Tell whether the file is in the same state, whose row of the room has these."""
        return top == self.moved and event == self.event


class Moment(NamedTuple):
    """
    The time of a group, in milliseconds since 1970, UTC.

    @ivar latest: a wrong clock has stamped what is later.
    """

    now: int
    latest: int

    def stamp(self, before: int) -> int:
        """Return the time of an entry after one of the time *before*."""
        return self.now if before > self.latest else max(before, self.now)


class Share:
    """
    A room's new entries in a group.

    @ivar room: before the group.
    @ivar time: that of the entries.
    @ivar floor: after the group.
    @ivar event: after the group.
    @ivar changed: entries of the journal that are others now, by number.
    """

    __slots__ = ("changed", "event", "floor", "room", "rows", "time")

    def __init__(self, room: Room, time: int) -> None:
        self.room = room
        self.time = time
        self.rows: list[Row] = []
        self.floor = room.floor
        self.event = room.event
        self.changed: Mapping[int, Row] = {}

    def add(self, text: str, user: str | None) -> Row:
        """Add a message, of which these are all."""
        row = Row(self.room.id, self.top + 1, self.time, text, user)
        self.rows.append(row)
        return row

    @property
    def top(self) -> int:
        """The newest number after the group."""
        return self.room.top + len(self.rows)

    def store(self) -> Room:
        """Return the room after the group, to whose rows the new ones are added."""
        room, rows, top = self.room, self.room.rows, self.top
        if self.changed:
            rows = [self.changed.get(row.seq, row) for row in rows]
        rows.extend(self.rows)
        return Room(room.id, room.moved, self.event, self.floor, top, self.time, rows)


def as_text(user: User | None) -> str | None:
    """A user as the file has it."""
    return None if user is None else user_to_text(user)
