"""A small run of ``make chaos``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.loops import run_apart
from tests.tools.chaos import Chaos


@pytest.mark.soak
def test_nobody_misses_anything_in_chaos(tmp_path: Path) -> None:
    """While a worker and Redis are killed, nobody misses anything, or hears it twice."""
    chaos = Chaos(tmp_path, clients=30, rooms=3)
    found = run_apart(chaos.run(seconds=13, every=4))
    assert found["faults"].keys() == {"a worker", "Redis"}
    assert found["acknowledged"] > 100
    assert found["edits acknowledged"] > 0
    assert found["retracts acknowledged"] > 0
    assert found["gaps"] == 0
