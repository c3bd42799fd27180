"""
The journal of the embedded backend's file: the entries that came last, a row for each group.

A group is one INSERT, of JSON that a person can read (`Row`).  Neither the rows of its rooms nor
their pages of `messages` are touched.  When many entries have gathered they are moved to
`messages`, which is ordered by room, and the journal is empty again.

All of the journal is in memory too, by room: the newest number of a room, and the entries
themselves.  Memory is changed after the commit (`Journal.committed`).  After a transaction that
failed, memory is read anew when the file is opened, so it equals the file.

A room's row in `rooms` is of the time when its entries were moved last: `top` is the newest number
in `messages`, and all of the journal is newer.  Two columns are up to date: `event`, which an edit
or a retraction writes, and `bottom`.

Readers run in other threads, and take a room from memory first, then a view of the file:

  - A group that is stored in between is missing in memory as it was read.  The reader shows the
    room as it was before the group.
  - A move in between has changed `top`, an edit or a retraction `event`.  Both only grow, so a
    room's row of which both are the same is of the state that memory had (`Room.matches`).  Else
    the reader begins anew: memory is about to follow.  So a page never mixes two states.
  - A removal in between has raised `bottom`; no history showed the removed entries any more.

A `Room` does not change once it is in memory.  Its list of rows is shared with the next one: what
a group adds to it before the commit is beyond `top`, so nobody sees it.  Where an entry is changed,
the next one has a list of its own.

An edit or a retraction rewrites the journal's rows of the entries that it changes, in its own
transaction.  So the old words are nowhere in the table, and `secure_delete` overwrites them in the
file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache, partial
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import astuple

from livechat.backends.sqlite.quarantine import Broken
from livechat.backends.sqlite.rooms import Group, Room, Row

#: Entries, and bytes of JSON, at which the journal is moved, which takes some 30 ms.
ENTRIES: Final = 8_000
BYTES: Final = 4 << 20

_LOAD: Final = "SELECT id, CAST(entries AS BLOB), floors FROM journal ORDER BY id"
_COLUMNS: Final = "name, id, top, event, floor, time"
# Python's sqlite3 releases the interpreter's lock at each step of a statement, and waits for it
# again: behind a busy reactor that is most of a group's cost.  So each statement does all of a
# group's rooms, or many rows, in one step.
_BY_NAME: Final = f"""
SELECT json_group_array(json_array({_COLUMNS})) FROM rooms
WHERE name IN (SELECT value FROM json_each(?))
"""  # noqa: S608 - a constant
_BY_ID: Final = f"SELECT {_COLUMNS} FROM rooms WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608
_MAKE: Final = """
INSERT INTO rooms (name, top, bottom, time) SELECT value, 0, 1, 0 FROM json_each(?)
"""
_UPDATE: Final = "UPDATE journal SET entries = ? WHERE id = ?"
_BOTTOMS: Final = "SELECT id, bottom FROM rooms WHERE id IN (SELECT value FROM json_each(?))"
_MOVED: Final = """
UPDATE rooms SET
    top = json_extract(value, '$[1]'),
    time = json_extract(value, '$[2]'),
    floor = max(floor, json_extract(value, '$[3]'))
