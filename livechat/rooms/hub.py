"""
The rooms of this process, their members and watchers, and the fan-out of entries.

A room exists from its first member to its last (`livechat.rooms.local_room`).  `deliver` is
the only way in which an entry reaches anybody, wherever it comes from.

Entries delivered within a turn of the reactor are written at its end, in one batch for each room.
A lone entry leaves in its own turn.

A turn writes to `SLICE` members at most; then everybody else has a turn, and
rooms with batches left take theirs one after the other.  So a room of ten
thousand delays the others by a slice and not by all of itself.  A room's next
batch begins when its last one is with everybody, and meanwhile grows.

A watcher, such as an operator's page, gets a room's entries like a member, but does not count as
one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

from twisted.logger import Logger
from zope.interface import implementer

from livechat import metrics
from livechat.interfaces import ISink
from livechat.protocol.messages import Entry, Place
from livechat.protocol.v1 import ServerFrame
from livechat.rooms.local_room import LocalRoom, Tap
from livechat.rooms.member import IMember, WriteAll
from livechat.system.time import Time

#: Members that are written to in one turn: some 5 ms of one core.
SLICE: Final = 500

_log = Logger()


@implementer(ISink)
class Hub:
    """Rooms by name, and the turns in which their batches are written."""

    def __init__(self, time: Time, write_all: WriteAll) -> None:
        """
        @param write_all: writes to the wires of members.
        """
        self._time = time
        self._write_all = write_all
        self._rooms: dict[str, LocalRoom] = {}
        self._watchers: dict[str, dict[ISink, None]] = {}
        # Rooms with batches, in the order of their turns.
        self._ready: deque[LocalRoom] = deque()
        self._scheduled = False
        # Entries written in this turn, and when the first of them was stored.
        self._written = self._since = 0
        self._tap: Tap | None = None

    def tap(self, tap: Tap | None) -> None:
        """Have *tap* called with what rooms write; None: nobody looks."""
        self._tap = tap
        for room in self._rooms.values():
            room.tap = tap

    def join(self, room: str, member: IMember, *, reads: bool = False) -> None:
        """
        Add *member*.  No-op a second time.

        @param reads: the member reads the history first, and gets nothing before `read` or
            `go_live`.
        """
        there = self._rooms.get(room)
        if there is None:
            there = self._rooms[room] = LocalRoom(room, self._write_all)
            there.tap = self._tap
        if member not in there:
            there.add(member, reads=reads)

    def leave(self, room: str, member: IMember) -> bool:
        """Remove *member*; return whether that was the end of *room*, for watchers too."""
        there = self._rooms.get(room)
        if there is None:
            return False
        there.remove(member)
        if len(there):
            return False
        del self._rooms[room]
        return room not in self._watchers

    def read(self, room: str, member: IMember) -> None:
        """Deliver nothing more to *member*, which reads instead.  No-op if it is not in."""
        there = self._rooms.get(room)
        if there is not None and member in there:
            there.read(member)

    def go_live(self, room: str, member: IMember, place: Place) -> bool:
        """
        Deliver to *member*, which has read up to *place*, the entries that follow.

        @return: False if more was delivered meanwhile: it has to read that, too.
        """
        there = self._rooms.get(room)
        if there is None or member not in there:
            return True
        return there.go_live(member, place)

    def has(self, room: str, member: IMember) -> bool:
        """Tell whether *member* is in *room*."""
        there = self._rooms.get(room)
        return there is not None and member in there

    def place(self, room: str) -> Place | None:
        """Return the place behind the last delivery in *room*; None if there was none."""
        there = self._rooms.get(room)
        return there.place if there is not None else None

    def known(self, room: str) -> Place | None:
        """
        Return a place that members of *room* may begin at; None if the history has to be read.

        It is that of the last delivery, or, before the first one, that of `found`: all that follows
        it will be delivered.
        """
        there = self._rooms.get(room)
        return (there.place or there.found) if there is not None else None

    def found(self, room: str, place: Place) -> Place:
        """
        Keep *place*, where the history of *room* stands, for members to come, until something is
        delivered.

        @return: `known`, which may be newer.
        """
        there = self._rooms.get(room)
        if there is None:
            return place
        there.found = there.found or place
        return there.place or there.found

    def watch(self, room: str, watcher: ISink) -> None:
        """Deliver the entries of *room* to *watcher*.  No-op a second time."""
        self._watchers.setdefault(room, {})[watcher] = None

    def unwatch(self, room: str, watcher: ISink) -> bool:
        """Remove *watcher*; return whether that was the end of *room*, for members too."""
        watchers = self._watchers.get(room)
        if watchers is None:
            return False
        watchers.pop(watcher, None)
        if watchers:
            return False
        del self._watchers[room]
        return room not in self._rooms

    def members(self, room: str) -> int:
        """Count the members of *room* in this process."""
        there = self._rooms.get(room)
        return len(there) if there is not None else 0

    def is_open(self, room: str) -> bool:
        """Tell whether *room* has members or watchers in this process."""
        return room in self._rooms or room in self._watchers

    def rooms(self) -> Mapping[str, int]:
        """Return the rooms that have members in this process, and how many."""
        return {name: len(room) for name, room in self._rooms.items()}

    def deliver(self, room: str, epoch: str, entries: Sequence[Entry]) -> None:
        """
        Have *entries* written to every member of *room* at the end of this turn,
        and deliver them to its watchers.
        """
        there = self._rooms.get(room)
        if there is not None:
            idle = not there.batches
            there.deliver(epoch, entries)
            self._queue(there, idle)
        for watcher in tuple(self._watchers.get(room, ())):
            try:
                watcher.deliver(room, epoch, entries)
            except Exception:  # noqa: BLE001 - the others, and the senders, must not notice
                _log.failure("A watcher of {room} could not be told.", room=room)

    def broadcast(self, room: str, frame: ServerFrame) -> None:
        """
        Have *frame* written to every member of *room* that understands it, in no order
        with entries.
        """
        there = self._rooms.get(room)
        if there is not None:
            idle = not there.batches
            there.broadcast(frame)
            self._queue(there, idle)

    def _queue(self, room: LocalRoom, idle: bool) -> None:
        """
        Give *room* turns to write.

        @param idle: the room had no turns before.
        """
        if idle and room.batches:
            self._ready.append(room)
            self._schedule()

    def flush(self) -> None:
        """Write all batches now, however large they are."""
        while self._ready:
            self._write(len(self._ready[0]) + 1)
        self._count()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._time.callLater(0, self._write_slice)

    def _write_slice(self) -> None:
        self._scheduled = False
        left = SLICE
        while self._ready and left > 0:
            left -= self._write(left)
        self._count()
        if self._ready:
            self._schedule()

    def _write(self, most: int) -> int:
        """Write to *most* members of the room whose turn it is; return to how many."""
        room = self._ready.popleft()
        done, batch = room.write(most)
        if batch is not None and batch.entries:
            self._written += batch.entries * batch.written
            self._since = min(self._since or batch.since, batch.since)
        if room.batches:
            self._ready.append(room)
        return done

    def _count(self) -> None:
        """Report the entries that were written in this turn."""
        if self._since:
            metrics.written(self._time.wall(), self._since, self._written)
            self._written = self._since = 0
