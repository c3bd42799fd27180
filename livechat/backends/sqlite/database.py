"""
The embedded backend's file: one SQLite database.

Everything here blocks and runs in threads; nothing here knows Twisted.

A room is a row with its newest number (`top`), the oldest number whose message
may still be in the file (`bottom`) and the time of its newest message.  The
row outlives its messages, so numbering goes on after all of them have expired.

The newest entries are in the journal (`livechat.backends.sqlite.journal`), and the room's row is as
old as those that were moved from there.

What a history shows is exact at every moment: reads (`livechat.backends.sqlite.reading`) leave out
what is over the limit or too old.  The rows themselves go later, in small steps: whenever
messages are moved, and in `sweep` (`livechat.backends.sqlite.upkeep`).
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from livechat.backends.retention import Retention, RoomRetention
from livechat.backends.sqlite import quarantine, schema, upkeep
from livechat.backends.sqlite.clock import KeptClock
from livechat.backends.sqlite.cursors import Cursors
from livechat.backends.sqlite.erasing import Eraser
from livechat.backends.sqlite.held import OutboxReader, OutboxWriter
from livechat.backends.sqlite.holding import Holding
from livechat.backends.sqlite.journal import Journal
from livechat.backends.sqlite.maps import Row
from livechat.backends.sqlite.numberings import Numberings
from livechat.backends.sqlite.reading import BUSY_TIMEOUT, Reader, connect
from livechat.backends.sqlite.writing import Writer
from livechat.errors import StartError
from livechat.protocol.messages import Amended, Message, Newest, Page, Submission
from livechat.system.wallclock import WallClock

#: Groups that are written before a checkpoint of the log, if there is time for one.
_GROUPS_IN_LOG: Final = 32


class Database:
    """
    The database file of one process.

    `write`, `probe`, `sweep`, `walk`, `tidy`, `erase` and `close` belong to one thread at a time;
    `read` and `newest` may run in any number of others; `clock` is read in yet another.  A
    method that fails leaves the database usable: the next call opens the file again.
    """

    def __init__(
        self,
        directory: Path,
        retention: Retention,
        wall: Callable[[], float],
        elapsed: Callable[[], float],
    ) -> None:
        """
        @param directory: the directory of the file.
        @param retention: the server's limits; by `retention` rooms may keep less.
        @param wall: the time in seconds since 1970, UTC, which may be wrong.
        @param elapsed: seconds since any moment, of a clock that cannot be set.
        """
        self.directory = directory
        self._path = directory / "livechat.sqlite3"
        self._lock_path = directory / "livechat.lock"
        self.retention = RoomRetention(retention)
        self._wall = wall
        self.clock = WallClock(wall, elapsed)
        self.kept_clock = KeptClock(self.clock)
        self._journal = Journal()
        self._reader = Reader(
            self._path, self._journal, self.retention, self.epoch, self.clock.milliseconds
        )
        self._connection: sqlite3.Connection | None = None
        # An idle connection.  Without it a failing write would close the last one, and SQLite
        # would remove its index of the log.  A new index needs room on the disk, so nobody could
        # read from a full one.
        self._keeper: sqlite3.Connection | None = None
        self._lock: int | None = None
        # The place to which a broken file was moved, and its fault.
        self.broken: tuple[Path, str] | None = None
        # True if `tidy` may have work.
        self.untidy = False
        # Groups that were written since the last checkpoint.
        self._groups = 0
        # The place of the walk over all rooms; and the number of rules at the last one's start.
        self._walk_at: int | None = 0
        self._walked = 0
        self._eraser = Eraser(self._path)
        self._numberings = Numberings()
        self._elapsed = elapsed
        self.cursors = Cursors(self._transaction, self._journal, self.epoch)
        self._holding = Holding(self.cursors.lowest)
        self._writer = self._make_writer()
        self.held = OutboxReader(self._reader, self._journal, self.cursors)
        self.waiting = OutboxWriter(
            self._transaction, self._journal, self.cursors, self._reader, self._empty_journal
        )

    def prepare(self) -> None:
        """
        Take the directory for this process, and make or check the file.

        The lock is held until the process ends or `release`, over forks.

        A file that is broken is moved aside, whole, for the operator to look at; rooms begin
        anew without it.

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
            self._prepare_file()
        except (OSError, sqlite3.Error) as reason:
            raise StartError(f"--state: cannot use {self._path}: {reason}") from None

    def _prepare_file(self) -> None:
        """
        @raise sqlite3.Error: the file is unusable.
        """
        try:
            self._check()
        except (OSError, sqlite3.Error) as reason:
            if not quarantine.is_broken(reason):
                raise
            self._set_aside(reason)
            self._check()

    def _make_writer(self) -> Writer:
        return Writer(
            self._transaction,
            self._journal,
            self.retention,
            self.clock,
            elapsed=self._elapsed,
            secret=lambda: self._numberings.secret,
            holding=self._holding,
        )

    def _empty_journal(self) -> None:
        """Move the journal, so that all entries are in the file, and may be rewritten."""
        self._writer.move()
        self._writer.amended = True

    def _check(self) -> None:
        """
        @raise sqlite3.Error: the file is broken or unusable.
        """
        try:
            quarantine.check(self._open(), self._path)
        finally:
            self.close()

    def _set_aside(self, reason: Exception) -> None:
        """
        Move the file, with its log, out of the way.

        @raise StartError: the file cannot be moved.
        """
        try:
            aside = quarantine.set_aside(self._path, self._wall())
        except OSError as why:
            raise StartError(
                f"--state: {self._path} is broken ({reason}), and cannot be moved: {why.strerror}"
            ) from None
        self._numberings = Numberings()
        self._writer = self._make_writer()
        self._journal.forget()
        self.broken = aside, " ".join(str(reason).split())

    def release(self) -> None:
        """Give the directory back: another process may write from now on."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
            self._journal.forget()

    def epoch(self, room: str) -> str:
        """Call `Numberings.epoch`."""
        return self._numberings.epoch(room)

    def secret(self) -> bytes:
        """Call `Numberings.guests`."""
        return self._numberings.guests()

    def write(self, acts: Sequence[Submission]) -> list[Message | Amended | Exception]:
        """Call `Writer.write`."""
        self._groups += 1
        return self._writer.write(acts)

    @property
    def log_due(self) -> bool:
        """Tell whether to call `take_log` when no message waits."""
        return self._groups >= _GROUPS_IN_LOG and not self.erasing

    def take_log(self) -> None:
        """
        Write what is in the write-ahead log to its place, so that the log is used from its
        beginning again.

        SQLite does it too, in the commit of some message, and when the log is larger.  To make a
        file longer costs each commit a third more than to overwrite it.  No-op between two
        steps of `erase`, which goes by the log.
        """
        self._groups = 0
        if not self._eraser.under_way:
            db = self._connection or self._open()
            db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def probe(self) -> None:
        """Write something that nobody reads, to see whether writing works again."""
        with self._transaction() as db:
            db.execute("REPLACE INTO meta VALUES ('probe', ?)", (os.urandom(8),))

    def former_maps(self) -> list[Row]:
        """The shared maps that a livechat before had here (`livechat.backends.sqlite.maps`)."""
        with self._reader.reading() as db:
            return db.execute("SELECT map, key, value, until FROM maps").fetchall()

    def forget_former_maps(self) -> None:
        """Remove them, from the disk when this returns; lets go of the file."""
        try:
            with self._transaction() as db:
                db.execute("DELETE FROM maps")
        finally:
            self.close()

    def read(self, room: str, after: int, limit: int, *, hidden: bool = False) -> Page:
        """Call `Reader.read`."""
        return self._reader.read(room, after, limit, hidden=hidden)

    def names(self, after: str, limit: int) -> list[str]:
        """Call `Reader.names`."""
        return self._reader.names(after, limit)

    def newest(self, rooms: Sequence[str]) -> Mapping[str, Newest]:
        """Call `Reader.newest`."""
        return self._reader.newest(rooms)

    def sweep(self, *, first: bool = True) -> bool:
        """
        Remove some of what no history shows any more; return whether to go on at once.

        @param first: it is the first step of a sweep.
        """
        if first:
            self._writer.move()
        with self._transaction() as db:
            if first:
                self.kept_clock.keep(db)
            swept = self._writer.sweep(db)
        self._swept(swept)
        return swept.go_on is not None

    @property
    def walking(self) -> bool:
        """Return True if rooms must be checked that no sweep may come to."""
        return self._walk_at is not None or self._walked != self.retention.changes

    def walk(self) -> None:
        """Look at some of all rooms, and remove what no history shows; `walking` says of more."""
        if self._walk_at is None:
            self._walk_at, self._walked = 0, self.retention.changes
        with self._transaction() as db:
            swept = self._writer.walk(db, self._walk_at)
        self._walk_at = swept.go_on
        self._swept(swept)

    def _swept(self, swept: upkeep.Swept) -> None:
        if self._writer.removed or swept.removed or upkeep.log_size(self._path) > upkeep.LOG_LIMIT:
            self.untidy, self._writer.removed = True, False

    def tidy(self) -> None:
        """
        Give some of what nothing is in any more back to the disk.

        `untidy` says whether there is more of it.  No-op between two steps of `erase`: pages
        that move would pass them by.
        """
        if self._eraser.under_way:
            return
        db = self._connection or self._open()
        try:
            self.untidy = upkeep.shrink(db) or not upkeep.truncate(db, BUSY_TIMEOUT)
        except BaseException:
            self._stop_writing()
            raise

    @property
    def unerased(self) -> bool:
        """Tell whether the files may have words that were edited or retracted."""
        return self._writer.amended or self.erasing

    @property
    def erasing(self) -> bool:
        """Tell whether `erase` has begun, and not come to the end."""
        return self._eraser.under_way

    def erase(self) -> bool:
        """
        Remove some of what was edited or retracted from the files; return whether to go on at
        once.  `unerased` says whether there is more of it: if not at once, then later.
        """
        if not self._eraser.under_way:
            self._writer.amended = False
            self._eraser.begin()
        try:
            done = self._eraser.step(self._connection or self._open(), BUSY_TIMEOUT)
        except BaseException:
            self._writer.amended = True
            self._eraser.give_up()
            raise
        finally:
            self._stop_writing()
        return done and self._eraser.under_way

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._stop_writing()
        self._reader.close()
        if self._keeper is not None:
            keeper, self._keeper = self._keeper, None
            keeper.close()
        self._eraser.close()

    def _stop_writing(self) -> None:
        if self._connection is not None:
            writer, self._connection = self._connection, None
            writer.close()

    @contextmanager
    def _transaction(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """Begin a `Transaction`; after an error the file is opened anew."""
        db = self._connection or self._open()
        try:
            if not durable:
                db.execute("PRAGMA synchronous = NORMAL")
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
            if not durable:
                db.execute("PRAGMA synchronous = FULL")
            self._journal.committed()
        except BaseException:
            # Closing rolls back, and drops SQLite's cache of the disk's contents.  The next reads
            # open the file anew as well, as it may be another one by then.
            self._stop_writing()
            self._reader.close()
            self._journal.forget()
            self.kept_clock.rolled_back()
            raise

    def _open(self) -> sqlite3.Connection:
        db = connect(self._path, "mode=rwc")
        try:
            version = schema.check(db)
            if not version:
                self._path.chmod(0o600)
                # The setting counts in an empty file only; later only VACUUM could change it.
                db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            # SQLite then overwrites removed contents, in pages and of whole pages.
            db.execute("PRAGMA secure_delete = ON")
            db.execute(f"PRAGMA journal_size_limit = {upkeep.LOG_LIMIT}")
            if self.erasing:
                db.execute("PRAGMA wal_autocheckpoint = 0")
            schema.complete(db, version)
            self._journal.opened(db)
            self.cursors.opened(db)
            if not self._numberings.secret:
                self.kept_clock.start(db, self._journal.newest)
                self._writer.remember_nonces(db)
            self._numberings.read(db)
        except BaseException:
            db.close()
            raise
        self._connection = db
        if self._keeper is None:
            self._keeper = connect(self._path, "mode=rw")
            self._keeper.execute("SELECT count(*) FROM meta").fetchone()
        return db
