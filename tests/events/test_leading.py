"""Which process leads, and until when."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from livechat.events.leading import ANSWER_WITHIN, TRY_EVERY, Leader
from tests.support.outbox import MemoryOutbox


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.outbox = MemoryOutbox()
        self.changes: list[bool] = []
        self.leader = Leader(self.outbox, self.clock, self.changes.append)

    def run(self) -> Deferred[None]:
        running = Deferred.fromCoroutine(self.leader.run())
        running.addErrback(lambda _: None)
        return running


def test_a_leader_goes_on_until_it_stops() -> None:
    """A process that leads goes on, until it stops."""
    world = World()
    running = world.run()
    for _ in range(100):
        world.clock.advance(1)
    assert world.leader.leads
    running.cancel()
    assert world.changes == [True, False]
    assert not world.clock.getDelayedCalls()


def test_a_process_tries_while_another_leads() -> None:
    """While another process leads, this one tries."""
    world = World()
    world.outbox.leads_for = 0.0
    world.run()
    world.clock.advance(5)
    assert not world.leader.leads
    world.outbox.leads_for = 10.0
    world.clock.advance(TRY_EVERY)
    world.clock.advance(TRY_EVERY)
    assert world.changes == [True]
    world.outbox.leads_for = 0.0
    world.clock.advance(10)
    assert world.changes == [True, False]


def test_an_unrenewed_lease_holds_until_its_end() -> None:
    """A lease that cannot be renewed holds until its end, and no longer."""
    world = World()
    world.run()
    world.outbox.away = True
    for _ in range(9):
        world.clock.advance(1)
    assert world.changes == [True]
    world.clock.advance(1)
    assert world.changes == [True, False]
    world.outbox.away = False
    for _ in range(3):
        world.clock.advance(1)
    assert world.changes == [True, False, True]


def test_a_leader_without_an_answer_stops_with_its_lease() -> None:
    """A leader whose store does not answer stops at the end of its lease."""
    world = World()
    world.run()
    never: Deferred[float] = Deferred()
    world.outbox.lead = lambda: never  # type: ignore[method-assign]
    for _ in range(12):
        world.clock.advance(1)
    assert world.changes == [True, False]
    assert never.called
    assert ANSWER_WITHIN < 12
