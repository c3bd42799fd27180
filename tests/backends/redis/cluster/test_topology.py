"""`livechat.backends.redis.cluster.topology`."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from livechat.backends.redis.cluster.slots import Place, View
from livechat.backends.redis.cluster.topology import CALM, HURRY, Topology, look
from livechat.backends.redis.connection import RefusedError, UnansweredError
from livechat.backends.redis.health import SLOTS, Health
from tests.backends.redis.cluster.fakes import FakeConnection, FakeNode, master

HERE, THERE = Place("here", 1), Place("there", 1)


def answer(host: bytes) -> list[Any]:
    """A CLUSTER SLOTS in which all slots are at *host*."""
    return [[0, 16383, [host, 1, host, []]]]


def info(epoch: int) -> bytes:
    return b"cluster_state:ok\r\ncluster_current_epoch:%d\r\ncluster_my_epoch:0\r\n" % epoch


def hosts(view: View) -> list[str]:
    return [each.place.host for each in view.masters]


class World:
    """Nodes of the URL and connected ones, which the test lets answer."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.nodes: list[FakeNode] = []
        self.seeds: dict[Place, Any] = {}
        self.asked: list[Place] = []
        self.adopted: list[View] = []
        self.health = Health("a cluster", self.clock, parts=(SLOTS,))
        connected: Any = lambda: self.nodes  # noqa: E731
        seed: Any = self._seed
        self.topology = Topology(
            self.clock,
            [HERE, THERE],
            seed,
            connected=connected,
            adopt=self.adopted.append,
            health=self.health,
        )

    def _seed(self, place: Place) -> Any:
        self.asked.append(place)
        world = self

        class Asked:
            async def ask(self, place: Place) -> Any:
                return await world.seeds[place]

        return Asked()

    def connect(self, name: str) -> FakeConnection:
        self.nodes.append(FakeNode(master(name)))
        return self.nodes[-1].connection


@pytest.fixture
def world() -> World:
    return World()


def test_the_node_that_answers_is_asked_first_next_time(world: World) -> None:
    """Nodes of the URL are asked one after the other; who answered is asked first next time."""
    view = View(1, {master("a"): frozenset([1])})
    world.seeds = {
        HERE: fail(UnansweredError("nobody", sent=False)),
        THERE: succeed((view, "id")),
    }
    world.topology.start()
    assert world.adopted == [view]
    assert world.health.trouble() is None
    world.seeds = {HERE: Deferred(), THERE: succeed((view, "id"))}
    world.clock.advance(CALM)
    assert world.asked == [HERE, THERE, THERE]
    world.topology.stop()


def test_no_node_answers(world: World) -> None:
    """Each reason is said, and they are asked again soon."""
    for place in (HERE, THERE):
        world.seeds[place] = fail(RefusedError(f"ERR no {place.host}"))
    world.topology.start()
    assert "here:1: ERR no here; there:1: ERR no there" in str(world.health.trouble())
    for place in (HERE, THERE):
        world.seeds[place] = fail(RefusedError("ERR no"))
    world.clock.advance(HURRY)
    assert len(world.asked) == 4
    world.topology.stop()


def test_a_node_that_lags_behind(world: World) -> None:
    """A view older than one that was seen is not taken."""
    first = world.connect("a")
    world.topology.start()
    first.answer(info(7))
    first.answer(answer(b"a"))
    assert hosts(world.adopted[-1]) == ["a"]
    world.topology.hurry()
    world.seeds = {place: fail(UnansweredError("no", sent=False)) for place in (HERE, THERE)}
    world.clock.advance(HURRY)
    first.answer(info(6))
    first.answer(answer(b"z"))
    assert len(world.adopted) == 1
    assert world.health.trouble()
    world.clock.advance(HURRY)
    first.answer(info(8))
    first.answer(answer(b"b"))
    assert hosts(world.adopted[-1]) == ["b"]
    assert world.health.trouble() is None
    world.topology.stop()


def test_a_cluster_that_begins_anew(world: World) -> None:
    """Without any connected node every view is accepted."""
    world.seeds[HERE] = succeed((View(9, {master("a"): frozenset([1])}), ""))
    world.topology.start()
    world.seeds[HERE] = succeed((View(1, {master("b"): frozenset([1])}), ""))
    world.clock.advance(CALM)
    assert hosts(world.adopted[-1]) == ["b"]
    world.topology.stop()


def test_where_the_url_leads(world: World) -> None:
    """A node is found by its name, at the addresses of the URL, each of which is asked once."""
    view = View(1, {master("a"): frozenset([1])})
    world.seeds = {HERE: succeed((view, "one")), THERE: succeed((view, "two"))}
    found: list[Place | None] = []
    for name in ("two", "one", "three"):
        world.seeds = {HERE: succeed((view, "one")), THERE: succeed((view, "two"))}
        world.topology.find(name).addCallback(found.append)
    assert found == [THERE, HERE, None]


def test_stopped_while_it_looks(world: World) -> None:
    world.connect("a")
    world.topology.start()
    ended = world.topology.stop()
    assert ended.called
    assert world.clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((info(1), []), "no slots"),
        ((info(1), b"OK"), "no answer of a cluster"),
        ((info(1), "ERR This instance has cluster support disabled"), "support disabled"),
    ],
)
def test_what_is_no_cluster(answers: tuple[Any, ...], said: str) -> None:
    connection = FakeConnection()
    asked: Any = connection
    looking = Deferred.fromCoroutine(look(asked, HERE))
    for each in answers:
        connection.answer(each)
    problems: list[Any] = []
    looking.addErrback(lambda failure: problems.append(failure.value))
    assert isinstance(problems[0], RefusedError)
    assert said in str(problems[0])


@pytest.mark.parametrize("told", ["NOPERM no", b"", b"cluster_current_epoch:x"])
def test_without_its_state(told: Any) -> None:
    """CLUSTER INFO may not be allowed, or say something else; then any view counts."""
    connection = FakeConnection()
    asked: Any = connection
    looking = Deferred.fromCoroutine(look(asked, HERE))
    connection.answer(told)
    connection.answer(answer(b"a"))
    found: list[View] = []
    looking.addCallback(found.append)
    assert found[0].epoch == 0
