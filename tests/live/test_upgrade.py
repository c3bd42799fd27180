"""Small runs of ``make upgrade``, which also bounds how long clients are without news."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.support.loops import run_apart
from tests.tools.crowd import Found
from tests.tools.upgrade import CASES, measure


# The renewal of workers is in test_rolling.py too, and in `make upgrade`.
@pytest.mark.parametrize(
    "case", [pytest.param(each, marks=[pytest.mark.soak] * (each == "workers")) for each in CASES]
)
def test_an_upgrade_is_noticed_by_nobody(tmp_path: Path, case: str) -> None:
    """No connection is refused, and no message is lost, doubled or out of order."""
    found = run_apart(measure(case, tmp_path, clients=20, rooms=2, seconds=1.5, rate=20, drain=1))
    assert found.faults(math.inf) == [], found
    assert found.acknowledged > 20


def test_the_verdict_lists_every_fault() -> None:
    """Every fault is listed."""
    fine = Found(10, acknowledged=5, connections=20, longest_silence=0.9)
    assert fine.faults(1.0) == []
    fine.longest_silence = 1.1
    assert fine.faults(1.0) == ["nothing came for 1.10 seconds, not 1"]
    broken = Found(10, 0, connections=19, refused=1, cut=2, lost=3, doubled=4, out_of_order=5)
    assert len(broken.faults(1.0)) == 7
