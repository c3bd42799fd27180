"""`bench.results`."""

from __future__ import annotations

import pytest

from bench.results import Results, Run, share, wrong
from bench.scenarios import DELIVERIES
from tests.bench.fakes import FANOUT, runs


def test_a_median_has_its_spread() -> None:
    results = Results(runs("livechat", 5, 1, 3))
    assert results.median(FANOUT.name, "livechat", DELIVERIES.key) == 3
    assert results.spread(FANOUT.name, "livechat", DELIVERIES.key) == pytest.approx(4 / 3)
    assert results.median(FANOUT.name, "livechat", "p50_ms") is None
    assert results.median(FANOUT.name, "another", DELIVERIES.key) is None
    assert results.spread(FANOUT.name, "another", DELIVERIES.key) is None


def test_failed_runs_do_not_count() -> None:
    failed = Run(FANOUT.name, "livechat", {DELIVERIES.key: 1_000}, "12 lost")
    results = Results([*runs("livechat", 1, 3), failed])
    assert results.median(FANOUT.name, "livechat", DELIVERIES.key) == 2
    assert results.failed(FANOUT.name, "livechat") == [failed]


def test_shares_are_of_the_whole() -> None:
    found = runs("livechat", 1, 1, aux_cpu_s=1, srv_cpu_s=4)
    assert share(found, "aux_cpu_s", "srv_cpu_s") == 0.25
    assert share([], "aux_cpu_s", "srv_cpu_s") is None


def test_faults_in_words() -> None:
    report = {"lost": 1_200, "dup": 0, "disconnects": 3, "first_error": "cut off"}
    assert wrong(report) == "1,200 lost, 3 disconnects: cut off"
    assert not wrong({"lost": 0, "first_error": ""})
