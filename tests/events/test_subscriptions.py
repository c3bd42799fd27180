"""Telling subscribers of extensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.logger import capturedLogs

from livechat.events.feed import Feed
from livechat.events.subscriptions import FIRST_PAUSE, LONGEST_PAUSE, TELL_WITHIN, Subscription
from livechat.extensions import SubscriberBase
from livechat.protocol.events import KINDS, Event
from tests.support.outbox import MemoryOutbox


class Told(SubscriberBase):
    """
    A subscriber.

    @ivar answer: makes the result of each call.
    """

    name = "told"

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.answer: Any = lambda: None

    def events(self, batch: Sequence[Event]) -> Any:
        self.calls.append([getattr(event, "message", "") for event in batch])
        return self.answer()


class World:
    def __init__(self, subscriber: SubscriberBase | None = None) -> None:
        self.clock, self.outbox = Clock(), MemoryOutbox()
        self.told = Told()
        subscription = Subscription(subscriber or self.told, self.clock)
        self.name = subscription.name
        self.feed = Feed(self.outbox, subscription.name, subscription.kinds, self.clock)
        self.outbox.watch(lambda _: self.feed.wake())
        self.running = Deferred.fromCoroutine(subscription.tell(self.feed))
        self.running.addErrback(lambda _: None)

    def advance(self, seconds: float) -> None:
        for _ in range(int(10 * seconds)):
            self.clock.advance(0.1)


def test_a_subscriber_is_told_in_order() -> None:
    """A subscriber is told in order, and its cursor moves."""
    world = World()
    world.outbox.say("a", "b")
    world.advance(1)
    world.outbox.say("c")
    world.advance(1)
    assert world.told.calls == [["a", "b"], ["c"]]
    assert world.outbox.told("subscriber-told") == 3


def test_a_busy_subscriber_is_told_nothing_more() -> None:
    """Nothing more comes while a subscriber is busy, and no cursor moves."""
    world = World()

    async def later() -> None:
        await deferLater(world.clock, 5, lambda: None)

    world.told.answer = later
    world.outbox.say("a")
    world.advance(1)
    world.outbox.say("b")
    world.advance(3)
    assert world.told.calls == [["a"]]
    assert world.outbox.told(world.name) == 0
    world.advance(3)
    assert world.told.calls == [["a"], ["b"]]
    assert world.outbox.told(world.name) == 1


def test_a_subscriber_that_raises_is_told_again() -> None:
    """A batch at which a subscriber raises comes again, after pauses that grow."""
    world = World()

    def fails() -> None:
        raise ValueError("no")

    world.told.answer = fails
    world.outbox.say("a")
    with capturedLogs() as logs:
        world.advance(FIRST_PAUSE * 20)
    assert 3 <= len(world.told.calls) <= 6
    assert len(logs) == len(world.told.calls)
    world.told.answer = lambda: None
    world.advance(LONGEST_PAUSE)
    assert world.outbox.told(world.name) == 1


def test_a_subscriber_that_hangs_is_told_again() -> None:
    """A subscriber that does not end is told again, and is not told twice at a time."""
    world = World()
    hangs: list[Deferred[None]] = []

    def hang() -> Deferred[None]:
        hangs.append(Deferred())
        return hangs[-1]

    world.told.answer = hang
    world.outbox.say("a")
    with capturedLogs():
        world.advance(TELL_WITHIN - 1)
        assert len(hangs) == 1
        world.advance(5)
    assert len(hangs) == 2
    assert hangs[0].called


def test_an_interrupted_telling_is_repeated() -> None:
    """A subscriber that is being told when this process ends is told again by the next one."""
    world = World()
    world.told.answer = Deferred
    world.outbox.say("a")
    world.advance(1)
    world.running.cancel()
    assert world.outbox.told(world.name) == 0
    assert not world.clock.getDelayedCalls()


def test_a_subscriber_names_its_kinds() -> None:
    """A subscriber names kinds, or is told of all."""
    some = SubscriberBase()
    assert Subscription(some, Clock()).kinds == KINDS
    some.kinds = ["vacated"]
    assert Subscription(some, Clock()).kinds == {"vacated"}
