"""`tests.amend_machine`, on the embedded backend's file."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from hypothesis.stateful import rule
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from livechat.backends.retention import Retention
from livechat.backends.sqlite.backend import SqliteBackend
from livechat.backends.sqlite.database import Database
from livechat.protocol.cluster import Report
from tests.amend_machine import LIMIT, ROOM, SETTINGS, AmendMachine
from tests.backends.disk import NOW
from tests.support import RecordingSink, result
from tests.support.lanes import Lane

_T = TypeVar("_T")


class SqliteMachine(AmendMachine):
    """One process; a killed one leaves its files as they are."""

    def begin(self) -> None:
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

    @rule()
    def look_after(self) -> None:
        """Some time passes: what is over the limit goes, and what was taken back is nowhere."""
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


TestSqliteMachine = SqliteMachine.TestCase
TestSqliteMachine.settings = SETTINGS
