"""`livechat.backends.sqlite.outbox`: without threads, at a clock that the test moves."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from zope.interface.verify import verifyObject

from livechat.backends.sqlite.outbox import GATHER, WAIT, SqliteOutbox
from livechat.errors import Kind
from livechat.interfaces import IOutbox
from livechat.protocol.names import AUDIT_ROOM
from tests.backends.disk import Disk, say
from tests.support import kind, result
from tests.support.lanes import Lane


class World:
    """An outbox, and what was told."""

    def __init__(self, disk: Disk) -> None:
        self.clock = Clock()
        self.store = disk.store()
        self.writer, self.readers = Lane(), Lane()
        self.outbox = SqliteOutbox(self.store, self.clock, writer=self.writer, readers=self.readers)
        self.heard: list[set[str]] = []

    def changed(self, rooms: Collection[str]) -> None:
        self.heard.append(set(rooms))


@pytest.fixture
def world(disk: Disk) -> World:
    return World(disk)


def test_rooms_with_new_entries_are_told_in_one_call(world: World) -> None:
    """Rooms with new entries are told in one call, within a fifth of a second; the audit is not."""
    assert verifyObject(IOutbox, world.outbox)
    assert GATHER <= 0.2
    world.outbox.watch(world.changed)
    result(world.outbox.keep(["a"]))
    for rooms in (["r"], ["s", "r"], [AUDIT_ROOM]):
        world.outbox.stored(rooms)
    assert world.heard == []
    world.clock.advance(GATHER)
    assert world.heard == [{"r", "s"}]
    world.outbox.stored([AUDIT_ROOM])
    assert world.clock.getDelayedCalls() == []


def test_a_group_sets_nothing_going_without_a_receiver(world: World) -> None:
    """Without a receiver, or a watcher, a group sets nothing going."""
    world.outbox.stored(["r"])
    world.outbox.watch(world.changed)
    world.outbox.stored(["r"])
    assert world.clock.getDelayedCalls() == []
    assert world.outbox._new == set()


def test_a_stop_waits_for_calls_under_way(world: World) -> None:
    """Calls under way are waited for; then nothing is told, and calls are refused."""
    world.outbox.watch(world.changed)
    result(world.outbox.keep(["a"]))
    world.writer.held = True
    call = world.outbox.advance("a", {})
    world.outbox.stored(["r"])
    stopped = world.outbox.stop()
    assert not stopped.called
    world.writer.step()
    result(call)
    result(stopped)
    assert world.clock.getDelayedCalls() == []
    for refused in (world.outbox.lead(), world.outbox.keep(["a"]), world.outbox.waiting("a")):
        assert kind(refused) is Kind.UNAVAILABLE


def test_a_hanging_disk_refuses_calls_in_time(world: World) -> None:
    """A call is refused in time; the log says so."""
    result(world.outbox.keep(["a"]))
    world.writer.held = True
    call = world.outbox.advance("a", {"r": ("e", 1)})
    with capturedLogs() as logs:
        world.clock.advance(WAIT)
        assert kind(call) is Kind.UNAVAILABLE
    assert len(logs) == 1


def test_one_after_the_other(world: World) -> None:
    """Receivers that are named while others are made do not mix with them."""
    say(world.store, "a")
    world.writer.held = True
    calls = [world.outbox.keep(["a"]), world.outbox.keep(["b"])]
    for _ in range(9):
        world.writer.step()
    for call in calls:
        result(call)
    assert list(world.store.cursors.receivers) == ["b"]
