"""
The file of shared maps, beside that of the rooms: a SQLite database of its own.

Rooms begin anew where their file is broken.  Maps must not: a ban would end, and nobody would
know.  So a broken file of maps stops the start, and is left as it was found.

The file is made under another name, filled, and renamed, so it is never there in part.  A
livechat before had the maps in the rooms' file.  The new file is filled with those, and only
then are they removed there.  A start that was killed in between is repeated by the next one.

Everything here blocks and runs in threads.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NoReturn, Protocol

from livechat.backends.maps import MapEntry
from livechat.backends.sqlite import quarantine
from livechat.backends.sqlite.erasing import Eraser
from livechat.backends.sqlite.reading import BUSY_TIMEOUT, connect
from livechat.errors import StartError

NAME: Final = "maps.sqlite3"
_VERSION: Final = 1
#: PRAGMA application_id: "lvmp".
_APPLICATION_ID: Final = 0x6C766D70
#: Bytes of the write-ahead log that stay.
_LOG_LIMIT: Final = 1 << 20
# `livechat.interfaces.ISharedMap`; 0 where a value has no end.
_TABLES: Final = f"""
CREATE TABLE maps (
    map     TEXT NOT NULL,
    key     TEXT NOT NULL,
    value   BLOB NOT NULL,
    until   INTEGER NOT NULL,
    PRIMARY KEY (map, key)
) WITHOUT ROWID, STRICT;
CREATE TABLE probe (id INTEGER PRIMARY KEY CHECK (id = 1), value BLOB NOT NULL) STRICT;
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_VERSION};
"""
#: Map, key, value and end.
Row = tuple[str, str, bytes, int]


class FormerMaps(Protocol):
    """The rooms' file, which a livechat before had the maps in."""

    def former_maps(self) -> list[Row]:
        """The rows that are still there."""

    def forget_former_maps(self) -> None:
        """Remove them."""


class MapsFile:
    """
    The maps of one process.

    `write`, `probe`, `erase` and `close` belong to one thread at a time; `read` may run in any
    other.  After a failure the next call opens the file again.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / NAME
        self._draft = directory / f".{NAME}"
        self._connection: sqlite3.Connection | None = None
        self._eraser = Eraser(self.path)
        # The former process may have been killed.
        self._written = True

    def prepare(self, former: FormerMaps, now: float) -> None:
        """
        Check the file, or make it of the maps that *former* has.

        @param now: the time in seconds since 1970, UTC.
        @raise StartError: the file is broken or cannot be used; it was not changed.
        """
        try:
            if self.path.exists():
                self._check()
            else:
                self._make(former.former_maps(), now)
            if former.former_maps():
                former.forget_former_maps()
        except (OSError, sqlite3.Error) as reason:
            if quarantine.is_broken(reason):
                self._refuse(reason)
            raise StartError(f"--state: cannot use {self.path}: {reason}") from None

    def _refuse(self, reason: object) -> NoReturn:
        said = " ".join(str(reason).split())
        raise StartError(
            f"--state: {self.path} is broken ({said}), and was left as it is: put a backup in its"
            " place, move it away to begin with empty maps, or start with --without-maps on"
        ) from None

    def _check(self) -> None:
        # Read-only, as even a checkpoint would change a broken file.
        with closing(connect(self.path, "mode=ro")) as db:
            if not self.path.stat().st_size:
                self._refuse("it is empty")
            quarantine.check(db, self.path)
            if db.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
                raise sqlite3.DatabaseError("it is not livechat's")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise sqlite3.DatabaseError(
                    f"it was written by a newer livechat (version {version}; "
                    f"this one knows {_VERSION})"
                )

    def _make(self, rows: Iterable[Row], now: float) -> None:
        self._draft.unlink(missing_ok=True)
        os.close(os.open(self._draft, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        # Without a log each statement's changes are on the disk, in this one file.
        with closing(connect(self._draft, "mode=rw")) as db:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA journal_mode = OFF")
            db.executescript(f"BEGIN; {_TABLES}")
            db.executemany("INSERT INTO maps VALUES (?, ?, ?, ?)", rows)
            db.execute("COMMIT")
        # A log without its file is of one that was moved away, and must not become the new one's.
        quarantine.set_aside(self.path, now)
        self._draft.rename(self.path)
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def read(self, name: str) -> dict[str, MapEntry]:
        """
        All entries of the map *name*.

        @raise sqlite3.Error: the file cannot be read.
        """
        with closing(connect(self.path, "mode=rw")) as db:
            found = db.execute("SELECT key, value, until FROM maps WHERE map = ?", (name,))
            return {key: MapEntry(value, until) for key, value, until in found}

    def write(self, name: str, entries: Mapping[str, MapEntry | None]) -> None:
        """
        Store *entries* of the map *name*, on disk when this returns; None in place of those to
        be removed.

        @raise sqlite3.Error: none of them was stored.
        """
        self._written = True
        with self._transaction() as db:
            db.executemany(
                "DELETE FROM maps WHERE map = ? AND key = ?",
                [(name, key) for key, entry in entries.items() if entry is None],
            )
            db.executemany(
                "REPLACE INTO maps VALUES (?, ?, ?, ?)",
                [(name, key, *entry) for key, entry in entries.items() if entry is not None],
            )

    def probe(self) -> None:
        """Write something that nobody reads, to see whether writing works again."""
        with self._transaction() as db:
            db.execute("REPLACE INTO probe VALUES (1, ?)", (os.urandom(8),))

    @property
    def unerased(self) -> bool:
        """Tell whether the files may have values that were replaced or removed."""
        return self._written or self.erasing

    @property
    def erasing(self) -> bool:
        """Tell whether `erase` has begun, and not come to the end."""
        return self._eraser.under_way

    def erase(self) -> bool:
        """Erase like `livechat.backends.sqlite.database.Database.erase`."""
        if not self._eraser.under_way:
            self._written = False
            self._eraser.begin()
        try:
            done = self._eraser.step(self._connection or self._open(), BUSY_TIMEOUT)
        except BaseException:
            self._written = True
            self._eraser.give_up()
            raise
        finally:
            self._stop_writing()
        return done and self._eraser.under_way

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Run all or nothing, on disk at the end; after an error the file is opened anew."""
        db = self._connection or self._open()
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        except BaseException:
            self._stop_writing()
            raise

    def _open(self) -> sqlite3.Connection:
        # A missing file is not made: an empty one would be taken for the maps.
        db = connect(self.path, "mode=rw")
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON")
            db.execute(f"PRAGMA journal_size_limit = {_LOG_LIMIT}")
            if self.erasing:
                db.execute("PRAGMA wal_autocheckpoint = 0")
        except BaseException:
            db.close()
            raise
        self._connection = db
        return db

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._stop_writing()
        self._eraser.close()

    def _stop_writing(self) -> None:
        if self._connection is not None:
            db, self._connection = self._connection, None
            db.close()
