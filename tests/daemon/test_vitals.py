"""`livechat.daemon.vitals`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from livechat import __version__, metrics
from livechat.daemon.assembly import transports
from livechat.daemon.core import core
from livechat.daemon.parts import Core
from livechat.daemon.vitals import Vitals, disk_of
from livechat.net.certificates import Shown
from livechat.system.day import EVERY, Minute, write_day
from tests.support.port import CERTIFICATE
from tests.support.services import config, memory_reactor


class Here:
    """Runs a `Vitals`'s calls at once, in place of threads."""

    def __init__(self, vitals: Any) -> None:
        vitals._files = self

    def start(self) -> None:
        """Start nothing: there are no threads."""

    def stop(self) -> None:
        """Stop nothing: there are no threads."""

    async def call(self, f: Any, *args: Any) -> Any:
        return f(*args)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Core]:
    found = core(config(tmp_path), memory_reactor())
    yield found
    backend: Any = found.backend
    backend._database.release()


def started(made: Core) -> Vitals:
    vitals = Vitals(made, transports(made), Shown(CERTIFICATE))
    Here(vitals)
    vitals.startService()
    return vitals


def figures() -> dict[str, float]:
    return {each.name: each.value for each in metrics.samples() if not each.labels}


def test_gauges_are_measured_each_second_or_minute(made: Core, tmp_path: Path) -> None:
    """Gauges without a counter are measured at the start, and each second or minute."""
    vitals = started(made)
    clock: Any = made.reactor
    clock.advance(1)
    found = figures()
    assert found["processes"] == found["workers"] == 1
    assert found["members"] == found["slow_members"] == 0
    assert found["certificate_expires_seconds"] == CERTIFICATE.expires.timestamp()
    assert found["memory_bytes"] > 1 << 20
    assert 0 < found["disk_free_bytes"] <= found["disk_size_bytes"] == disk_of(tmp_path).size
    vitals.stopService()
    assert not clock.getDelayedCalls()


def test_a_state_that_is_gone(made: Core) -> None:
    """A disk that cannot be measured has no gauge; the others are set."""
    made.config.state.rename(made.config.state.with_name("elsewhere"))
    vitals = started(made)
    assert figures()["processes"] == 1
    vitals.stopService()


def test_each_minute_is_added_to_the_day(made: Core) -> None:
    """Each minute is added to the day."""
    vitals = started(made)
    clock: Any = made.reactor
    for _ in range(120):
        clock.advance(EVERY / 60)
    assert len(made.day.minutes()) >= 1
    vitals.stopService()


def test_a_worker_goes_on_with_the_day(made: Core, tmp_path: Path) -> None:
    """A worker begins with the minutes that its port's workers have kept, and keeps its own."""
    vitals: Any = Vitals(made, transports(made), Shown(CERTIFICATE))
    vitals._kept = tmp_path / "day.1"
    write_day(tmp_path / "day.2", [Minute(made.time.wall() - 600, EVERY, {}, {}, {})])
    Here(vitals)
    vitals.startService()
    assert len(made.day.minutes()) == 1
    clock: Any = made.reactor
    clock.advance(EVERY)
    assert (tmp_path / "day.1").exists()
    vitals.stopService()


def test_the_process_reports_its_condition(made: Core) -> None:
    """The process reports its version, memory, greatest lag of late, and how clocks differ."""
    vitals = started(made)
    clock: Any = made.reactor
    for seconds in (1, 2.5, 0.5, 1):
        clock.advance(seconds)
    metrics.redis_answered("redis://here:6379/0", 0.01, -3.5)
    found = vitals.condition()
    assert found.version == __version__
    assert found.lag == pytest.approx(1.5)
    assert found.clocks["redis://here:6379/0"] == -3.5
    assert (found.memory or 0) > 1 << 20
    vitals.stopService()
