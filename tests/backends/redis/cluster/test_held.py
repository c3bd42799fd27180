"""`livechat.backends.redis.cluster.held`; with a cluster in `test_connection`."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock, deferLater

from livechat.backends.redis.cluster import held
from livechat.backends.redis.cluster.held import MOST, Held, Queue, until
from livechat.backends.redis.connection import UnansweredError
from tests.backends.redis.cluster.fakes import FakeNode, master


class World:
    """A queue for one master, and what came of what waits."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.node: Any = FakeNode(master("a"))
        self.ended = 0
        self.told: list[tuple[int, Any]] = []
        self.queue = Queue(self.clock, lambda _: (self.node, False), self._end)

    def _end(self) -> None:
        self.ended += 1

    def add(self, number: int) -> None:
        def give(node: Any, _: bool) -> Deferred[Any]:
            given: Deferred[Any] = node.connection.command(b"%d" % number)
            return given

        def told(outcome: Any) -> None:
            self.told.append((number, getattr(outcome, "value", outcome)))

        self.queue.add(Held(number, give, until(self.clock))).addBoth(told)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(held, "deferLater", lambda _, *args: deferLater(made.clock, *args))
    return made


def test_held_commands_keep_their_order(world: World) -> None:
    """Held commands are given in the order of their calls, one after the other."""
    world.add(2)
    world.queue.begin(succeed(None))
    world.add(1)
    world.clock.advance(0)
    world.add(3)
    for _ in range(3):
        world.node.connection.answer(b"done")
    assert world.node.connection.given == [b"1", b"2", b"3"]
    assert [number for number, _ in world.told] == [1, 2, 3]
    assert world.ended == 1


def test_after_what_was_given_before(world: World) -> None:
    before: Deferred[None] = Deferred()
    world.add(1)
    world.queue.begin(before)
    world.clock.advance(1)
    assert world.node.connection.given == []
    before.callback(None)
    world.clock.advance(0)
    assert world.node.connection.given == [b"1"]


def test_an_error_lets_held_commands_go_on(world: World) -> None:
    """Other errors are answers, and the commands behind them go on."""
    world.add(1)
    world.add(2)
    world.queue.begin(succeed(None))
    world.clock.advance(0)
    world.node.connection.answer("OOM no")
    world.node.connection.answer(b"done")
    assert [(number, str(told)) for number, told in world.told] == [(1, "OOM no"), (2, "b'done'")]


def test_held_commands_are_bounded(world: World) -> None:
    """Held commands are bounded; one too many has not been carried out."""
    for number in range(MOST + 1):
        world.add(number)
    ((number, problem),) = world.told
    assert number == MOST
    assert isinstance(problem, UnansweredError)
    assert not problem.sent


def test_the_end_gives_up_held_commands(world: World) -> None:
    """Commands that wait are given up soon."""
    world.node.ready = False
    world.add(1)
    world.add(2)
    world.queue.begin(succeed(None))
    world.clock.advance(0)
    ended = world.queue.stop()
    assert not ended.called
    world.clock.advance(1)
    assert ended.called
    assert [number for number, _ in world.told] == [1, 2]
    assert world.clock.getDelayedCalls() == []
