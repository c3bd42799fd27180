"""Texts of a file, and tests whether words are left in it."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from livechat.backends.sqlite.database import Database
from livechat.protocol.messages import (
    User,
)
from tests.backends.disk import Disk

ANN = User("1", "Ann")


def erase(store: Database) -> None:
    while store.erase():
        pass


def is_sound(disk: Disk) -> bool:
    with closing(sqlite3.connect(disk.path)) as db:
        return bool(db.execute("PRAGMA integrity_check").fetchone() == ("ok",))
