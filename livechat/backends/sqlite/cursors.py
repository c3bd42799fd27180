"""
Cursors of receivers outside, in the embedded backend's file.

A receiver has a row in `receivers`, and in `cursors` one for each room: the newest number that it
has been told of, and after a restored backup the epoch before that, until it is told of more.  A
room without a row was made later than the receiver: nothing was told of it.
While a receiver gets its cursors, or loses them, it has no name.

Storing a message writes nothing of this.  When messages are moved out of the journal, rooms of
which something waits are marked (`rooms.waits`), so that they are found again without a look at all
rooms; what is in the journal is found in memory.

Where a cursor moves, rooms that held something (`livechat.backends.sqlite.holding`) are due.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, NamedTuple, Protocol

from livechat.backends import outbox
from livechat.backends.sqlite.journal import Journal
from livechat.protocol.names import AUDIT_ROOM

#: Rows that one step of `Cursors.keep` writes.
KEEP_STEP: Final = 20_000

_LOWEST: Final = """
SELECT rooms.value, min(coalesce(told, 0))
FROM json_each(?) AS rooms CROSS JOIN receivers ON receivers.name IS NOT NULL
LEFT JOIN cursors ON cursors.receiver = receivers.id AND cursors.room = rooms.value
GROUP BY rooms.value
"""
_ADVANCE: Final = """
INSERT INTO cursors (receiver, room, told)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE true
ON CONFLICT (receiver, room) DO UPDATE SET told = excluded.told, epoch = NULL
WHERE excluded.told > told
"""
#: Marks rooms of which entries may be removed, for the next sweep.
_RELEASE: Final = """
UPDATE rooms SET due = 0 WHERE held AND id IN (SELECT value FROM json_each(?))
"""
_UNMARK: Final = """
UPDATE rooms SET waits = 0
WHERE waits AND id IN (SELECT value FROM json_each(?)) AND NOT EXISTS (
    SELECT 1 FROM receivers
    LEFT JOIN cursors ON cursors.receiver = receivers.id AND cursors.room = rooms.id
    WHERE receivers.name IS NOT NULL AND coalesce(told, 0) < rooms.top
)
"""
_MARK: Final = """
UPDATE rooms SET waits = 1 WHERE NOT waits AND id IN (SELECT value FROM json_each(?))
"""
_FORGET: Final = f"""
DELETE FROM cursors WHERE receiver = :receiver AND room IN (
    SELECT room FROM cursors WHERE receiver = :receiver LIMIT {KEEP_STEP}
)
"""  # noqa: S608 - a constant
_BEGIN: Final = f"""
INSERT INTO cursors (receiver, room, told)
SELECT ?, id, top FROM rooms WHERE id > ? ORDER BY id LIMIT {KEEP_STEP}
"""  # noqa: S608 - a constant
_IMPORTED: Final = """
INSERT INTO cursors (receiver, room, told) SELECT id, ?, ? FROM receivers WHERE name IS NOT NULL
"""
#: All that is there counts as told.
_RENUMBERED: Final = """
INSERT INTO cursors (receiver, room, told, epoch)
SELECT receivers.id, rooms.id, rooms.top, epoch_of(rooms.name) FROM receivers JOIN rooms
WHERE receivers.name IS NOT NULL
ON CONFLICT (receiver, room) DO UPDATE SET
    told = excluded.told, epoch = coalesce(epoch, excluded.epoch)
