"""`livechat.backends.redis.cluster.channels`."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from livechat.backends.redis.cluster.channels import CONFIRM, Channels
from livechat.backends.redis.cluster.slots import slot_of
from tests.backends.redis.cluster.fakes import FakeNode, master

R, S = b"lc:0:{r}", b"lc:0:{s}"


class World:
    """Two masters, of which the first has all slots."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.a: Any = FakeNode(master("a"))
        self.b: Any = FakeNode(master("b"))
        self.where: dict[int, Any] = {}
        self.channels = Channels(self.clock, lambda slot: self.where.get(slot, self.a))

    def asked(self, node: Any) -> list[Any]:
        told, node.told = node.told, []
        return list(told)


def test_confirmed_channels_are_not_asked_for_again() -> None:
    """Confirmed channels are not asked for again; the rest are, a second later."""
    world = World()
    world.channels.add([R, S])
    assert world.asked(world.a) == [("+", [R, S])]
    assert world.channels.confirmed(world.a, R)
    world.channels.ask_again()
    assert world.asked(world.a) == []
    world.clock.advance(CONFIRM)
    world.channels.ask_again()
    assert world.asked(world.a) == [("+", [S])]


def test_nothing_is_asked_before_the_connection() -> None:
    """Nothing is asked before the master is connected; then everything at once."""
    world = World()
    world.a.hears = False
    world.channels.add([R])
    world.channels.ask_again()
    assert world.asked(world.a) == []
    world.a.hears = True
    world.channels.hears(world.b)
    assert world.asked(world.b) == []
    world.channels.hears(world.a)
    assert world.asked(world.a) == [("+", [R])]


def test_a_node_of_an_unknown_version_is_not_asked() -> None:
    """A node of an unknown version is not asked, since its words are not known."""
    world = World()
    world.a.sharded = None
    world.channels.add([R])
    assert world.asked(world.a) == []


def test_a_channel_follows_its_slot() -> None:
    """The channel is listened to at the new master, and no more at the old one."""
    world = World()
    world.channels.add([R, S])
    assert world.channels.confirmed(world.a, R)
    world.asked(world.a)
    world.where[slot_of(R)] = world.b
    assert world.channels.moved({slot_of(R)}) == [R]
    assert world.asked(world.a) == [("-", [R])]
    assert world.asked(world.b) == [("+", [R])]
    # The old one had answered before it was told.
    assert not world.channels.confirmed(world.a, R)
    assert world.channels.confirmed(world.b, R)
    assert not world.channels.ended(world.a, R)


def test_a_channel_that_the_master_ends_is_asked_for_again() -> None:
    """A channel of a lost slot is asked for again, wherever that is by then."""
    world = World()
    world.channels.add([R])
    world.channels.confirmed(world.a, R)
    assert world.channels.ended(world.a, R)
    world.where[slot_of(R)] = world.b
    world.channels.ask_again()
    assert world.asked(world.b) == [("+", [R])]


def test_a_lost_connection_asks_for_all_channels() -> None:
    world = World()
    world.channels.add([R, S])
    world.channels.confirmed(world.a, R)
    world.channels.confirmed(world.a, S)
    world.asked(world.a)
    world.channels.lost(world.a)
    world.channels.hears(world.a)
    assert world.asked(world.a) == [("+", [R, S])]


def test_answers_to_a_removed_channel_are_dropped() -> None:
    """Answers that come then are nobody's."""
    world = World()
    world.channels.add([R, S])
    world.channels.confirmed(world.a, R)
    world.asked(world.a)
    world.channels.remove([R, S, b"lc:0:{never}"])
    assert world.asked(world.a) == [("-", [b"lc:0:{never}", R, S])]
    assert not world.channels.confirmed(world.a, S)
    assert not world.channels.ended(world.a, R)
    world.clock.advance(CONFIRM)
    world.channels.ask_again()
    assert world.asked(world.a) == []
