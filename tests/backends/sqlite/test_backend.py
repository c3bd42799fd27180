"""`livechat.backends.sqlite.backend`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from livechat.backends.maps import MapEntry
from livechat.backends.retention import Retention
from livechat.backends.sqlite import journal
from livechat.backends.sqlite.backend import READERS, SqliteBackend
from livechat.backends.sqlite.database import Database
from livechat.backends.sqlite.health import PROBE_EVERY
from livechat.backends.sqlite.maps import MapsFile
from livechat.backends.sqlite.moving import begin_anew
from livechat.errors import Kind
from livechat.system.threads import Threads
from livechat.system.wallclock import DAY
from tests.amend_contract import AmendContract
from tests.archive_contract import ArchiveContract
from tests.backends.disk import NOW, Disk, say
from tests.contract import BackendContract
from tests.map_contract import REPORT
from tests.outbox_contract import OutboxContract
from tests.support import RecordingSink, kind, result
from tests.support.lanes import Lane


class SqliteContractTest(AmendContract, ArchiveContract, BackendContract, OutboxContract, TestCase):
    """The embedded backend, with its threads, keeps the contract; its journal is moved often."""

    timeout = 30

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(journal, "ENTRIES", 3)
        self._directory = tmp_path / "state"
        self._later = self._ahead = 0.0

    def set_time(self, seconds: float) -> None:
        self._later = seconds

    def set_clock(self, seconds: float) -> None:
        self._ahead = seconds

    async def settle(self, backend: SqliteBackend) -> None:
        database, first = backend._database, True
        while database.walking:
            await backend._writer.call(database.walk)
        while await backend._writer.call(database.sweep, first=first):
            first = False

    async def renumber(self, backend: SqliteBackend) -> Any:
        await backend.stop()
        begin_anew(self._directory / "livechat.sqlite3")
        return await self.told(*backend._database.cursors.receivers)

    def make(
        self, *, history_limit: int = 0, history_age: int = 0, audit_age: int = 0
    ) -> SqliteBackend:
        from twisted.internet import reactor  # noqa: PLC0415

        real: Any = reactor
        store = Database(
            self._directory,
            Retention(history_limit, history_age, audit_age),
            lambda: 1_790_000_000.0 + self._later + self._ahead,
            lambda: self._later,
        )
        store.prepare()
        maps = MapsFile(self._directory)
        maps.prepare(store, 1_790_000_000.0)
        return SqliteBackend(
            store, real, Threads(real, 1, "writer"), Threads(real, READERS, "reader"), maps
        )


def test_maps_that_cannot_be_stored(disk: Disk) -> None:
    """Messages are stored all the same; the change holds, and is stored when that is possible."""
    clock, file, lane = Clock(), MapsFile(disk.directory), Lane()
    store = disk.store()
    file.prepare(store, NOW)
    backend = SqliteBackend(store, clock, lane, Lane(), file)
    shared = backend.shared_map("x", most=9, largest=9)
    away = file.path.rename(disk.directory / "away")
    assert kind(shared.put("a", b"1")) is Kind.UNKNOWN
    assert shared.get("a") == b"1"
    assert backend.trouble() is None
    assert say(store, "said") == [1]
    away.rename(file.path)
    clock.advance(PROBE_EVERY)
    assert file.read("x") == {"a": MapEntry(b"1")}
    file.close()
    file.path.rename(away)
    assert kind(shared.put("b", b"1")) is Kind.UNKNOWN
    result(backend.stop())
    assert clock.getDelayedCalls() == []


def test_what_has_ended_leaves_the_file(disk: Disk) -> None:
    """So do entries that were read at the start, unless a clock says so that is not trusted."""
    entries = {f"{n}": MapEntry(b"1", int(NOW) + n) for n in range(300)}
    file, store = MapsFile(disk.directory), disk.store()
    store.sweep()
    file.prepare(store, NOW)
    file.write("x", entries)
    file.close()
    for ahead, left in ((40 * DAY, 300), (0, 100)):
        disk.ahead = ahead
        disk.now = NOW + 199
        store = disk.store()
        backend = SqliteBackend(store, Clock(), Lane(), Lane(), file)
        shared = backend.shared_map("x", most=300, largest=9)
        backend.start(RecordingSink(), lambda: REPORT)
        assert len(file.read("x")) == left
        assert len(shared.items()) == (100 if not ahead else 0)
        backend.stop()
