"""
Upkeep of the embedded backend's file: removal of what no history shows, and shrinking.

A room's row says from when on there is something to remove of it (`due`), which is reckoned
whenever its messages are moved or checked.  A sweep goes by that, in small transactions, and over
what is not in the journal.  Messages above the limit go at once, those that are too old only
while the clock is trusted (`livechat.system.wallclock`).  A removal takes the oldest messages of a
room, up to the first that stays.

What waits for receivers outside is not removed, but hidden: the room's floor is raised.  It is due
when a cursor has moved (`livechat.backends.sqlite.cursors`).

What is due follows from how much rooms keep.  When that may have changed, and when the file is
opened, a walk over all rooms looks at some of them now and then.

What was removed is still in the file's free pages and in the write-ahead log.  When it is
quiet the free pages are given back to the disk, where the file was made so that they can be,
and the log is cut to nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from livechat.backends.nonces import MOST_IN_FILE, NONCE_LASTS, Known
from livechat.backends.retention import RoomRetention
from livechat.backends.sqlite.holding import Holding

#: Rows that a transaction removes at most, beyond those that it adds.
TRIM_STEP: Final = 500
#: Rooms in a step of a sweep, or of a walk, at most.
SWEEP_STEP: Final = 200
#: `due` of a room with more entries to remove now.
AT_ONCE: Final = 0
#: Pages that a step gives back to the disk: 2 MB.
SHRINK_STEP: Final = 500
#: Bytes of the write-ahead log that stay; a long reader leaves more behind.
LOG_LIMIT: Final = 8 << 20

_FIRST_SINCE: Final = """
SELECT seq FROM messages
WHERE room = :room AND seq >= :first AND seq < :end AND time >= :since
ORDER BY seq LIMIT 1
"""
_COLUMNS: Final = "id, name, top, bottom, floor"
_SOME_DUE: Final = f"SELECT {_COLUMNS} FROM rooms WHERE due < ? ORDER BY due LIMIT {SWEEP_STEP}"  # noqa: S608
_SOME: Final = f"SELECT {_COLUMNS} FROM rooms WHERE id >= ? ORDER BY id LIMIT {SWEEP_STEP}"  # noqa: S608
# Computes `due` by the oldest message that is not held.  An unchanged row is not written.
_RECKON: Final = """
UPDATE rooms SET due = reckoned.due FROM (
    SELECT rooms.id AS id, (
        SELECT messages.time FROM messages
        WHERE room = rooms.id AND seq >= max(bottom, floor) AND age > 0 ORDER BY seq LIMIT 1
    ) + age AS due
    FROM (SELECT value ->> 0 AS id, value ->> 1 AS age FROM json_each(?)) AS ages
    JOIN rooms USING (id)
    WHERE age > 0 OR rooms.due IS NOT NULL
) AS reckoned
WHERE rooms.id = reckoned.id AND rooms.due IS NOT reckoned.due
"""
#: Marks rooms that hold entries below their floor, or no longer do.
_HOLD: Final = """
UPDATE rooms SET held = value ->> 1 > 0, floor = max(floor, value ->> 1)
FROM json_each(?) WHERE rooms.id = value ->> 0 AND (value ->> 1 OR held)
"""


class Swept(NamedTuple):
    """
    @ivar go_on: where the next step begins; None at the end.
    @ivar removed: messages that were.
    """

    go_on: int | None
    removed: int


class _Room(NamedTuple):
    """The part of a room's row that removals need."""

    id: int
    name: str
    top: int
    bottom: int
    floor: int


def sweep(
    db: sqlite3.Connection, retention: RoomRetention, now: int | None, holding: Holding
) -> Swept:
    """
    Remove some of what no history shows, of rooms that have such.

    @param now: in milliseconds; None: nothing is removed for its age.
    """
    due = AT_ONCE + 1 if now is None else now
    rooms = [_Room(*row) for row in db.execute(_SOME_DUE, (due,)).fetchall()]
    removed, looks = _trim(db, retention, rooms, now, holding)
    removed += holding.squeeze(db, TRIM_STEP)
    more = len(rooms) == SWEEP_STEP or removed >= TRIM_STEP or any(each.more for each in looks)
    return Swept(0 if more else None, removed)


def walk(
    db: sqlite3.Connection,
    retention: RoomRetention,
    start: int,
    now: int | None,
    holding: Holding,
) -> Swept:
    """Sweep like `sweep`, any rooms from *start* on."""
    rooms = [_Room(*row) for row in db.execute(_SOME, (start,)).fetchall()]
    removed, looks = _trim(db, retention, rooms, now, holding)
    left = rooms[len(looks) :]
    if left:
        return Swept(left[0].id, removed)
    return Swept(None if len(rooms) < SWEEP_STEP else rooms[-1].id + 1, removed)


