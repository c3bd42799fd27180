"""
Rooms out of the embedded backend's files, and into them, as exports have them.

Exports read copies, each of one moment, so that a running livechat goes on.  Imports write into
files that no livechat uses: room by room, each in one transaction.

Everything here blocks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from livechat.backends.exports import ADDED, OTHER, THERE, Outcome, Room, Said, Value, compact
from livechat.backends.maps import MapEntry
from livechat.backends.retention import Retention
from livechat.backends.sqlite import numberings, schema
from livechat.backends.sqlite.cursors import imported, mark_waiting, renumbered
from livechat.backends.sqlite.database import Database
from livechat.backends.sqlite.journal import Journal
from livechat.backends.sqlite.maps import MapsFile
from livechat.backends.sqlite.numberings import Numberings
from livechat.backends.sqlite.reading import connect
from livechat.protocol.messages import user_of_text, user_to_text
from livechat.protocol.names import EVENTS_ROOM

_ROOMS: Final = """
SELECT id, name, top, max(bottom, floor), time, event FROM rooms
WHERE name > ? AND name <> ? AND top > 0 ORDER BY name
"""
_ENTRIES: Final = """
SELECT seq, time, message, user, kind, extra FROM messages
WHERE room = ? AND seq >= ? ORDER BY seq
"""
_INSERT: Final = """
INSERT INTO messages (room, seq, time, message, user, kind, extra) VALUES (?, ?, ?, ?, ?, ?, ?)
"""


class RoomsCopy:
    """A copy of the rooms' file, which nobody else uses."""

    def __init__(self, path: Path) -> None:
        """
        @raise sqlite3.Error: the file is unreadable, or of a newer version.
        """
        self._db = connect(path, "mode=rw")
        self._numberings = Numberings()
        try:
            schema.complete(self._db, schema.check(self._db))
            _move_journal(self._db)
            self._numberings.read(self._db)
        except BaseException:
            self._db.close()
            raise

    def secret(self) -> bytes:
        """Return the secret that guests are known by."""
        return self._numberings.guests()

    def rooms(self, after: str) -> Iterator[Room | Said]:
        """Return the rooms with names after *after*, each before its entries."""
        for number, name, top, oldest, time, event in self._db.execute(
            _ROOMS, (after, EVENTS_ROOM)
        ):
            yield Room(name, self._numberings.epoch(name), top, oldest, time, event)
            for seq, when, text, user, kind, extra in self._db.execute(_ENTRIES, (number, oldest)):
                known = None if user is None else user_of_text(user)
                yield Said(seq, when, text, known, kind, compact(extra))

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _move_journal(db: sqlite3.Connection) -> None:
    journal = Journal()
    journal.opened(db)
    db.execute("BEGIN IMMEDIATE")
    journal.move(db)
    db.execute("COMMIT")


def values_of(path: Path) -> Iterator[Value]:
    """
    Return the entries of all maps in the file of maps, by map and key.

    @raise sqlite3.Error: the file cannot be read.
    """
    with closing(connect(path, "mode=ro")) as db:
        for name, key, value, until in db.execute(
            "SELECT map, key, value, until FROM maps ORDER BY map, key"
        ):
            yield Value(name, key, compact(value), until)


class StateDirectory:
    """A state directory into which rooms are brought; no livechat uses it meanwhile."""

    def __init__(
        self, directory: Path, wall: Callable[[], float], elapsed: Callable[[], float]
    ) -> None:
        """
        @param wall, elapsed: as `Database` has them.
        @raise livechat.errors.StartError: a livechat uses it, or it cannot be used.
        """
        self.directory = directory
        self._database = Database(directory, Retention(), wall, elapsed)
        self._database.prepare()
        self._maps = MapsFile(directory)
        try:
            self._maps.prepare(self._database, wall())
            self._db = connect(directory / "livechat.sqlite3", "mode=rw")
            self._db.execute("PRAGMA synchronous = FULL")
            # Rows of rooms leave out entries in the journal.
            _move_journal(self._db)
            mark_waiting(self._db)
        except BaseException:
            self._database.release()
            raise
        self._values: dict[str, dict[str, MapEntry]] = {}

    def add_value(self, value: Value) -> Outcome:
        """Add an entry to a map, unless there is one."""
        known = self._values.setdefault(value.map, self._maps.read(value.map))
        entry = MapEntry(bytes(value.value), value.until)
        if value.key in known:
            return THERE if known[value.key] == entry else OTHER
        self._maps.write(value.map, {value.key: entry})
        known[value.key] = entry
        return ADDED

    def add_room(self, room: Room, entries: Iterable[Sequence[Said]], *, anew: bool) -> Outcome:
        """
        Add a room with its entries, all or nothing, unless there is one of that name.

        @param anew: begin another numbering.
        """
        found = self._db.execute("SELECT top FROM rooms WHERE name = ?", (room.name,)).fetchone()
        if found is not None and found[0]:
            same = found[0] >= room.top and self._database.epoch(room.name) == room.epoch
            return THERE if same else OTHER
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.execute("DELETE FROM rooms WHERE name = ?", (room.name,))
            added = self._db.execute(
                "INSERT INTO rooms (name, top, bottom, time, event, floor)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (room.name, room.top, room.oldest, room.time, room.event, room.oldest),
            )
            for some in entries:
                rows = [
                    (
                        added.lastrowid, each.seq, each.time, each.text,
                        None if each.user is None else user_to_text(each.user),
                        each.kind, each.extra,
                    )
                    for each in some
                ]  # fmt: skip
                self._db.executemany(_INSERT, rows)
            assert added.lastrowid is not None
            imported(self._db, added.lastrowid, room.top)
            if not anew and self._database.epoch(room.name) != room.epoch:
                numberings.bring(self._db, room.name, room.epoch)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        return ADDED

    def know_guests_by(self, secret: bytes) -> Outcome:
        """Have guests known by *secret*, unless rooms here have guests of their own."""
        if self._database.secret() == secret:
            return THERE
        if self._db.execute("SELECT 1 FROM rooms WHERE top > 0 LIMIT 1").fetchone():
            return OTHER
        numberings.know_guests_by(self._db, secret)
        return ADDED

    def close(self) -> None:
        """Give the directory back."""
        self._db.close()
        self._maps.close()
        self._database.close()
        self._database.release()


def begin_anew(path: Path) -> None:
    """
    Give every room in the file another epoch, and have receivers go on after the entries there.

    @raise sqlite3.Error: it is no file of livechat's, or cannot be written.
    """
    with closing(connect(path, "mode=rw")) as db:
        schema.complete(db, schema.check(db))
        db.execute("PRAGMA synchronous = FULL")
        _move_journal(db)
        known = numberings.Numberings()
        known.read(db)
        db.execute("BEGIN IMMEDIATE")
        renumbered(db, known.epoch)
        numberings.begin_anew(db)
        db.execute("COMMIT")
