"""The rows of shared maps in the embedded backend's file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from livechat.backends.maps import MapEntry


def read(db: sqlite3.Connection, name: str) -> dict[str, MapEntry]:
    """All entries of the map *name*."""
    found = db.execute("SELECT key, value, until FROM maps WHERE map = ?", (name,))
    return {key: MapEntry(value, until) for key, value, until in found}


def write(db: sqlite3.Connection, name: str, entries: Mapping[str, MapEntry | None]) -> None:
    """Store *entries* of the map *name*; None in place of those to be removed."""
    db.executemany(
        "DELETE FROM maps WHERE map = ? AND key = ?",
        [(name, key) for key, entry in entries.items() if entry is None],
    )
    db.executemany(
        "REPLACE INTO maps VALUES (?, ?, ?, ?)",
        [(name, key, *entry) for key, entry in entries.items() if entry is not None],
    )


def remove_ended(db: sqlite3.Connection, now: float) -> None:
    """
    Remove entries whose time is over.

    @param now: seconds since 1970, UTC.
    """
    db.execute("DELETE FROM maps WHERE until > 0 AND until <= ?", (int(now),))
