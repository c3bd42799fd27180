"""
Bounds of what the embedded backend's file holds for receivers outside.

Held entries (`livechat.backends.outbox`) lie between a room's `bottom` and its `floor`; `held` says
that there are such.  Of one room so many are held at most.  Where all rooms together hold too many,
those that hold most lose their oldest entries, down to a level that all of them share.

Bytes are estimated by the mean length of entries lately: to add up the texts would read them all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from livechat.backends import outbox

_COUNT: Final = "SELECT coalesce(sum(floor - bottom), 0) FROM rooms WHERE held"
_ALL: Final = "SELECT id, bottom, floor FROM rooms WHERE held"
_DROP: Final = "DELETE FROM messages WHERE room = ? AND seq < ?"
_RAISE: Final = "UPDATE rooms SET bottom = ? WHERE id = ?"


class Holding:
    """Keeps rooms of one file from losing what waits; used in the thread that writes."""

    def __init__(
        self, lowest: Callable[[sqlite3.Connection, Iterable[int]], Mapping[int, int]]
    ) -> None:
        """
        @param lowest: finds the numbers that all receivers were told of, by room; nothing without
            receivers.
        """
        self._lowest = lowest
        self._told: Mapping[int, int] = {}
        # The mean length of an entry.
        self._length = outbox.MOST_BYTES / outbox.MOST

    @property
    def most(self) -> int:
        """Entries that may be held."""
        return max(1, min(outbox.MOST, int(outbox.MOST_BYTES / self._length)))

    def measure(self, entries: int, size: int) -> None:
        """Count entries moved out of the journal, and their bytes together."""
        weight = min(1.0, size / outbox.MOST_BYTES)
        self._length += weight * (size / entries - self._length)

    def look_up(self, db: sqlite3.Connection, rooms: Iterable[int]) -> None:
        """Find how far receivers were told of *rooms*, which are asked for next."""
        self._told = self._lowest(db, rooms)

    @property
    def holds(self) -> bool:
        """Tell whether there are receivers."""
        return bool(self._told)

    def waits(self, room: int, name: str, top: int) -> bool:
        """Tell whether an entry up to *top* waits."""
        told = self._told.get(room)
        return told is not None and told < top and outbox.is_told(name)

    def first(self, room: int, name: str, shown: int, top: int) -> int:
        """
        Find the oldest number that is kept.

        @param room: its id.
        @param shown: the oldest number that the history shows.
        """
        if not self.waits(room, name, shown - 1):
            return shown
        return outbox.first_held(shown, self._told[room], top, self.most)

    def squeeze(self, db: sqlite3.Connection, budget: int) -> int:
        """Drop entries, up to *budget*, while too many are held; return how many."""
        (held,) = db.execute(_COUNT).fetchone()
        if held <= self.most:
            return 0
        rooms = db.execute(_ALL).fetchall()
        level = _level(sorted(floor - bottom for _, bottom, floor in rooms), self.most)
        dropped = 0
        for room, bottom, floor in rooms:
            count = min(floor - bottom - level, budget - dropped)
            if count > 0:
                db.execute(_DROP, (room, bottom + count))
                db.execute(_RAISE, (bottom + count, room))
                dropped += count
        return dropped


def _level(sizes: Sequence[int], most: int) -> int:
    """
    Find the bound for each of several, so that all together have no more than *most*.

    @param sizes: the present sizes, in increasing order.
    """
    left = most
    for index, size in enumerate(sizes):
        share = left // (len(sizes) - index)
        if size > share:
            return share
        left -= size
    return sizes[-1]
