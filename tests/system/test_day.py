"""`livechat.system.day`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from livechat import metrics
from livechat.metrics import Sample
from livechat.system import day
from livechat.system.day import MINUTES, Day, Minute, quantile, read_day, write_day
from tests.support.minutes import minute


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Sample]:
    """Replace the process's figures by a list."""
    found: list[Sample] = []
    monkeypatch.setattr(metrics, "samples", lambda: iter(found))
    return found


def test_a_minute_has_growth_and_gauges(counted: list[Sample]) -> None:
    """A minute has the counters that grew between two looks, and gauges as they are."""
    found = Day()
    counted += [
        Sample("stored_total", (), 10), Sample("delivered_total", (), 50),
        Sample("refusals_total", ("bad_json",), 3), Sample("members", (), 7),
    ]  # fmt: skip
    found.look(1_000)
    assert found.minutes() == ()
    counted[:] = [
        Sample("stored_total", (), 70), Sample("delivered_total", (), 50),
        Sample("refusals_total", ("bad_json",), 4), Sample("members", (), 8),
        Sample("closes_total", ("server", "1008"), 2), Sample("stored_created", (), 1),
        Sample("redis_up", ("redis://here:6379/0",), 1), Sample("process_cpu_seconds_total", (), 1),
    ]  # fmt: skip
    found.look(1_060)
    assert found.minutes() == (
        Minute(
            1_060,
            60,
            {"stored": 60, "refusals bad_json": 1, "closes server 1008": 2},
            {},
            {"members": 8, "redis_up redis://here:6379/0": 1},
        ),
    )


def test_a_minute_keeps_the_bound_of_99_values(counted: list[Sample]) -> None:
    """A minute keeps, of a histogram, the bound that 99 of its 100 values do not exceed."""

    def buckets(*values: int) -> list[Sample]:
        bounds = ("0.01", "0.1", "1.0", "+Inf")
        return [
            Sample("reactor_lag_seconds_bucket", (bound,), value)
            for bound, value in zip(bounds, values, strict=True)
        ]

    found = Day()
    for number, values in enumerate([(5, 5, 9, 9), (104, 104, 109, 109), (104, 104, 109, 110)]):
        counted[:] = buckets(*values)
        found.look(60.0 * number)
    # 99 within the first bound and one beyond it; then one beyond all bounds.
    assert [each.times for each in found.minutes()] == [
        {"reactor_lag": 0.01}, {"reactor_lag": 1.0},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("buckets", "expected"),
    [
        ({}, None),
        ({1.0: 0.0, float("inf"): 0.0}, None),
        ({1.0: 99.0, 2.0: 100.0, float("inf"): 100.0}, 1.0),
        ({1.0: 98.0, 2.0: 100.0, float("inf"): 100.0}, 2.0),
        ({1.0: 0.0, 2.0: 0.0, float("inf"): 1.0}, 2.0),
    ],
)
def test_the_bound_of_a_quantile_is_found(
    buckets: dict[float, float], expected: float | None
) -> None:
    assert quantile(buckets) == expected


def test_a_process_that_begins_anew(counted: list[Sample]) -> None:
    """A counter that is less than before counts as nothing, not as less."""
    found = Day()
    for number, value in enumerate((10, 4, 6)):
        counted[:] = [Sample("stored_total", (), value)]
        found.look(60.0 * number)
    assert [each.counts for each in found.minutes()] == [{}, {"stored": 2}]


def test_a_clock_that_went_back(counted: list[Sample]) -> None:
    """No minute ends before it begins."""
    found = Day()
    for now in (1_000, 900, 960):
        found.look(now)
    assert [each.at for each in found.minutes()] == [960]


def test_minutes_older_than_a_day_are_dropped(counted: list[Sample]) -> None:
    """Minutes older than a day are dropped, however long the process runs."""
    found = Day()
    for number in range(MINUTES + 5):
        found.look(60.0 * number)
    assert len(found.minutes()) == MINUTES
    assert found.minutes()[0].at == 60 * 5


def test_takes_the_place_of_another(counted: list[Sample]) -> None:
    """A process goes on with what others have kept, as far as it is of this day, and earlier."""
    found = Day()
    found.look(90_000)
    found.look(90_060)
    found.take([minute(3_000), minute(89_000), minute(90_000), minute(90_120)], 90_060)
    assert [each.at for each in found.minutes()] == [89_000, 90_000, 90_060]


def test_the_newest_file_of_all_processes_counts(tmp_path: Path) -> None:
    """The newest file of all processes counts; an unreadable one is ignored."""
    assert read_day(tmp_path / "day.1") == []
    old: Sequence[Minute] = [minute(60)]
    new = [minute(60), minute(120)]
    write_day(tmp_path / "day.1", new)
    write_day(tmp_path / "day.2", old)
    os.utime(tmp_path / "day.2", (1, 1))
    assert read_day(tmp_path / "day.2") == new
    (tmp_path / "day.3").write_bytes(b"of another version")
    assert read_day(tmp_path / "day.1") == []
    (tmp_path / "day.3").write_bytes(bytes(day.LARGEST + 1))
    assert read_day(tmp_path / "day.1") == []
