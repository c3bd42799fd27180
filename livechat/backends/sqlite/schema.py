"""
The tables of the embedded backend's file, and how those of earlier livechats become them.

`livechat.backends.sqlite.database` says what the tables are for.
"""

from __future__ import annotations

import secrets
import sqlite3
from typing import Final

_VERSION: Final = 10
#: Marks a livechat database (PRAGMA application_id): "lvch".
_APPLICATION_ID: Final = 0x6C766368

# A room's `event` is the number of its newest event; 0 if there never was one.  `floor` is the
# oldest number that may be shown, by the room's limits up to its newest entry.  `top`, `time` and
# `floor` leave out entries that are in the journal.  `due` is the time from which on
# entries may be removed (`livechat.backends.sqlite.upkeep`); NULL for never.
# Rows of `messages` are entries: `livechat.backends.records`.
_TABLES: Final = """
CREATE TABLE meta (
    key     TEXT PRIMARY KEY,
    value   BLOB NOT NULL
) WITHOUT ROWID, STRICT;
CREATE TABLE rooms (
    id      INTEGER PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    top     INTEGER NOT NULL,
    bottom  INTEGER NOT NULL,
    time    INTEGER NOT NULL,
    event   INTEGER NOT NULL DEFAULT 0,
    floor   INTEGER NOT NULL DEFAULT 1,
    due     INTEGER,
    waits   INTEGER NOT NULL DEFAULT 0,
    held    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE messages (
    room    INTEGER NOT NULL REFERENCES rooms,
    seq     INTEGER NOT NULL,
    time    INTEGER NOT NULL,
    message TEXT NOT NULL,
    user    TEXT,
    kind    INTEGER NOT NULL DEFAULT 0,
    extra   TEXT,
    PRIMARY KEY (room, seq)
) WITHOUT ROWID, STRICT;
"""
_DUE: Final = "CREATE INDEX rooms_by_due ON rooms (due) WHERE due IS NOT NULL;"
# Groups (`livechat.backends.sqlite.journal`): entries in the form of rows of `messages`, and floors
# of rooms by their ids.
_JOURNAL: Final = """
CREATE TABLE journal (
    id      INTEGER PRIMARY KEY,
    entries TEXT NOT NULL,
    floors  TEXT
) STRICT;
"""
# Read at restarts only.  Rows are in the order of their use, which costs next to nothing.  A key is
# 16 bytes of room and nonce, and behind them 8 of an address (`nonces.Known`).
_NONCES: Final = """
CREATE TABLE nonces (
    key     BLOB NOT NULL,
    seq     INTEGER NOT NULL,
    time    INTEGER NOT NULL,
    digest  BLOB NOT NULL
) STRICT;
"""