"""
_MARK_WAITING: Final = """
UPDATE rooms SET waits = 1 WHERE NOT waits AND name <> ? AND EXISTS (
    SELECT 1 FROM receivers
    LEFT JOIN cursors ON cursors.receiver = receivers.id AND cursors.room = rooms.id
    WHERE receivers.name IS NOT NULL AND coalesce(told, 0) < rooms.top
)
"""


class Transaction(Protocol):
    """
    A transaction of the file: all or nothing.

    @param durable: on disk at the end; else only behind a later one that is.
    """

    def __call__(self, *, durable: bool = ...) -> AbstractContextManager[sqlite3.Connection]: ...


class _Beginning(NamedTuple):
    """
    A receiver that is getting its cursors.

    @ivar at: the id of the last room with a cursor.
    """

    name: str
    id: int
    at: int


class Cursors:
    """
    The receivers of one file, and how far they have been told.

    `receivers` may be read in any thread, all else belongs to the one that writes.

    @ivar receivers: their ids, by name.
    """

    def __init__(
        self, transaction: Transaction, journal: Journal, epoch: Callable[[str], str]
    ) -> None:
        """@param epoch: returns the epoch of a room."""
        self._transaction = transaction
        self._journal = journal
        self._epoch = epoch
        self.receivers: Mapping[str, int] = {}
        self._beginning: _Beginning | None = None

    def opened(self, db: sqlite3.Connection) -> None:
        """The file was opened: read the receivers."""
        named = db.execute("SELECT name, id FROM receivers WHERE name IS NOT NULL")
        self.receivers = dict(named.fetchall())

    def lowest(self, db: sqlite3.Connection, rooms: Iterable[int]) -> Mapping[int, int]:
        """Find for each of *rooms* the number that all receivers were told of; none without any."""
        if not self.receivers:
            return {}
        return dict(db.execute(_LOWEST, (json.dumps([*rooms]),)).fetchall())

    def keep(self, names: Collection[str]) -> bool:
        """Make a step towards these receivers and no others; return whether to go on."""
        try:
            with self._transaction() as db:
                self._drop(db, [each for each in self.receivers if each not in names])
                more = self._step(db, sorted(set(names).difference(self.receivers)))
                self.opened(db)
        except BaseException:
            self._beginning = None
            raise
        return more

    def _drop(self, db: sqlite3.Connection, gone: Collection[str]) -> None:
        if not gone:
            return
        db.executemany("UPDATE receivers SET name = NULL WHERE name = ?", [(x,) for x in gone])
        db.execute("UPDATE rooms SET due = 0 WHERE held")
        if len(gone) == len(self.receivers):
            db.execute("UPDATE rooms SET held = 0 WHERE held")
            db.execute("UPDATE rooms SET waits = 0 WHERE waits")

    def _step(self, db: sqlite3.Connection, new: Sequence[str]) -> bool:
        """Forget a receiver without a name, or begin with a new one; return True to go on."""
        at = self._beginning
        if at is None or at.name not in new:
            self._beginning = None
            nobody = db.execute("SELECT id FROM receivers WHERE name IS NULL LIMIT 1").fetchone()
            if nobody is not None:
                if db.execute(_FORGET, {"receiver": nobody[0]}).rowcount < KEEP_STEP:
                    db.execute("DELETE FROM receivers WHERE id = ?", nobody)
                return True
            if not new:
                return False
            number = db.execute("INSERT INTO receivers (name) VALUES (NULL)").lastrowid
            assert number is not None
            at = _Beginning(new[0], number, 0)
        self._beginning = self._begin(db, at)
        return self._beginning is not None or len(new) > 1

    def _begin(self, db: sqlite3.Connection, at: _Beginning) -> _Beginning | None:
        """Give some rooms a cursor; the receiver exists once the last room has one."""
        count = db.execute(_BEGIN, (at.id, at.at)).rowcount
        (last,) = db.execute(
            "SELECT coalesce(max(room), 0) FROM cursors WHERE receiver = ?", (at.id,)
        ).fetchone()
        recent = [
            (at.id, room.id, room.top)
            for room in self._journal.rooms.values()
            if at.at < room.id <= last
        ]
        db.execute(_ADVANCE, (json.dumps(recent),))
        if count >= KEEP_STEP:
            return at._replace(at=last)
        db.execute("UPDATE receivers SET name = ? WHERE id = ?", (at.name, at.id))
        return None

    def advance(self, receiver: str, told: Mapping[str, tuple[str, int]]) -> None:
        """
        Implement `livechat.interfaces.IOutbox.advance`.

        @raise livechat.errors.ChatError: there is no such receiver.
        """
        number = self.id_of(receiver)
        with self._transaction(durable=False) as db:
            rooms = self._journal.look_up(db, told.keys())
            rows = [
                (number, room.id, min(told[name][1], room.top))
                for name, room in rooms.items()
                if told[name][0] == self._epoch(name) and told[name][1] > 0
            ]
            if rows:
                ids = json.dumps([room for _, room, _ in rows])
                db.execute(_ADVANCE, (json.dumps(rows),))
                db.execute(_RELEASE, (ids,))
                db.execute(_UNMARK, (ids,))

    def id_of(self, receiver: str) -> int:
        """
        @raise livechat.errors.ChatError: there is no such receiver.
        """
        number = self.receivers.get(receiver)
        if number is None:
            raise outbox.unknown_receiver()
        return number


def mark(db: sqlite3.Connection, rooms: Collection[int]) -> None:
    """Have *rooms* found when somebody asks of which something waits."""
    db.execute(_MARK, (json.dumps([*rooms]),))


def imported(db: sqlite3.Connection, room: int, top: int) -> None:
    """Have receivers not told of a room that was brought from elsewhere, up to *top*."""
    db.execute(_IMPORTED, (room, top))


def mark_waiting(db: sqlite3.Connection) -> None:
    """Mark all rooms of which something waits, as `mark` does; the journal is empty."""
    db.execute(_MARK_WAITING, (AUDIT_ROOM,))


def renumbered(db: sqlite3.Connection, epoch: Callable[[str], str]) -> None:
    """
    All numberings are about to begin anew, because the file is a backup: receivers were told
    since of what waited then, and of what is not there.  So they go on behind what is there, and
    with the next entry of a room they are told of the gap.

    @param epoch: that of a room until now.
    """
    db.create_function("epoch_of", 1, epoch, deterministic=True)
    db.execute(_RENUMBERED)
    db.execute("UPDATE rooms SET waits = 0 WHERE waits")
    db.execute("UPDATE rooms SET due = 0 WHERE held")
