"""
Reads of the embedded backend's file, in any number of threads.

A room is read from the journal's memory and from the file together, both of one moment:
`livechat.backends.sqlite.journal` has why.

Each read has a connection of its own for the few milliseconds that it takes, however long its
history is: a page is bounded, and expired entries are stepped over by halving.  A long read would
keep the write-ahead log from being emptied.

Connections that have ended a read are kept for the next one: to open one takes ten times as long
as to read a page, and a crowd that comes back reads hundreds.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice, starmap
from pathlib import Path
from threading import Lock
from time import sleep
from typing import Final, NamedTuple

import msgspec

from livechat.backends.retention import RoomRetention
from livechat.backends.sqlite.journal import Journal
from livechat.backends.sqlite.rooms import Room, Row, Users
from livechat.protocol.messages import Entry, Newest, Page, Position

#: Seconds that a write waits for another process that has the file (a backup).
BUSY_TIMEOUT: Final = 2.0
#: A page is cut where its texts reach this many characters.
PAGE_CHARACTERS: Final = 65_536
#: Attempts of a read at a file that changes meanwhile, and seconds between two of them.
_TRIES: Final = 1_000
_PAUSE: Final = 0.001
#: Connections that are kept, each with what it has read of the file in memory.
_MOST_KEPT: Final = 2

_ROOM: Final = "SELECT id, top, event, floor, time, bottom FROM rooms WHERE name = ?"
_READ: Final = """
SELECT room, seq, time, message, user, kind, extra FROM messages
WHERE room = ? AND seq >= ? ORDER BY seq LIMIT ?
"""
_ROOMS: Final = """
SELECT json_group_array(
    json_array(name, rooms.id, top, event, floor, time, bottom, coalesce(told, 0))
)
FROM json_each(?) AS asked CROSS JOIN rooms ON rooms.name = asked.value
LEFT JOIN cursors ON cursors.receiver = ? AND cursors.room = rooms.id
"""
_NAMES: Final = "SELECT name FROM rooms WHERE name > ? ORDER BY name LIMIT ?"
_TIME: Final = "SELECT seq, time FROM messages WHERE room = ? AND seq >= ? ORDER BY seq LIMIT 1"

_found: Final = msgspec.json.Decoder(list[tuple[str, int, int, int, int, int, int, int]])


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """
    @param mode: of the URI.
    @raise sqlite3.Error: the file cannot be opened.
    """
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        timeout=BUSY_TIMEOUT,
        isolation_level=None,
        check_same_thread=False,
    )


class View(NamedTuple):
    """
    A room at one moment.

    @ivar db: has a view of the file.
    @ivar bottom: the oldest number that may be in the file.
    """

    db: sqlite3.Connection
    room: Room
    bottom: int

    def first_since(self, first: int, since: int) -> int:
        """
        Find the oldest entry from *first* on that is not older than *since*; the number after
        the newest one if all are.

        Times do not run backwards within a room, but for stamps of a clock that was wrong.
        """
        # Mostly the first entry is young enough.
        seq, time = self._seek(first, since)
        if time >= since:
            return seq
        low, high = seq + 1, self.room.top + 1
        while low < high:
            middle = (low + high) // 2
            seq, time = self._seek(middle, since)
            if time < since:
                low = seq + 1
            else:
                high = middle
        return low

    def _seek(self, seq: int, since: int) -> tuple[int, int]:
        """Find the number and the time of the first entry from *seq* on."""
        found: tuple[int, int] | None = None
        if seq <= self.room.moved:
            found = self.db.execute(_TIME, (self.room.id, seq)).fetchone()
        if found is None:
            row = self.room.find(max(seq, self.room.moved + 1))
            found = (self.room.top + 1, since) if row is None else (row.seq, row.time)
        return found

    def rows(self, first: int, limit: int) -> Iterator[Row]:
        """The entries from *first* on, *limit* at most."""
        filed: Iterable[Row] = ()
        if first <= self.room.moved:
            filed = starmap(Row, self.db.execute(_READ, (self.room.id, first, limit)))
        return islice(chain(filed, self.room.since(first, limit)), limit)


class Reader:
    """Histories as they are shown."""

    def __init__(
        self,
        path: Path,
        journal: Journal,
        retention: RoomRetention,
        epoch: Callable[[str], str],
        now: Callable[[], int],
    ) -> None:
        """
        @param epoch: returns the epoch of a room.
        @param now: returns the time in milliseconds since 1970, UTC, by which messages expire.
        """
        self._path = path
        self._journal = journal
        self._retention = retention
        self.epoch = epoch
        self._now = now
        self._keeping = Lock()
        self._kept: list[sqlite3.Connection] = []
        # Counts calls of `close`.
        self._closed = 0

    def read(self, room: str, after: int, limit: int, *, hidden: bool = False) -> Page:
        """
        Implement `livechat.interfaces.IMessageLog.read`.

        @param hidden: with what no history shows any more (`livechat.interfaces.IArchive.read`).
        @raise sqlite3.Error: the file cannot be read.
        """
        first = (lambda view, _: view.bottom) if hidden else (lambda _, shown: shown)
        return self.page(room, after, limit, first)

    def page(
        self,
        room: str,
        after: int,
        limit: int,
        first: Callable[[View, int], int],
    ) -> Page:
        """
        Read as `read`, perhaps from another entry on.

        @param first: finds the oldest number that is read; gets the oldest one that is shown.
        @raise sqlite3.Error: the file cannot be read.
        """
        with self.reading() as db:
            view = self.view(db, room)
            if view is None:
                return self.nothing(room)
            oldest = first(view, self.oldest(view, room))
            return self.page_from(view, room, oldest, limit, most=PAGE_CHARACTERS, after=after)

    def nothing(self, room: str) -> Page:
        """Return the page of a room in which nothing was ever said."""
        return Page(Position(self.epoch(room), 0, 1), ())

    def page_from(
        self, view: View, name: str, oldest: int, limit: int, *, most: int, after: int = 0
    ) -> Page:
        """
        Read a page of the room *name*.

        @param oldest: the oldest number that is read.
        @param most: characters where the page ends.
        @param after: entries up to this number are left out.
        """
        entries: list[Entry] = []
        users = Users()
        size = 0
        for row in view.rows(max(after + 1, oldest), limit):
            entries.append(row.entry(users))
            size += len(row.text) if row.extra is None else len(row.text) + len(row.extra)
            if size >= most:
                break
        position = Position(self.epoch(name), view.room.top, oldest, view.room.event)
        return Page(position, tuple(entries))

    def oldest(self, view: View, name: str) -> int:
        """Find the oldest number of the room *name* that is shown now."""
        top = view.room.top
        retention = self._retention.of(name)
        oldest = max(view.bottom, view.room.floor, retention.first_by_count(top))
        if retention.seconds:
            since = retention.first_time(self._now())
            # No entry counts as newer than the newest one, whatever a wrong clock has stamped.
            late = view.room.time < since
            oldest = top + 1 if late else view.first_since(oldest, since)
        return oldest

    def names(self, after: str, limit: int) -> list[str]:
        """
        The rooms that have a row, by name: at most *limit* of those behind the name *after*.

        @raise sqlite3.Error: the file cannot be read.
        """
        with self.reading() as db:
            found = db.execute(_NAMES, (after, limit))
            return [name for (name,) in found]

    def view(self, db: sqlite3.Connection, name: str) -> View | None:
        """
        Look at a room; None if nothing was ever said in it.

        @param db: has begun to read, and not read yet.
        """
        for _ in range(_TRIES):
            recent = self._journal.find(name)
            row = db.execute(_ROOM, (name,)).fetchone()
            if row is None:
                return None
            number, top, event, floor, time, bottom = row
            if recent is None:
                # The journal had no entries of the room, but may have some by now.
                if event <= top:
                    return View(db, Room(number, top, event, floor, top, time, []), bottom)
            elif recent.matches(top, event):
                return View(db, recent, bottom)
            _begin_anew(db)
        raise _changing()

    def views(
        self, db: sqlite3.Connection, names: Collection[str], receiver: int
    ) -> dict[str, tuple[View, int]]:
        """
        Look at rooms as `view` does, all at one moment, and how far a receiver was told of each.

        @param receiver: its id.
        """
        asked = json.dumps([*names])
        for _ in range(_TRIES):
            recent = {name: room for name in names if (room := self._journal.find(name))}
            (rows,) = db.execute(_ROOMS, (asked, receiver)).fetchone()
            found: dict[str, tuple[View, int]] = {}
            for name, number, top, event, floor, time, bottom, told in _found.decode(rows):
                room = recent.get(name)
                if room is None and event <= top:
                    room = Room(number, top, event, floor, top, time, [])
                elif room is None or not room.matches(top, event):
                    break
                found[name] = View(db, room, bottom), told
            else:
                return found
            _begin_anew(db)
        raise _changing()

    def newest(self, rooms: Sequence[str]) -> Mapping[str, Newest]:
        """
        Implement `livechat.interfaces.IMessageLog.newest`.

        @raise sqlite3.Error: the file cannot be read.
        """
        recent = [(name, room) for name in rooms if (room := self._journal.find(name))]
        with self.reading() as db:
            rows = db.execute(
                "SELECT name, top, time FROM rooms"
                " WHERE top AND name IN (SELECT value FROM json_each(?))",
                (json.dumps(rooms),),
            )
            found = {name: Newest(top, time) for name, top, time in rows}
        for name, room in recent:
            if name not in found or found[name].seq < room.top:
                found[name] = Newest(room.top, room.time)
        return found

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Keep one unchanging view of the file, from the first statement on."""
        closed = self._closed
        db = self._connection()
        try:
            db.execute("BEGIN")
            yield db
            db.execute("COMMIT")
        except BaseException:
            # Closing drops SQLite's cache of the file as well.
            db.close()
            raise
        with self._keeping:
            keeps = self._closed == closed and len(self._kept) < _MOST_KEPT
            if keeps:
                self._kept.append(db)
        if not keeps:
            db.close()

    def _connection(self) -> sqlite3.Connection:
        """A connection that is kept, or a new one."""
        with self._keeping:
            if self._kept:
                return self._kept.pop()
        return self.open()

    def open(self) -> sqlite3.Connection:
        """
        Open the file to read it.

        @raise sqlite3.Error: that is impossible.
        """
        db = connect(self._path, "mode=rw")
        try:
            db.execute("PRAGMA query_only = ON")
        except BaseException:
            db.close()
            raise
        return db

    def close(self) -> None:
        """Close connections that are kept; reads that are under way close theirs."""
        with self._keeping:
            self._closed += 1
            kept, self._kept = self._kept, []
        for each in kept:
            each.close()


def _begin_anew(db: sqlite3.Connection) -> None:
    """Wait a moment for the writer, which has ended a transaction and is about to publish it."""
    db.execute("COMMIT")
    sleep(_PAUSE)
    db.execute("BEGIN")


def _changing() -> sqlite3.OperationalError:
    return sqlite3.OperationalError("the journal in memory differs from the file's")
