"""The embedded backend's file, as tests look at it and change it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from livechat.backends.retention import Retention
from livechat.backends.sqlite.database import Database
from livechat.protocol.messages import Draft, Edit, Message, Retraction, User

NOW = 1_790_000_000.0
AGE = 30 * 86_400
ANN = User("1", "Ann")


def draft(text: str) -> Draft:
    """A message of Ann's."""
    return Draft("r", text, ANN)


def edit(ref: int, text: str) -> Edit:
    """An edit by Ann."""
    return Edit("r", ref, text, ANN.subject)


def retract(*refs: int) -> Retraction:
    """A moderator's retraction."""
    return Retraction("r", refs, None, moderates=True)


class FailingConnection:
    """A connection whose disk is full after a few statements."""

    def __init__(self, db: sqlite3.Connection, statements: int) -> None:
        self._db = db
        self._left = statements

    def __getattr__(self, name: str) -> Any:
        if name in {"execute", "executemany"}:
            self._left -= 1
            if self._left < 0:
                raise sqlite3.OperationalError("database or disk is full")
        return getattr(self._db, name)


class Disk:
    """A state directory, and stores in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "livechat.sqlite3"
        self.now = NOW
        # By how much the wall clock is wrong.
        self.ahead = 0.0
        self._stores: list[Database] = []

    def store(self, messages: int = 0, seconds: int = 0) -> Database:
        """A store that took the place of the last one."""
        self.close()
        store = Database(
            self.directory,
            Retention(messages, seconds),
            lambda: self.now + self.ahead,
            lambda: self.now,
        )
        self._stores.append(store)
        store.prepare()
        return store

    def rows(self, room: str = "r") -> list[int]:
        """The numbers of the messages in the file."""
        with closing(sqlite3.connect(self.path)) as database:
            (number,) = database.execute("SELECT id FROM rooms WHERE name = ?", (room,)).fetchone()
            found = database.execute(
                "SELECT seq FROM messages WHERE room = :room UNION ALL"
                " SELECT value ->> 1 FROM journal, json_each(entries) WHERE value ->> 0 = :room"
                " ORDER BY 1",
                {"room": number},
            )
            return [seq for (seq,) in found]

    def change(self, statement: str) -> None:
        with closing(sqlite3.connect(self.path)) as database:
            database.execute(statement)
            database.commit()

    def close(self) -> None:
        for store in self._stores:
            store.close()
            store.release()


def say(store: Database, *texts: str, room: str = "r") -> list[int]:
    written = store.write([Draft(room, text) for text in texts])
    assert all(isinstance(each, Message) for each in written)
    return [each.seq for each in written if isinstance(each, Message)]


def shown(store: Database, after: int = 0, room: str = "r") -> list[int]:
    return [message.seq for message in store.read(room, after, 10_000).messages]
