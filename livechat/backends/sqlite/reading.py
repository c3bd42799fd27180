"""
Reads of the embedded backend's file, in any number of threads.

Each has a connection of its own for the few milliseconds that it takes, however long its
history is: a page is bounded, and what has expired is stepped over by halving.  A read that went
on would keep the write-ahead log from being emptied.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from livechat.backends.records import Record, to_entry
from livechat.backends.retention import RoomRetention
from livechat.protocol.messages import (
    Entry,
    Message,
    Newest,
    Page,
    Position,
    Retraction,
    Submission,
    User,
    characters,
    user_of_text,
    user_to_text,
)

#: Seconds that a write waits for another process that has the file (a backup).
BUSY_TIMEOUT: Final = 2.0
#: A page is cut where its texts reach this many characters.
_PAGE_CHARACTERS: Final = 65_536

_ROOM: Final = "SELECT id, top, max(bottom, floor), time, event FROM rooms WHERE name = ?"
_READ: Final = """
SELECT seq, time, user, kind, message, extra FROM messages WHERE room = :room AND seq >= :first
UNION ALL
SELECT seq, time, user, kind, message, extra FROM recent WHERE room = :room AND seq >= :first
ORDER BY seq LIMIT :limit
"""
_TIME: Final = """
SELECT seq, time FROM messages WHERE room = :room AND seq >= :first
UNION ALL
SELECT seq, time FROM recent WHERE room = :room AND seq >= :first
ORDER BY seq LIMIT 1
"""


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """
    @param mode: of the URI.
    @raise sqlite3.Error: the file cannot be opened.
    """
    return sqlite3.connect(
        f"file://{quote(str(path))}?{mode}",
        uri=True,
        timeout=BUSY_TIMEOUT,
        isolation_level=None,
        check_same_thread=False,
    )


def first_since(db: sqlite3.Connection, room: int, first: int, top: int, since: int) -> int:
    """
    The oldest entry from *first* on that is not older than *since*; ``top + 1`` if all are.

    Times do not run backwards within a room, but for stamps of a clock that was wrong.
    """

    def seek(seq: int) -> tuple[int, int]:
        found = db.execute(_TIME, {"room": room, "first": seq}).fetchone()
        return found or (top + 1, since)

    # It is mostly young enough.
    seq, time = seek(first)
    if time >= since:
        return seq
    low, high = seq + 1, top + 1
    while low < high:
        middle = (low + high) // 2
        seq, time = seek(middle)
        if time < since:
            low = seq + 1
        else:
            high = middle
    return low


class Reader:
    """Histories as they are shown."""

    def __init__(
        self,
        path: Path,
        retention: RoomRetention,
        epoch: Callable[[str], str],
        now: Callable[[], int],
    ) -> None:
        """
        @param epoch: that of a room.
        @param now: in milliseconds since 1970, UTC; messages expire by it.
        """
        self._path = path
        self._retention = retention
        self._epoch = epoch
        self._now = now

    def read(self, room: str, after: int, limit: int) -> Page:
        """
        As `livechat.interfaces.IMessageLog.read` says.

        @raise sqlite3.Error: the file cannot be read.
        """
        with self.reading() as db:
            row = db.execute(_ROOM, (room,)).fetchone()
            if row is None:
                return Page(Position(self._epoch(room), 0, 1), ())
            number, top, bottom, newest, event = row
            retention = self._retention.of(room)
            oldest = max(bottom, retention.first_by_count(top))
            if retention.seconds:
                since = retention.first_time(self._now())
                # All are as old as the newest one, whatever a wrong clock has stamped.
                oldest = top + 1 if newest < since else first_since(db, number, oldest, top, since)
            entries: list[Entry] = []
            size = 0
            wanted = {"room": number, "first": max(after + 1, oldest), "limit": limit}
            for seq, time, user, kind, text, extra in db.execute(_READ, wanted):
                if not kind and extra is None:
                    # As nearly all are.
                    entries.append(Message(text, seq, time, as_user(user)))
                    size += len(text)
                else:
                    entry = to_entry(Record(kind, text, extra), seq, time, as_user(user))
                    entries.append(entry)
                    size += characters(entry)
                if size >= _PAGE_CHARACTERS:
                    break
            return Page(Position(self._epoch(room), top, oldest, event), tuple(entries))

    def newest(self, rooms: Sequence[str]) -> Mapping[str, Newest]:
        """
        As `livechat.interfaces.IMessageLog.newest` says.

        @raise sqlite3.Error: the file cannot be read.
        """
        with self.reading() as db:
            found = db.execute(
                "SELECT name, top, time FROM rooms WHERE name IN (SELECT value FROM json_each(?))",
                (json.dumps(rooms),),
            )
            return {name: Newest(top, time) for name, top, time in found}

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One unchanging view of the file."""
        # A connection for each read is cheap while another one is open.
        db = connect(self._path, "mode=rw")
        try:
            db.execute("PRAGMA query_only = ON")
            db.execute("BEGIN")
            yield db
        finally:
            db.close()


def as_text(user: User | None) -> str | None:
    """A user as the file keeps it."""
    return None if user is None else user_to_text(user)


def as_user(text: str | None) -> User | None:
    """The user that the file keeps so."""
    return None if text is None else user_of_text(text)


def unstorable(act: Submission) -> UnicodeError | None:
    """Why no database takes this text, whatever the disk says; None if one does."""
    try:
        if not isinstance(act, Retraction):
            act.message.encode()
            if act.data is not None:
                bytes(act.data).decode()
    except UnicodeError as reason:
        return reason
    return None
