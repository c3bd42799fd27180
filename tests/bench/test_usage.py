"""`bench.usage`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from bench.usage import catches, cpu, files, low_port, memory, peak, slab, timed

ROOT = Path(__file__).parents[2]


def test_cpu_and_memory() -> None:
    """CPU and memory of this process, which has done some work."""
    me = os.getpid()
    before = cpu([me])
    sum(range(100_000))
    assert before < cpu([me])
    assert cpu([]) == 0
    assert 5 < memory([me]) <= peak(me) + 100
    assert slab() > 0
    assert files(me) >= 3


def test_caught_signals_are_known() -> None:
    me = os.getpid()
    before = signal.signal(signal.SIGUSR2, lambda *_: None)
    try:
        assert catches(me, signal.SIGUSR2)
        signal.signal(signal.SIGUSR2, signal.SIG_DFL)
        assert not catches(me, signal.SIGUSR2)
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_low_port() -> None:
    assert 10_500 <= low_port() < 20_000


def test_the_usage_of_a_command_is_its_own() -> None:
    """A command's own CPU and memory are counted, not those of this process."""
    used = timed([sys.executable, "-c", "x = bytearray(50 << 20); print('done')"])
    assert used.output == "done\n"
    assert 50 < used.peak < 150
    assert used.cpu > 0
    assert "at most" in str(used)


def test_the_peak_is_not_that_of_its_starter() -> None:
    """A process that has had much memory measures the little of a command."""
    program = (
        "import sys; from bench.usage import timed; much = b'x' * (200 << 20); del much;"
        "print(timed([sys.executable, '-c', 'pass']).peak)"
    )
    assert float(timed([sys.executable, "-c", program], cwd=ROOT).output) < 100


def test_a_command_that_fails_is_told() -> None:
    with pytest.raises(RuntimeError, match="why"):
        timed([sys.executable, "-c", "import sys; sys.exit('why')"])


def test_timed_passes_variables() -> None:
    said = timed([sys.executable, "-c", "import os; print(os.environ['X'])"], {"X": "y"}).output
    assert said == "y\n"
