"""All receivers, in the process that leads."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from livechat.events.batches import GATHER
from livechat.events.feed import Feed
from livechat.events.telling import AGAIN_AFTER, KEEP_EVERY, Telling
from livechat.protocol.events import KINDS
from tests.support.outbox import MemoryOutbox


class Tells:
    """A teller that takes all batches, or fails at first."""

    def __init__(self, name: str = "a", *, fails: bool = False) -> None:
        self.name, self.kinds = name, KINDS
        self.fails = fails
        self.texts: list[str] = []
        self.ended = 0

    async def tell(self, feed: Feed) -> None:
        if self.fails:
            self.fails = False
            raise ValueError("a bug")
        try:
            while True:
                batch = await feed.batch()
                self.texts += [getattr(event, "message", "") for event in batch.events]
                await feed.told(batch)
        except CancelledError:
            self.ended += 1
            raise


class World:
    def __init__(self, *tellers: Tells, duties: Any = ()) -> None:
        self.clock, self.outbox = Clock(), MemoryOutbox()
        self.telling = Telling(self.outbox, tellers, self.clock, duties=duties)

    def advance(self, seconds: float = 3) -> None:
        for _ in range(int(10 * seconds)):
            self.clock.advance(0.1)


def test_each_receiver_is_told_of_all_events() -> None:
    """Each receiver is told of all events, until telling stops."""
    one, other = Tells("a"), Tells("b")
    world = World(one, other)
    world.outbox.say("x")
    world.telling.start()
    world.advance()
    assert world.telling.leads
    assert world.outbox.kept == [frozenset("ab")]
    assert one.texts == other.texts == ["x"]
    world.outbox.say("y")
    world.advance(3 * GATHER)
    assert one.texts == ["x", "y"]
    world.telling.stop()
    world.outbox.say("z")
    world.advance()
    assert one.texts == ["x", "y"]
    assert (one.ended, other.ended) == (1, 1)
    assert not world.clock.getDelayedCalls()


def test_without_receivers_nothing_is_kept() -> None:
    """Without receivers the store keeps no events for any, and no process leads."""
    world = World()
    world.outbox.away = True
    world.telling.start()
    world.advance(KEEP_EVERY)
    world.outbox.away = False
    world.advance(2 * KEEP_EVERY)
    assert world.outbox.kept == [frozenset()]
    assert not world.telling.leads
    assert not world.clock.getDelayedCalls()


def test_a_process_without_the_lease_tells_nothing() -> None:
    """A process that has lost the lease tells no receiver until it leads again."""
    teller = Tells()
    world = World(teller)
    world.telling.start()
    world.advance()
    world.outbox.leads_for = 0
    world.advance(12)
    world.outbox.say("x")
    world.advance()
    assert (teller.texts, teller.ended) == ([], 1)
    world.outbox.leads_for = 10
    world.advance()
    assert teller.texts == ["x"]


def test_a_teller_that_raises_is_started_again() -> None:
    """A teller that raises is started again, and the others go on."""
    bad, good = Tells("a", fails=True), Tells("b")
    world = World(bad, good)
    world.outbox.say("x")
    with capturedLogs() as logs:
        world.telling.start()
        world.advance()
    assert len(logs) == 1
    assert (bad.texts, good.texts) == ([], ["x"])
    world.advance(AGAIN_AFTER)
    assert bad.texts == ["x"]


def test_duties_run_in_the_leader() -> None:
    """Duties run in the process that leads."""
    done: list[str] = []

    async def duty() -> None:
        done.append("begun")
        try:
            never: Deferred[None] = Deferred()
            await never
        finally:
            done.append("ended")

    world = World(duties=[duty])
    world.telling.start()
    world.advance()
    assert done == ["begun"]
    world.telling.stop()
    assert done == ["begun", "ended"]