def _trim(
    db: sqlite3.Connection,
    retention: RoomRetention,
    rooms: Sequence[_Room],
    now: int | None,
    holding: Holding,
) -> tuple[int, list[Look]]:
    """
    Remove some messages of *rooms*, and reckon when they are due again; return how many, and the
    rooms that were checked.
    """
    left = TRIM_STEP
    looks: list[Look] = []
    holding.look_up(db, [room.id for room in rooms])
    for room, name, top, bottom, floor in rooms:
        kept = retention.of(name)
        limit = max(floor, kept.first_by_count(top))
        shown = max(bottom, limit)
        end = min(top + 1, shown + left)
        since = 0 if now is None else kept.first_time(now)
        if since:
            wanted = {"room": room, "first": shown, "end": end, "since": since}
            found = db.execute(_FIRST_SINCE, wanted).fetchone()
            shown = end if found is None else int(found[0])
        first = holding.first(room, name, shown, top)
        gone = remove(db, room, bottom, first, left)
        left -= gone
        more = bottom + gone < min(limit, first) or (first < shown == end <= top)
        looks.append(Look(room, 1000 * kept.seconds, shown if first < shown else 0, more))
        if left <= 0:
            break
    reckon(db, looks, holds=holding.holds)
    return TRIM_STEP - left, looks


class Look(NamedTuple):
    """
    A room was checked.

    @ivar age: milliseconds for which it keeps messages; 0 is no limit.
    @ivar floor: the oldest number that may be shown, where entries are held; else 0.
    @ivar more: there is more to be removed.
    """

    room: int
    age: int
    floor: int
    more: bool


def reckon(db: sqlite3.Connection, looks: Sequence[Look], *, holds: bool) -> None:
    """
    Reckon when rooms are due.

    @param holds: there are receivers.
    """
    if holds:
        db.execute(_HOLD, (json.dumps([(each.room, each.floor) for each in looks]),))
    db.execute(_RECKON, (json.dumps([(each.room, each.age) for each in looks]),))
    more = [each.room for each in looks if each.more]
    if more:
        at_once = "UPDATE rooms SET due = ? WHERE id IN (SELECT value FROM json_each(?))"
        db.execute(at_once, (AT_ONCE, json.dumps(more)))


def remove(db: sqlite3.Connection, room: int, bottom: int, oldest: int, most: int) -> int:
    """Remove up to *most* of the rows below *oldest*; returns how many."""
    count = max(0, min(oldest - bottom, most))
    if count:
        bottom += count
        db.execute("DELETE FROM messages WHERE room = ? AND seq < ?", (room, bottom))
        db.execute("UPDATE rooms SET bottom = ? WHERE id = ?", (bottom, room))
    return count


def nonces(db: sqlite3.Connection) -> Iterator[Known]:
    """
    Read the nonces in the file, the oldest first.  The file has more than are remembered: the
    rooms that they are of decide which of them.
    """
    found = db.execute(
        "SELECT key, seq, time, digest FROM nonces ORDER BY rowid DESC LIMIT ?", (MOST_IN_FILE,)
    ).fetchall()
    return (Known.from_row(*row) for row in reversed(found))


def forget_nonces(db: sqlite3.Connection, now: int, latest: int, most: int) -> None:
    """
    Remove those of the first *most* rows that are not remembered any more.

    @param latest: in milliseconds; later stamps are of a wrong clock.
    """
    db.execute(
        "DELETE FROM nonces WHERE rowid IN (SELECT rowid FROM nonces ORDER BY rowid LIMIT ?)"
        " AND (time < ? OR time > ?)",
        (most, now - 1000 * NONCE_LASTS, latest),
    )


def shrink(db: sqlite3.Connection) -> bool:
    """Give some free pages back to the disk; returns whether there may be more."""
    if not db.execute("PRAGMA auto_vacuum").fetchone()[0]:
        return False
    # The statement has a step for each page, and execute() would take the first only.
    db.executescript(f"PRAGMA incremental_vacuum({SHRINK_STEP})")
    return bool(db.execute("PRAGMA freelist_count").fetchone()[0])


def truncate(db: sqlite3.Connection, timeout: float, patience: float = 0) -> bool:
    """
    Empty the write-ahead log; returns whether it could be done.

    @param timeout: seconds that the connection's other statements wait.
    @param patience: seconds that this one waits for readers.  Once the log is in the file, those
        that begin do not need it.
    """
    db.execute(f"PRAGMA busy_timeout = {1000 * patience:.0f}")
    try:
        busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        db.execute(f"PRAGMA busy_timeout = {1000 * timeout:.0f}")
    return not busy


def log_size(path: Path) -> int:
    """Bytes of the write-ahead log of the file at *path*."""
    try:
        return Path(f"{path}-wal").stat().st_size
    except FileNotFoundError:
        return 0
