"""
Upkeep of the embedded backend's file: removal of what no history shows, and shrinking.

A room's row says from when on there is something to remove of it (`due`), which is reckoned
whenever its messages are moved or looked at.  A sweep goes by that, in small transactions, and over
what is not in the journal.  Messages above the limit go at once, those that are too old only
while the clock is trusted (`livechat.system.wallclock`).  A removal takes the oldest messages of a
room, up to the first that stays.

What is due follows from how much rooms keep.  When that may have changed, and when the file is
opened, a walk over all rooms looks at some of them now and then.

What was removed is still in the file's free pages and in the write-ahead log.  When it is
quiet the free pages are given back to the disk, where the file was made so that they can be,
and the log is cut to nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from livechat.backends.nonces import MOST_IN_FILE, NONCE_LASTS, Known
from livechat.backends.retention import RoomRetention

#: Most rows that one transaction removes beyond those that it adds.
TRIM_STEP: Final = 500
#: Most rooms that one step of a sweep looks at, or of a walk.
SWEEP_STEP: Final = 200
#: `due` of a room that has more to be removed, whatever the time.
AT_ONCE: Final = 0
#: Pages that one step gives back to the disk: 2 MB.
SHRINK_STEP: Final = 500
#: Bytes of the write-ahead log that stay; more than that is what a long reader left behind.
LOG_LIMIT: Final = 8 << 20

_FIRST_SINCE: Final = """
SELECT seq FROM messages
WHERE room = :room AND seq >= :first AND seq < :end AND time >= :since
ORDER BY seq LIMIT 1
"""
_COLUMNS: Final = "id, name, top, bottom, floor"
_SOME_DUE: Final = f"SELECT {_COLUMNS} FROM rooms WHERE due < ? ORDER BY due LIMIT {SWEEP_STEP}"  # noqa: S608
_SOME: Final = f"SELECT {_COLUMNS} FROM rooms WHERE id >= ? ORDER BY id LIMIT {SWEEP_STEP}"  # noqa: S608
# By the oldest message.  A row that stays the same is not written.
_RECKON: Final = """
UPDATE rooms SET due = reckoned.due FROM (
    SELECT rooms.id AS id, (
        SELECT messages.time FROM messages
        WHERE room = rooms.id AND seq >= bottom AND age > 0 ORDER BY seq LIMIT 1
    ) + age AS due
    FROM (SELECT value ->> 0 AS id, value ->> 1 AS age FROM json_each(?)) AS ages
    JOIN rooms USING (id)
    WHERE age > 0 OR rooms.due IS NOT NULL
) AS reckoned
WHERE rooms.id = reckoned.id AND rooms.due IS NOT reckoned.due
"""


class Swept(NamedTuple):
    """
    @ivar go_on: where the next step begins; None at the end.
    @ivar removed: messages that were.
    """

    go_on: int | None
    removed: int


class _Room(NamedTuple):
    """A room's row, as far as removals go by it."""

    id: int
    name: str
    top: int
    bottom: int
    floor: int


def sweep(db: sqlite3.Connection, retention: RoomRetention, now: int | None) -> Swept:
    """
    Remove some of what no history shows, of rooms that have such.

    @param now: in milliseconds; None: nothing is removed for its age.
    """
    due = AT_ONCE + 1 if now is None else now
    rooms = [_Room(*row) for row in db.execute(_SOME_DUE, (due,)).fetchall()]
    removed, _ = _trim(db, retention, rooms, now)
    return Swept(None if len(rooms) < SWEEP_STEP and removed < TRIM_STEP else 0, removed)


def walk(db: sqlite3.Connection, retention: RoomRetention, start: int, now: int | None) -> Swept:
    """As `sweep`, of any rooms from *start* on."""
    rooms = [_Room(*row) for row in db.execute(_SOME, (start,)).fetchall()]
    removed, looked_at = _trim(db, retention, rooms, now)
    left = rooms[looked_at:]
    if left:
        return Swept(left[0].id, removed)
    return Swept(None if len(rooms) < SWEEP_STEP else rooms[-1].id + 1, removed)


def _trim(
    db: sqlite3.Connection, retention: RoomRetention, rooms: Sequence[_Room], now: int | None
) -> tuple[int, int]:
    """
    Remove some messages of *rooms*, and reckon when they are due again; return how many, and how
    many of the rooms were looked at.
    """
    left = TRIM_STEP
    ages: dict[int, int] = {}
    more: list[int] = []
    for room, name, top, bottom, floor in rooms:
        kept = retention.of(name)
        limit = max(floor, kept.first_by_count(top))
        first = max(bottom, limit)
        end = min(top + 1, first + left)
        since = 0 if now is None else kept.first_time(now)
        if since:
            wanted = {"room": room, "first": first, "end": end, "since": since}
            found = db.execute(_FIRST_SINCE, wanted).fetchone()
            first = end if found is None else int(found[0])
        gone = remove(db, room, bottom, first, left)
        left -= gone
        ages[room] = 1000 * kept.seconds
        if bottom + gone < limit:
            more.append(room)
        if left <= 0:
            break
    reckon(db, ages, more)
    return TRIM_STEP - left, len(ages)


def reckon(db: sqlite3.Connection, ages: Mapping[int, int], more: Sequence[int]) -> None:
    """
    Reckon when rooms are due.

    @param ages: milliseconds for which they keep messages, by their ids; 0 is no limit.
    @param more: the ids of those that have more to be removed.
    """
    db.execute(_RECKON, (json.dumps([*ages.items()]),))
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

    @param latest: in milliseconds; a wrong clock has stamped what is later.
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
    # It is a step for each page, of which execute() would take the first only.
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
