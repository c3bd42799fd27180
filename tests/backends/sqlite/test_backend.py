"""`livechat.backends.sqlite.backend`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.trial.unittest import TestCase

from livechat.backends.retention import Retention
from livechat.backends.sqlite.backend import READERS, SqliteBackend
from livechat.backends.sqlite.database import Database
from livechat.system.threads import Threads
from tests.amend_contract import AmendContract
from tests.contract import BackendContract


class SqliteContractTest(AmendContract, BackendContract, TestCase):
    """The embedded backend, with its threads, keeps the contract."""

    timeout = 30

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> None:
        self._directory = tmp_path / "state"
        self._later = self._ahead = 0.0

    def set_time(self, seconds: float) -> None:
        self._later = seconds

    def set_clock(self, seconds: float) -> None:
        self._ahead = seconds

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
        return SqliteBackend(
            store, real, Threads(real, 1, "writer"), Threads(real, READERS, "reader")
        )
