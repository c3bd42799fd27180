"""
The embedded backend's file: one SQLite database.

Everything here blocks and runs in threads; nothing here knows Twisted.

A room is a row with its newest number (`top`), the oldest number whose message
may still be in the file (`bottom`) and the time of its newest message.  The
row outlives its messages, so numbering goes on after all of them have expired.

What a history shows is exact at every moment: reads leave out what is over
the limit or too old.  The rows themselves go later, in small steps: each group
written removes a little more than it adds, and `sweep` walks over the rooms
that nobody writes to.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import sqlite3
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final
from urllib.parse import quote

from livechat.errors import StartError
from livechat.wire import Draft, Message, Newest, Page, Position

_SCHEMA_VERSION: Final = 1
#: Tells a livechat database from anybody else's (PRAGMA application_id): "lvch".
_APPLICATION_ID: Final = 0x6C766368
#: Seconds that a write waits for another process that has the file (a backup).
_BUSY_TIMEOUT: Final = 2.0
#: A page is cut where its texts reach this many characters.
_PAGE_CHARACTERS: Final = 65_536
#: A room's surplus messages stay in the file until there are this many.
_SLACK: Final = 64
#: Most rows that one transaction removes beyond those that it adds.
_TRIM_STEP: Final = 500
#: Most rooms that one step of a sweep looks at.
_SWEEP_STEP: Final = 200

_SCHEMA: Final = """
CREATE TABLE meta (
    key     TEXT PRIMARY KEY,
    value   BLOB NOT NULL
) WITHOUT ROWID, STRICT;
CREATE TABLE rooms (
    id      INTEGER PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    top     INTEGER NOT NULL,
    bottom  INTEGER NOT NULL,
    time    INTEGER NOT NULL
) STRICT;
CREATE TABLE messages (
    room    INTEGER NOT NULL REFERENCES rooms,
    seq     INTEGER NOT NULL,
    time    INTEGER NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (room, seq)
) WITHOUT ROWID, STRICT;
"""

# Python's sqlite3 lets other threads run at each step of a statement and then waits for
# its turn again: behind a busy reactor that is what a group of messages costs.  So each
# of these does all of a group's rooms, or a `_CHUNK` of its messages, in one step.
_GIVE_NUMBERS: Final = """
INSERT INTO rooms (name, top, bottom, time)
SELECT key, value, 1, :now FROM json_each(:counts) WHERE true
ON CONFLICT (name) DO UPDATE SET top = top + excluded.top, time = max(time, excluded.time)
"""
_GIVEN: Final = """
SELECT json_group_object(name, json_array(id, top, bottom, time))
FROM rooms WHERE name IN (SELECT key FROM json_each(:counts))
"""
_CHUNK: Final = 100


@cache
def _insert(count: int) -> str:
    """Stores *count* messages."""
    return "INSERT INTO messages VALUES " + ", ".join(["(?, ?, ?, ?)"] * count)


@dataclass(frozen=True)
class Retention:
    """What a history keeps: a number of messages and an age in seconds; 0 is no limit."""

    messages: int
    seconds: int

    def first_by_count(self, top: int) -> int:
        """The oldest number that the count lets live."""
        return max(1, top - self.messages + 1) if self.messages else 1

    def first_time(self, now: int) -> int:
        """The oldest time, in milliseconds, that the age lets live."""
        return now - 1000 * self.seconds if self.seconds else 0


class Store:
    """
    The database file of one process.

    `write`, `probe`, `sweep` and `close` belong to one thread at a time; `read`
    and `newest` may run in any number of others.  A method that fails leaves the store
    usable: the next call opens the file again.
    """

    def __init__(self, directory: Path, retention: Retention, now: Callable[[], float]) -> None:
        """
        @param directory: where the file is or will be.
        @param now: the time in seconds since 1970, UTC.
        """
        self._path = directory / "livechat.sqlite3"
        self._lock_path = directory / "livechat.lock"
        self._retention = retention
        self._now = now
        self._writer: sqlite3.Connection | None = None
        # Open as long as the store is, and idle.  Without it, a write that fails would
        # close the last connection, and SQLite its index of the log with it: to make
        # that anew takes room on the disk, so on a full one nobody could read any more.
        self._keeper: sqlite3.Connection | None = None
        self._lock: int | None = None
        self._secret = b""

    def prepare(self) -> None:
        """
        Take the directory for this process, and make or check the file.

        The lock is held until the process ends or `release`, over forks.

        @raise StartError: another process has it, the file is not ours or is
            of a newer livechat, or it cannot be used.
        """
        directory = self._path.parent
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(f"--state: another livechat is using {directory}") from None
        except OSError as reason:
            raise StartError(f"--state: cannot use {directory}: {reason.strerror}") from None
        try:
            self._open()
            self.close()
        except sqlite3.Error as reason:
            raise StartError(f"--state: cannot use {self._path}: {reason}") from None

    def release(self) -> None:
        """Give the directory back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def epoch(self, room: str) -> str:
        """
        The name of *room*'s numbering: a keyed hash, so that a room in which
        nothing was ever said has one too and costs no row.
        """
        digest = blake2b(room.encode(), key=self._secret, digest_size=9).digest()
        return urlsafe_b64encode(digest).decode()

    def write(self, drafts: Sequence[Draft]) -> list[Message | Exception]:
        """
        Store *drafts* in one transaction, on disk when this returns.

        @return: for each draft its message, or why this one could not be stored.
        @raise sqlite3.Error: nothing of it was stored.
        """
        bad = {index: reason for index, reason in enumerate(map(_unstorable, drafts)) if reason}
        good = [draft for index, draft in enumerate(drafts) if index not in bad]
        messages = iter(self._write_group(good) if good else ())
        return [bad[index] if index in bad else next(messages) for index in range(len(drafts))]

    def _write_group(self, drafts: Sequence[Draft]) -> list[Message]:
        counts = Counter(draft.room for draft in drafts)
        now = self._milliseconds()
        with self._transaction() as db:
            given = {"counts": json.dumps(counts), "now": now}
            db.execute(_GIVE_NUMBERS, given)
            rooms = json.loads(db.execute(_GIVEN, given).fetchone()[0])
            last = {}
            for name, (room, top, bottom, _) in rooms.items():
                last[name] = top - counts[name]
                oldest = self._retention.first_by_count(top)
                if oldest - bottom > _SLACK:
                    self._remove(db, room, bottom, oldest, counts[name] + _TRIM_STEP)
            messages: list[Message] = []
            values: list[object] = []
            for draft in drafts:
                last[draft.room] = seq = last[draft.room] + 1
                room, _, _, time = rooms[draft.room]
                messages.append(Message(draft.message, seq, time))
                values += (room, seq, time, draft.message)
            for start in range(0, len(values), 4 * _CHUNK):
                chunk = values[start : start + 4 * _CHUNK]
                db.execute(_insert(len(chunk) // 4), chunk)
        return messages

    def probe(self) -> None:
        """Write something that nobody reads, to see whether writing works again."""
        with self._transaction() as db:
            db.execute("REPLACE INTO meta VALUES ('probe', ?)", (os.urandom(8),))

    def read(self, room: str, after: int, limit: int) -> Page:
        """
        As `livechat.interfaces.IBackend.read` says.

        @raise sqlite3.Error: the file cannot be read.
        """
        now = self._milliseconds()
        with self._reading() as db:
            found = db.execute("SELECT id, top, bottom FROM rooms WHERE name = ?", (room,))
            row = found.fetchone()
            if row is None:
                return Page(Position(self.epoch(room), 0, 1), ())
            number, top, bottom = row
            oldest = self._oldest(db, number, top, bottom, now=now)
            messages: list[Message] = []
            characters = 0
            for seq, time, text in db.execute(
                "SELECT seq, time, message FROM messages WHERE room = ? AND seq >= ?"
                " ORDER BY seq LIMIT ?",
                (number, max(after + 1, oldest), limit),
            ):
                messages.append(Message(text, seq, time))
                characters += len(text)
                if characters >= _PAGE_CHARACTERS:
                    break
            return Page(Position(self.epoch(room), top, oldest), tuple(messages))

    def newest(self, rooms: Sequence[str]) -> Mapping[str, Newest]:
        """
        As `livechat.interfaces.IBackend.newest` says.

        @raise sqlite3.Error: the file cannot be read.
        """
        with self._reading() as db:
            found = db.execute(
                "SELECT name, top, time FROM rooms WHERE name IN (SELECT value FROM json_each(?))",
                (json.dumps(rooms),),
            )
            return {name: Newest(top, time) for name, top, time in found}

    def sweep(self, start: int = 0) -> int | None:
        """
        Remove some of what no history shows any more, beginning at room *start*.

        @return: where to go on; None at the end.
        """
        now = self._milliseconds()
        with self._transaction() as db:
            rooms = db.execute(
                "SELECT id, top, bottom FROM rooms WHERE id >= ? ORDER BY id LIMIT ?",
                (start, _SWEEP_STEP),
            ).fetchall()
            budget = _TRIM_STEP
            for room, top, bottom in rooms:
                oldest = self._oldest(db, room, top, bottom, now=now, within=budget)
                budget -= self._remove(db, room, bottom, oldest, budget)
                if budget <= 0:
                    return int(room)
        return int(rooms[-1][0]) + 1 if len(rooms) == _SWEEP_STEP else None

    def close(self) -> None:
        """Let go of the file; the next call opens it again."""
        self._stop_writing()
        if self._keeper is not None:
            keeper, self._keeper = self._keeper, None
            keeper.close()

    def _stop_writing(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()

    def _remove(
        self, db: sqlite3.Connection, room: int, bottom: int, oldest: int, most: int
    ) -> int:
        """Remove up to *most* of the rows below *oldest*; returns how many."""
        count = max(0, min(oldest - bottom, most))
        if count:
            bottom += count
            db.execute("DELETE FROM messages WHERE room = ? AND seq < ?", (room, bottom))
            db.execute("UPDATE rooms SET bottom = ? WHERE id = ?", (bottom, room))
        return count

    def _oldest(
        self,
        db: sqlite3.Connection,
        room: int,
        top: int,
        bottom: int,
        *,
        now: int,
        within: int | None = None,
    ) -> int:
        """
        The oldest number that a history shows; ``top + 1`` if none.

        @param within: look at no more than so many rows, and return the first
            one not looked at if all of them are too old.
        """
        first = max(bottom, self._retention.first_by_count(top))
        if not self._retention.seconds:
            return first
        end = top + 1 if within is None else min(top + 1, first + within)
        # Times do not run backwards within a room, so what is too old is a prefix.
        found = db.execute(
            "SELECT seq FROM messages WHERE room = ? AND seq >= ? AND seq < ? AND time >= ?"
            " ORDER BY seq LIMIT 1",
            (room, first, end, self._retention.first_time(now)),
        ).fetchone()
        return end if found is None else int(found[0])

    def _milliseconds(self) -> int:
        return int(1000 * self._now())

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, on disk at the end; after an error the file is opened anew."""
        db = self._writer or self._open()
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        except BaseException:
            # Closing rolls back; what SQLite believes about the disk goes with it.
            self._stop_writing()
            raise

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """One unchanging view of the file."""
        # A connection for each read is cheap while the keeper is there.
        db = self._connect("mode=rw")
        try:
            db.execute("PRAGMA query_only = ON")
            db.execute("BEGIN")
            yield db
        finally:
            db.close()

    def _connect(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"file://{quote(str(self._path))}?{mode}",
            uri=True,
            timeout=_BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
        )

    def _open(self) -> sqlite3.Connection:
        db = self._connect("mode=rwc")
        try:
            self._check(db)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            if not db.execute("PRAGMA user_version").fetchone()[0]:
                self._create(db)
            found = db.execute("SELECT value FROM meta WHERE key = 'secret'").fetchone()
            self._secret = found[0]
        except BaseException:
            db.close()
            raise
        self._writer = db
        if self._keeper is None:
            self._keeper = self._connect("mode=rw")
            self._keeper.execute("SELECT count(*) FROM meta").fetchone()
        return db

    def _check(self, db: sqlite3.Connection) -> None:
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        tables = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if application != _APPLICATION_ID and (application or version or tables):
            raise sqlite3.DatabaseError("it is not a livechat database")
        if version > _SCHEMA_VERSION:
            raise sqlite3.DatabaseError(
                f"it was written by a newer livechat (schema {version}; "
                f"this one knows {_SCHEMA_VERSION})"
            )

    def _create(self, db: sqlite3.Connection) -> None:
        self._path.chmod(0o600)
        db.executescript(
            f"BEGIN IMMEDIATE; {_SCHEMA}"
            f"PRAGMA application_id = {_APPLICATION_ID};"
            f"PRAGMA user_version = {_SCHEMA_VERSION};"
        )
        db.execute("INSERT INTO meta VALUES ('secret', ?)", (secrets.token_bytes(32),))
        db.execute("COMMIT")


def _unstorable(draft: Draft) -> UnicodeEncodeError | None:
    """Why no database takes this text, whatever the disk says; None if one does."""
    try:
        draft.message.encode()
    except UnicodeEncodeError as reason:
        return reason
    return None
