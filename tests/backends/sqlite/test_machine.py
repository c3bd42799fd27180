"""`tests.amend_machine`, on the embedded backend's file."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from unittest import mock

from hypothesis import strategies as st
from hypothesis.stateful import rule
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from livechat.backends.retention import Retention
from livechat.backends.sqlite import journal
from livechat.backends.sqlite.backend import SqliteBackend
from livechat.backends.sqlite.database import Database
from livechat.errors import Kind
from livechat.protocol.cluster import Report
from livechat.protocol.messages import User
from tests.amend_machine import ACTS, LIMIT, ROOM, SETTINGS, AmendMachine
from tests.backends.disk import NOW, FailingConnection
from tests.support import RecordingSink, result
from tests.support.lanes import Lane

_T = TypeVar("_T")


class SqliteMachine(AmendMachine):
    """
    A process with SQLite; a killed one leaves its files as they are.

    Its journal is moved often, and writes fail in the middle.
    """

    def begin(self) -> None:
        self.patch = mock.patch.object(journal, "ENTRIES", 9)
        self.patch.start()
        self.directory = TemporaryDirectory()
        self.starts = 0
        self.clock = Clock()
        self.open()

    def open(self) -> None:
        self.starts += 1
        self.store = Database(
            self.state, Retention(LIMIT), lambda: NOW + self.clock.seconds(), self.clock.seconds
        )
        self.store.prepare()
        self.backend = SqliteBackend(self.store, self.clock, Lane(), Lane())
        self.sink = RecordingSink()
        self.backend.start(self.sink, lambda: Report("here", 0, 0, 0.0, (0.0, 0.0), ()))
        self.heard_from = len(self.model.entries)
        self.logs = [self.backend.messages]
        self.wait(lambda: self.backend.messages.subscribe(ROOM))

    @property
    def state(self) -> Path:
        return Path(self.directory.name) / f"state{self.starts}"

    def wait(self, call: Callable[[], Deferred[_T]]) -> _T:
        waiting = call()
        for _ in range(20):
            self.clock.advance(0)
        return result(waiting)

    def kill(self) -> None:
        before = self.state
        after = before.with_name(f"state{self.starts + 1}")
        shutil.copytree(before, after)
        self.backend.stop()
        self.open()

    @rule(acts=ACTS, statements=st.integers(0, 12))
    def act_on_a_full_disk(self, acts: list[tuple[str, User | None, Any]], statements: int) -> None:
        """Either all acts of a group are stored, or none: then the next ones find what was."""
        self.store.probe()
        db: Any = FailingConnection(self.store._connection, statements)  # type: ignore[arg-type]
        self.store._connection = db
        before = deepcopy(self.model)
        made, expected = self.make_all(acts)
        answers = self.answers(0, made)
        if answers == [Kind.UNAVAILABLE] * len(made):
            self.model = before
        else:
            assert answers == expected
        # The disk is full for this group only.
        self.store.close()

    @rule()
    def look_after(self) -> None:
        """Advance the clock: entries over the limit go, and retracted words are nowhere."""
        self.clock.pump([1.0] * 70)
        assert not self.store.unerased
        found = {
            mark.decode()
            for path in self.state.iterdir()
            for mark in re.findall(rb"<\d{6}>", path.read_bytes())
        }
        assert not found & {text[:8] for text in self.model.taken_back}

    def teardown(self) -> None:
        if hasattr(self, "backend"):
            heard = [entry.seq for entry in self.sink.entries(ROOM)]
            assert heard == list(range(self.heard_from + 1, len(self.model.entries) + 1))
            self.backend.stop()
            self.directory.cleanup()
            self.patch.stop()


TestSqliteMachine = SqliteMachine.TestCase
TestSqliteMachine.settings = SETTINGS
