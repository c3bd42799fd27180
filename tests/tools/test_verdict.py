"""`tests.tools.verdict`."""

from __future__ import annotations

import pytest

from tests.tools.verdict import GROWTH, RATIO, Found, faults, pooled, ratios


def found(p99: float, grown: int = 0) -> Found:
    """Make a hundred deliveries, one of them slower than all others."""
    return Found((1.0,) * 98 + (p99, 10_000.0), 1_000, 1_000 + grown)


def test_quantiles_are_found() -> None:
    took = Found(tuple(float(number) for number in range(1_000)))
    assert took.quantile(0.5) == 499
    assert took.quantile(0.99) == 989
    assert took.quantile(1.0) == 999
    assert Found((7.0,)).quantile(0.99) == 7


def test_turns_are_pooled() -> None:
    """Deliveries count alike, and growth is since before the first turn."""
    both = pooled([Found((1.0, 4.0), 1_000, 5_000), Found((2.0, 3.0), 4_000, 4_500)])
    assert both == Found((1.0, 2.0, 3.0, 4.0), 1_000, 5_000)
    assert both.grown == 4_000


def test_figures_are_rounded() -> None:
    assert Found((1.26, 2.0, 9.96), 1 << 20, 3 << 20).figures() == {
        "deliveries": 3,
        "p50 ms": 2.0,
        "p99 ms": 10.0,
        "longest ms": 10.0,
        "memory MB": 1.0,
        "grown MB": 2.0,
    }


@pytest.mark.parametrize("machine", [0.1, 1.0, 30.0])
def test_a_machine_is_no_fault(machine: float) -> None:
    """The same ratio is the same verdict, however long anything takes there."""
    beside = [found(20 * machine)]
    assert ratios(0.99, beside, [found(60 * machine)]) == [pytest.approx(3)]
    assert faults(beside, [found(0.99 * 20 * machine * RATIO)]) == []
    (fault,) = faults(beside, [found(1.01 * 20 * machine * RATIO)])
    assert fault.startswith("99% of deliveries")


def test_most_turns_decide() -> None:
    """A turn in which the machine was busy is no fault, and a quiet one is no excuse."""
    beside, good, bad = [found(20)] * 3, found(20), found(21 * RATIO)
    assert faults(beside, [good, bad, good]) == []
    assert len(faults(beside, [bad, good, bad])) == 1


def test_the_median_counts_too() -> None:
    """An attack that slows all alike is a fault, however slow the slowest were without it."""
    beside = Found((1.0,) * 98 + (500.0,) * 2)
    attacked = Found((1.01 * RATIO,) * 98 + (500.0,) * 2)
    (fault,) = faults([beside], [attacked])
    assert fault.startswith("50% of deliveries")


def test_few_slow_ones_are_no_fault() -> None:
    """Deliveries that are slow count from one in a hundred."""
    assert faults([found(20)], [Found((1.0,) * 199 + (9_999.0,))]) == []


def test_growth_counts_over_all_turns() -> None:
    """Growth counts over all turns."""
    beside = [found(20)] * 2
    assert faults(beside, [found(20, GROWTH), found(20)]) == []
    (fault,) = faults(beside, [found(20), found(20, GROWTH + 1)])
    assert fault.startswith("memory has grown")


def test_both_faults_are_told() -> None:
    assert len(faults([found(20)], [found(21 * RATIO, GROWTH + 1)])) == 2
