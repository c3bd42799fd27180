"""`examples.memory_backend`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import TestCase

from examples.memory_backend import MemoryBackend
from livechat.backends.retention import Retention
from livechat.config import Config
from livechat.errors import StartError
from livechat.extensions import load
from tests.amend_contract import AmendContract
from tests.contract import BackendContract

NAME = "examples.memory_backend.Memory"


class MemoryContractTest(AmendContract, BackendContract, TestCase):
    """Rooms in memory keep the contract; a restart here is one of the same object."""

    def setUp(self) -> None:
        self._later = self._ahead = 0.0
        self._made: MemoryBackend | None = None

    def set_time(self, seconds: float) -> None:
        self._later = seconds

    def set_clock(self, seconds: float) -> None:
        self._ahead = seconds

    def make(
        self, *, history_limit: int = 0, history_age: int = 0, audit_age: int = 0
    ) -> MemoryBackend:
        if self._made is None:
            self._made = MemoryBackend(
                Retention(history_limit, history_age, audit_age),
                lambda: 1_790_000_000.0 + self._later + self._ahead,
                lambda: self._later,
            )
        return self._made


def test_the_scheme_of_the_url_decides() -> None:
    """The URL's kind decides; several processes would have several sets of rooms."""
    reactor: Any = MemoryReactorClock()
    given = {"extension": [NAME], "backend": "memory:"}
    assert isinstance(load(Config.of(given, {}, Path("/"))).backend(reactor), MemoryBackend)
    with pytest.raises(StartError, match=r"has the rooms of one process only$"):
        load(Config.of(given | {"workers": "2"}, {}, Path("/"))).backend(reactor)
    with pytest.raises(StartError, match="no extension brings the kind mem:"):
        load(Config.of(given | {"backend": "mem:"}, {}, Path("/"))).backend(reactor)
