"""
Upkeep of the embedded backend's file: removal of what no history shows, and shrinking.

A sweep walks over all rooms in small transactions, and over what is not in the journal.  Messages
above the limit go at once, those that are too old only while the clock is trusted
(`livechat.system.wallclock`).  A removal takes the oldest messages of a room, up to the first that
stays.

What was removed is still in the file's free pages and in the write-ahead log.  When it is
quiet the free pages are given back to the disk, where the file was made so that they can be,
and the log is cut to nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from livechat.backends.nonces import MOST_IN_FILE, NONCE_LASTS, Known
from livechat.backends.retention import RoomRetention

#: Most rows that one transaction removes beyond those that it adds.
TRIM_STEP: Final = 500
#: Most rooms that one step of a sweep looks at.
SWEEP_STEP: Final = 200
#: Pages that one step gives back to the disk: 2 MB.
SHRINK_STEP: Final = 500
#: Bytes of the write-ahead log that stay; more than that is what a long reader left behind.
LOG_LIMIT: Final = 8 << 20

_FIRST_SINCE: Final = """
SELECT seq FROM messages
WHERE room = :room AND seq >= :first AND seq < :end AND time >= :since
ORDER BY seq LIMIT 1
"""


class Swept(NamedTuple):
    """
    @ivar go_on: the room with which the next step begins; None at the end.
    @ivar removed: messages that were.
    """

    go_on: int | None
    removed: int


def sweep(db: sqlite3.Connection, retention: RoomRetention, start: int, now: int | None) -> Swept:
    """
    Remove some of what no history shows, from room *start* on.

    @param now: in milliseconds; None: nothing is removed for its age.
    """
    rooms = db.execute(
        "SELECT id, name, top, bottom, floor FROM rooms WHERE id >= ? ORDER BY id LIMIT ?",
        (start, SWEEP_STEP),
    ).fetchall()
    left = TRIM_STEP
    for room, name, top, bottom, floor in rooms:
        kept = retention.of(name)
        first = max(bottom, floor, kept.first_by_count(top))
        end = min(top + 1, first + left)
        since = 0 if now is None else kept.first_time(now)
        if since:
            wanted = {"room": room, "first": first, "end": end, "since": since}
            found = db.execute(_FIRST_SINCE, wanted).fetchone()
            first = end if found is None else int(found[0])
        left -= remove(db, room, bottom, first, left)
        if left <= 0:
            return Swept(int(room), TRIM_STEP)
    last = len(rooms) < SWEEP_STEP
    return Swept(None if last else int(rooms[-1][0]) + 1, TRIM_STEP - left)


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
    Those in the file, the oldest first.  There are more than are remembered: whose they are
    decides which of them.
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
