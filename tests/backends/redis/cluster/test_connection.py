"""`livechat.backends.redis.cluster.connection`: redirections, in the order of the calls."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pytest
from twisted.internet import task
from twisted.internet.task import Clock

from livechat.backends.redis.cluster import held
from livechat.backends.redis.cluster.connection import ClusterConnection
from livechat.backends.redis.cluster.held import PAUSE
from livechat.backends.redis.cluster.slots import SLOTS, View, slot_of
from livechat.backends.redis.connection import UnansweredError
from livechat.backends.redis.resp import REPLY
from tests.backends.redis.cluster.fakes import FakeNode, master

#: A key, its slot, and one of another.
KEY, OTHER = b"lc:{r}:s", b"lc:{x}:s"
SLOT = slot_of(KEY)


class _Topology:
    """Counts how often it was told to look."""

    def __init__(self) -> None:
        self.hurries = 0

    def hurry(self) -> None:
        self.hurries += 1


class World:
    """Two masters, of which the first has all slots; and what became of commands."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.made: list[FakeNode] = []
        self.moved: list[frozenset[int]] = []
        self.told: list[tuple[str, Any]] = []
        self.topology = _Topology()
        make: Any = self._make
        topology: Any = lambda _: self.topology  # noqa: E731
        listener: Any = self
        self.connection = ClusterConnection(self.clock, listener, make, topology)
        self.view(a=range(SLOTS), b=[])

    def view(self, epoch: int = 0, **slots: Collection[int]) -> None:
        self.connection.adopt(
            View(epoch, {master(name): frozenset(some) for name, some in slots.items()})
        )

    def _make(self, each: Any, _: object) -> FakeNode:
        self.made.append(FakeNode(each))
        return self.made[-1]

    def slots_moved(self, slots: Collection[int]) -> None:
        self.moved.append(frozenset(slots))

    def __getitem__(self, name: str) -> Any:
        return self.connection.nodes[name]

    def say(self, what: str, key: bytes = KEY) -> None:
        def told(outcome: Any) -> None:
            self.told.append((what, getattr(outcome, "value", outcome)))

        self.connection.command(what.encode(), key).addBoth(told)

    def given(self, name: str) -> list[str]:
        """Commands that a master was given since the last time."""
        connection = self[name].connection
        given, connection.given = connection.given, []
        return [each.decode().removesuffix(f" {KEY.decode()}") for each in given]

    def turn(self, seconds: float = 0.0) -> None:
        self.clock.advance(seconds)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    later: Callable[..., Any] = task.deferLater
    monkeypatch.setattr(held, "deferLater", lambda _, *args: later(made.clock, *args))
    return made


def answers(world: World, name: str, *answers: Any) -> None:
    for each in answers:
        world[name].connection.answer(each)


def test_a_command_goes_to_the_master_of_its_key(world: World) -> None:
    """A command goes to the master of its key, and its answer, or an error, back."""
    world.say("1")
    world.say("2")
    assert world.given("a") == ["1", "2"]
    answers(world, "a", b"one", "OOM no memory")
    assert world.told[0] == ("1", b"one")
    assert str(world.told[1][1]) == "OOM no memory"
    assert world.topology.hurries == 0


def test_a_moved_slot_repeats_commands_in_order(world: World) -> None:
    """Commands that the old master refuses come first, in their order."""
    for what in ("1", "2", "3"):
        world.say(what)
    answers(world, "a", f"MOVED {SLOT} b:1")
    # The map is known; but two are on their way to the old master.
    world.say("4")
    assert world.given("b") == []
    assert world.given("a") == ["1", "2", "3", "PING"]
    answers(world, "a", f"MOVED {SLOT} b:1", f"MOVED {SLOT} b:1", b"PONG")
    world.turn()
    for what in ("1", "2", "3", "4"):
        assert world.given("b") == [what]
        answers(world, "b", what.encode())
    assert [what for what, _ in world.told] == ["1", "2", "3", "4"]
    assert {SLOT} in world.moved
    world.say("5")
    assert world.given("b") == ["5"]
    assert world.topology.hurries


def test_other_slots_do_not_wait(world: World) -> None:
    world.say("1")
    answers(world, "a", "TRYAGAIN Multiple keys request during rehashing of slot")
    world.say("2", OTHER)
    assert world.given("a") == ["1", f"2 {OTHER.decode()}"]