# `livechat.system.wallclock.Record`, in one row at most.
_CLOCK: Final = """
CREATE TABLE clock (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    trusted REAL NOT NULL,
    doubted REAL NOT NULL,
    held    REAL NOT NULL
) STRICT;
"""
# `livechat.interfaces.ISharedMap`; 0 where a value has no end.
_MAPS: Final = """
CREATE TABLE maps (
    map     TEXT NOT NULL,
    key     TEXT NOT NULL,
    value   BLOB NOT NULL,
    until   INTEGER NOT NULL,
    PRIMARY KEY (map, key)
) WITHOUT ROWID, STRICT;
"""
# The newest message of each key of a slow mode (`livechat.backends.sqlite.pacing`).
_PACE: Final = """
CREATE TABLE pace (
    key     INTEGER PRIMARY KEY,
    time    INTEGER NOT NULL,
    until   INTEGER NOT NULL
) STRICT;
CREATE INDEX pace_by_end ON pace (until);
"""
# Cursors of receivers outside (`livechat.backends.sqlite.cursors`).
_CURSORS: Final = """
CREATE TABLE receivers (
    id      INTEGER PRIMARY KEY,
    name    TEXT UNIQUE
) STRICT;
CREATE TABLE cursors (
    receiver    INTEGER NOT NULL REFERENCES receivers,
    room        INTEGER NOT NULL REFERENCES rooms,
    told        INTEGER NOT NULL,
    PRIMARY KEY (receiver, room)
) WITHOUT ROWID, STRICT;
CREATE INDEX rooms_that_wait ON rooms (name) WHERE waits;
CREATE INDEX rooms_that_hold ON rooms (id) WHERE held;
"""
# The epoch of which a receiver was told last; NULL: the room's present one.
_EPOCHS: Final = "ALTER TABLE cursors ADD COLUMN epoch TEXT;"
#: Scripts that make each version from the one before.
_STEPS: Final = {
    2: """
        CREATE TABLE recent (
            room    INTEGER NOT NULL REFERENCES rooms,
            seq     INTEGER NOT NULL,
            time    INTEGER NOT NULL,
            message TEXT NOT NULL
        ) STRICT;
        CREATE INDEX recent_by_room ON recent (room, seq);
    """,
    3: f"""
        ALTER TABLE messages ADD COLUMN user TEXT;
        ALTER TABLE recent ADD COLUMN user TEXT;
        {_NONCES}
    """,
    4: _CLOCK,
    5: _MAPS,
    # Digests were not keyed, so a reader of the file could try texts on them.  The nonces of the
    # ten minutes before an upgrade are forgotten.
    6: """
        ALTER TABLE rooms ADD COLUMN event INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE messages ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE messages ADD COLUMN extra TEXT;
        ALTER TABLE recent ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE recent ADD COLUMN extra TEXT;
        DELETE FROM nonces;
    """,
    7: f"""
        ALTER TABLE rooms ADD COLUMN floor INTEGER NOT NULL DEFAULT 1;
        {_PACE}
    """,
    8: f"""
        INSERT INTO messages (room, seq, time, message, user, kind, extra)
        SELECT room, seq, recent.time, message, user, kind, extra
        FROM recent JOIN rooms ON rooms.id = room
        WHERE seq >= bottom ORDER BY room, seq;
        DROP TABLE recent;
        {_JOURNAL}
        ALTER TABLE rooms ADD COLUMN due INTEGER;
        {_DUE}
    """,  # noqa: S608 - a constant
    9: f"""
        ALTER TABLE rooms ADD COLUMN waits INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE rooms ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
        {_CURSORS}
    """,
    10: _EPOCHS,
}


def check(db: sqlite3.Connection) -> int:
    """
    Return the version of the tables in *db*; 0 if it is empty.

    @raise sqlite3.DatabaseError: it is not livechat's, or of a newer one.
    """
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    tables = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application != _APPLICATION_ID and (application or version or tables):
        raise sqlite3.DatabaseError("it is not a livechat database")
    if version > _VERSION:
        raise sqlite3.DatabaseError(
            f"it was written by a newer livechat (schema {version}; this one knows {_VERSION})"
        )
    return version


def complete(db: sqlite3.Connection, version: int) -> None:
    """
    Bring the tables to the present version, all or nothing.

    @param version: the version of the tables; 0 for a new file.
    """
    if not version:
        _create(db)
    elif version < _VERSION:
        _upgrade(db, version)


def _create(db: sqlite3.Connection) -> None:
    db.executescript(
        f"BEGIN IMMEDIATE; {_TABLES} {_DUE} {_JOURNAL} {_NONCES} {_CLOCK} {_MAPS} {_PACE}"
        f"{_CURSORS} {_EPOCHS} PRAGMA application_id = {_APPLICATION_ID};"
        f"PRAGMA user_version = {_VERSION};"
    )
    db.execute("INSERT INTO meta VALUES ('secret', ?)", (secrets.token_bytes(32),))
    db.execute("COMMIT")


def _upgrade(db: sqlite3.Connection, version: int) -> None:
    steps = "".join(_STEPS[number] for number in range(version + 1, _VERSION + 1))
    db.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {_VERSION}; COMMIT;")
