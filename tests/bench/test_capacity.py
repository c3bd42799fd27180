"""`bench.capacity`."""

from __future__ import annotations

import pytest

from bench.capacity import Costs, Load, Plant, Simulation, listeners, outcome, plan, work

COSTS = Costs()
ROOMS = Load("rooms", 100_000, 5, 0.2)
EVENT = Load("an event", 100_000, 100_000, 2.0)


def test_a_process_has_all_members_or_each_has_its_own() -> None:
    """A lone process has all members; of many, each member of a small room has its own."""
    assert listeners(5, 1) == 1
    assert listeners(1, 100) == pytest.approx(1)
    assert listeners(5, 10**6) == pytest.approx(5, rel=0.001)
    assert listeners(10**6, 10) == 10


def test_work_is_counted_by_hand() -> None:
    """By hand: one process, one room, a message a second."""
    costs = Costs(
        send=20, store=10, push=2, hear=15, deliver=13, keep=25, note=12, learn=15, frame=200
    )
    found = work(Load("x", 100, 100, 1.0), Plant(1, 1), costs)
    assert found.process == pytest.approx((20 + 15 + 100 * 13 + (25 + 15) / 20) / 1e6)
    assert found.shard == pytest.approx((10 + 2 + (12 + 2) / 20) / 1e6)
    assert found.gigabits == pytest.approx(100 * 200 * 8 / 1e9)


@pytest.mark.parametrize("load", [ROOMS, EVENT], ids=["rooms", "event"])
def test_both_agree(load: Load) -> None:
    found = outcome(load, COSTS, events=50_000)
    assert list(found.contradictions) == []
    assert 0 < found.seen.median <= found.seen.p99


def test_a_plan_is_enough_and_not_more() -> None:
    load = Load("busy", 100_000, 5, 5.0)
    plant = plan(load, COSTS)
    assert max(work(load, plant, COSTS).process, work(load, plant, COSTS).shard) <= 0.7
    assert work(load, Plant(plant.processes, plant.shards - 1), COSTS).shard > 0.7


@pytest.mark.parametrize(
    ("load", "plant"),
    [
        (Load("processes", 10_000, 10, 20.0), Plant(2, 50)),
        (Load("Redis", 10_000, 10, 60.0), Plant(100, 1)),
    ],
    ids=["processes", "Redis"],
)
def test_an_overload_shows(load: Load, plant: Plant) -> None:
    """A queue that grows is found, of either kind."""
    found = work(load, plant, COSTS)
    assert max(found.process, found.shard) > 1.5
    assert Simulation(load, plant, COSTS).run(100_000).grows
