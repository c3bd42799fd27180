"""
A database file that is broken: how that is told, and where it goes.

It is moved, whole and with what belongs to it, and never thrown away.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

#: Bytes of a file up to which it is checked as a whole, which takes a second at most.
CHECKED: Final = 256 << 20
_CODES: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class Broken(sqlite3.DatabaseError):
    """Damage that livechat has found, not SQLite."""


def check(db: sqlite3.Connection, path: Path) -> None:
    """
    Look through the file at *path*, which *db* has open, unless it is very large.

    @raise sqlite3.DatabaseError: it is broken.
    """
    if path.stat().st_size <= CHECKED:
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise Broken(found)


def is_broken(reason: Exception) -> bool:
    """True if *reason* means a broken file, and not one that cannot be used just now."""
    code = getattr(reason, "sqlite_errorcode", 0) & 0xFF
    return isinstance(reason, Broken) or code in _CODES


def set_aside(path: Path, now: float) -> Path:
    """
    Move the file at *path*, and what belongs to it, out of the way; returns where it is then.

    @param now: the time in seconds since 1970, UTC.
    @raise OSError: it cannot be moved.
    """
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}.broken-{moment}")
    for suffix in ("-shm", "-wal", ""):
        file = Path(f"{path}{suffix}")
        if file.exists():
            file.rename(f"{aside}{suffix}")
    return aside