FROM json_each(?) WHERE rooms.id = json_extract(value, '$[0]')
"""
#: Rows that a statement writes.
_CHUNKS: Final = (500, 25, 1)
_PLAIN: Final = ("room", "seq", "time", "message", "user")
_ALL: Final = (*_PLAIN, "kind", "extra")


class _Line(NamedTuple):
    """
    A row of the journal.

    @ivar size: bytes of its JSON.
    """

    rows: Sequence[Row]
    size: int


_NONE: Final = _Line((), 0)
_encode: Final = msgspec.json.Encoder().encode
_entries: Final = msgspec.json.Decoder(list[Row])
_floors: Final = msgspec.json.Decoder(dict[int, int])
_found: Final = msgspec.json.Decoder(list[tuple[str, int, int, int, int, int]])


class Journal:
    """
    The journal of one file.

    `find` may be called in any thread, all else in the one that writes.

    @ivar rooms: those that have entries in the journal.
    @ivar entries: how many there are.
    """

    def __init__(self) -> None:
        self.rooms: dict[str, Room] = {}
        self.entries = 0
        # The rows of the table, by id, the oldest first.
        self._lines: dict[int, _Line] = {}
        self._size = 0
        # True if memory has the file's contents.
        self._known = False
        # Updates memory after a commit.
        self._after: Callable[[], None] | None = None

    def find(self, room: str) -> Room | None:
        """Return *room* if it has entries in the journal."""
        return self.rooms.get(room)

    @property
    def fullness(self) -> float:
        """The amount to be moved, relative to a full journal: 1 is full."""
        return max(self.entries / ENTRIES, self._size / BYTES)

    @property
    def size(self) -> int:
        """Bytes of JSON in it."""
        return self._size

    @property
    def newest(self) -> int:
        """The time of the newest entry; 0 if there is none."""
        return max((room.time for room in self.rooms.values()), default=0)

    def opened(self, db: sqlite3.Connection) -> None:
        """
        Read the journal of a file that was opened, if memory may differ from it.

        @raise Broken: the journal does not decode.
        """
        if not self._known:
            lines, floors = _read_lines(db)
            # Replaced as a whole, so that readers see the old rooms or the new ones.
            self.rooms = _by_room(db, lines, floors)
            self._lines = lines
            self.entries = sum(len(line.rows) for line in lines.values())
            self._size = sum(line.size for line in lines.values())
            self._known = True

    def committed(self) -> None:
        """Take into memory what a transaction has written, behind its commit."""
        if self._after is not None:
            self._after()
            self._after = None

    def forget(self) -> None:
        """A transaction has failed, or there may be others: read it anew with the next opening."""
        self._known, self._after = False, None

    def look_up(self, db: sqlite3.Connection, names: Collection[str]) -> dict[str, Room]:
        """Find the rooms with these names, all different; those that have no row are left out."""
        rooms = self.rooms
        found = {name: rooms[name] for name in names if name in rooms}
        if len(found) < len(names):
            missing = [name for name in names if name not in found]
            (rows,) = db.execute(_BY_NAME, (json.dumps(missing),)).fetchone()
            for name, number, top, event, floor, time in _found.decode(rows):
                found[name] = Room(number, top, event, floor, top, time, [])
        return found

    def make(self, db: sqlite3.Connection, names: Sequence[str]) -> dict[str, Room]:
        """Give a row to each of these rooms, which have none."""
        db.execute(_MAKE, (json.dumps(names),))
        return self.look_up(db, names)

    def append(self, db: sqlite3.Connection, group: Group) -> None:
        """Write a group, and the entries that it changes."""
        entries = _encode(group.rows)
        floors = _encode(group.floors).decode() if group.floors else None
        added = db.execute(
            "INSERT INTO journal (entries, floors) VALUES (?, ?)", (entries.decode(), floors)
        )
        assert added.lastrowid is not None
        written = {added.lastrowid: _Line(group.rows, len(entries))}
        if group.events:
            events = [(event, room) for room, event in group.events.items()]
            db.executemany("UPDATE rooms SET event = ? WHERE id = ?", events)
        if group.changed:
            written |= self._rewrite(db, group.changed)
        self._after = partial(self._appended, group.rooms, written)

    def _rewrite(
        self, db: sqlite3.Connection, changed: Mapping[tuple[int, int], Row]
    ) -> dict[int, _Line]:
        """Write *changed* in the place of the entries with these rooms and numbers."""
        left = len(changed)
        written: dict[int, _Line] = {}
        # The newest entries are the most likely to be retracted.
        for number, line in reversed(self._lines.items()):
            rows = [changed.get((row.room, row.seq), row) for row in line.rows]
            others = sum(one is not other for one, other in zip(rows, line.rows, strict=True))
            if others:
                entries = _encode(rows)
                db.execute(_UPDATE, (entries.decode(), number))
                written[number] = _Line(rows, len(entries))
                left -= others
                if not left:
                    break
        assert not left
        return written

    def _appended(self, rooms: Mapping[str, Room], written: Mapping[int, _Line]) -> None:
        self.rooms |= rooms
        for number, line in written.items():
            before = self._lines.get(number, _NONE)
            self.entries += len(line.rows) - len(before.rows)
            self._size += line.size - before.size
            self._lines[number] = line

    def bottoms(self, db: sqlite3.Connection) -> list[tuple[str, Room, int]]:
        """Return the rooms that have entries here, by their ids, and their bottoms."""
        rooms = sorted(self.rooms.items(), key=lambda item: item[1].id)
        ids = json.dumps([room.id for _, room in rooms])
        bottoms = dict(db.execute(_BOTTOMS, (ids,)).fetchall())
        return [(name, room, bottoms[room.id]) for name, room in rooms]

    def move(self, db: sqlite3.Connection) -> None:
        """Write all entries to `messages`, but those below the bottoms of their rooms."""
        rooms = self.bottoms(db)
        plain: list[object] = []
        others: list[object] = []
        for _, room, bottom in rooms:
            for row in room.since(bottom, room.top):
                if row.kind or row.extra is not None:
                    others += astuple(row)
                else:
                    plain += row.room, row.seq, row.time, row.text, row.user
        _insert(db, _PLAIN, plain)
        _insert(db, _ALL, others)
        moved = [(room.id, room.top, room.time, room.floor) for _, room, _ in rooms]
        db.execute(_MOVED, (json.dumps(moved),))
        db.execute("DELETE FROM journal")
        self._after = self._emptied

    def _emptied(self) -> None:
        # A new dictionary, as readers may use the old one.
        self.rooms = {}
        self._lines = {}
        self.entries = self._size = 0


def _insert(db: sqlite3.Connection, columns: tuple[str, ...], values: list[object]) -> None:
    """
    Write rows to `messages`.

    @param values: the values of all columns, row by row.
    """
    start = 0
    for count in _CHUNKS:
        size = count * len(columns)
        while start + size <= len(values):
            db.execute(_statement(columns, count), values[start : start + size])
            start += size


@cache
def _statement(columns: tuple[str, ...], count: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    rows = ", ".join([row] * count)
    return f"INSERT INTO messages ({', '.join(columns)}) VALUES {rows}"  # noqa: S608


def _read_lines(db: sqlite3.Connection) -> tuple[dict[int, _Line], dict[int, int]]:
    """
    Return the rows of the table, and the floors that rooms have been given, by their ids.

    @raise Broken: a row does not decode.
    """
    lines: dict[int, _Line] = {}
    floors: dict[int, int] = {}
    for number, entries, raised in db.execute(_LOAD):
        try:
            lines[number] = _Line(_entries.decode(entries), len(entries))
            for row in lines[number].rows:
                row.entry()
            if raised is not None:
                floors |= _floors.decode(raised)
        except ValueError as reason:
            raise Broken(f"row {number} of its journal does not decode: {reason}") from None
    return lines, floors


def _by_room(
    db: sqlite3.Connection, lines: Mapping[int, _Line], floors: Mapping[int, int]
) -> dict[str, Room]:
    """
    Return the rooms of *lines*.

    @raise Broken: an entry has no room, or is not the next one of its room.
    """
    rows: dict[int, list[Row]] = {}
    for line in lines.values():
        for row in line.rows:
            rows.setdefault(row.room, []).append(row)
    rooms: dict[str, Room] = {}
    found = db.execute(_BY_ID, (json.dumps([*rows]),))
    for name, number, moved, event, floor, _ in found.fetchall():
        own = rows.pop(number)
        if [row.seq for row in own] != [*range(moved + 1, moved + len(own) + 1)]:
            raise Broken(f"its journal has other entries of {name} than those after {moved}")
        highest = max(floor, floors.get(number, 0))
        rooms[name] = Room(number, moved, event, highest, own[-1].seq, own[-1].time, own)
    if rows:
        raise Broken("its journal has entries of rooms that there are not")
    return rooms