def test_an_asking_redirection_is_for_one_command(world: World) -> None:
    """The other master has it for this once, and is asked; the slot stays where it is."""
    world.say("1")
    answers(world, "a", f"ASK {SLOT} b:1")
    world.turn()
    assert world.given("b") == ["ASKING+ 1"]
    answers(world, "b", b"one")
    assert world.told == [("1", b"one")]
    world.say("2")
    assert world.given("a") == ["1", "2"]


def test_a_command_told_to_try_again_waits(world: World) -> None:
    """The command is tried again after a pause, at the master that has the slot by then."""
    world.say("1")
    answers(world, "a", f"ASK {SLOT} b:1")
    world.turn()
    world.say("2")
    answers(world, "b", "TRYAGAIN x")
    world.turn()
    assert world.given("a") == ["1"]
    world.turn(PAUSE)
    assert world.given("a") == ["1"]
    answers(world, "a", f"MOVED {SLOT} b:1")
    assert world.given("b") == ["ASKING+ 1", "1"]
    answers(world, "b", b"one")
    assert world.given("b") == ["2"]


def test_a_command_that_waits_too_long_is_not_carried_out(world: World) -> None:
    """The sender is told that it was not carried out, before an answer would be overdue."""
    world.say("1")
    world.say("2")
    answers(world, "a", "CLUSTERDOWN x", "CLUSTERDOWN x", b"PONG")
    while world["a"].connection.unanswered or len(world.told) < 2:
        world.turn(PAUSE)
        if world["a"].connection.unanswered:
            answers(world, "a", "CLUSTERDOWN x")
    assert world.clock.seconds() < REPLY + PAUSE / 2
    for _, problem in world.told:
        assert isinstance(problem, UnansweredError)
        assert not problem.sent
    # Nothing waits any more.
    world.say("3")
    assert world.given("a")[-1] == "3"


def test_they_do_not_agree(world: World) -> None:
    """Two masters that point to each other are not asked without a pause."""
    world.say("1")
    for _ in range(20):
        for name, other in (("a", "b"), ("b", "a")):
            if world[name].connection.unanswered:
                answers(world, name, f"MOVED {SLOT} {other}:1")
        world.turn()
    assert len(world.given("a") + world.given("b")) < 10


def test_a_master_that_is_not_known(world: World) -> None:
    """The master is looked for, and has the command once it can be used."""
    world.say("1")
    answers(world, "a", f"MOVED {SLOT} c:1")
    world.turn()
    answers(world, "a", f"MOVED {SLOT} c:1")
    assert world.topology.hurries
    world.view(a=set(range(SLOTS)) - {SLOT}, b=[], c=[SLOT])
    world["c"].ready = False
    while world["a"].connection.unanswered:
        answers(world, "a", f"MOVED {SLOT} c:1")
    world.turn(PAUSE)
    assert world.given("c") == []
    world["c"].ready = True
    world.turn(PAUSE)
    assert world.given("c") == ["1"]


def test_a_command_lost_on_the_way_is_not_repeated(world: World) -> None:
    """A command lost under way has an unknown outcome, and is not repeated here."""
    world.say("1")
    world["a"].connection.lose()
    ((_, problem),) = world.told
    assert isinstance(problem, UnansweredError)
    assert problem.sent


def test_a_master_that_became_a_replica_is_left(world: World) -> None:
    """The old master is left, and the new one is looked for."""
    world.say("1")
    answers(world, "a", "READONLY You can't write against a read only replica.")
    assert world["a"].connection.dropped
    assert world.topology.hurries


def test_a_new_view_drops_masters_and_slots(world: World) -> None:
    """Masters that are gone are left; slots that nobody has are so."""
    assert world.connection.uncovered == 0
    old = world["a"]
    world.view(b=range(100))
    assert old.stopped
    assert world.connection.uncovered == SLOTS - 100
    world.say("1")
    assert isinstance(world.told[0][1], UnansweredError)
    assert world.connection.node_of_slot(99) is world["b"]
    assert world.connection.node_of_slot(100) is None


def test_another_address(world: World) -> None:
    """A master with its old name elsewhere is another connection."""
    old = world["a"]
    elsewhere = master("a")._replace(place=master("z").place)
    world.connection.adopt(View(1, {elsewhere: frozenset(range(SLOTS))}))
    assert old.stopped
    assert world["a"] is not old
    assert world.connection.node_of_slot(0) is world["a"]


def test_the_same_view(world: World) -> None:
    world.moved.clear()
    world.view(a=range(SLOTS), b=[])
    assert world.moved == []
    assert len(world.made) == 2
