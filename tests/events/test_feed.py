"""Batches of a receiver's waiting events."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs

from livechat.events import batches
from livechat.events import feed as feeds
from livechat.events.batches import (
    GATHER,
    GATHER_MANY,
    LONG_REST,
    MANY,
    MOST_BYTES,
    MOST_EVENTS,
    MUCH,
    REST,
)
from livechat.events.feed import LOOK_EVERY, RETRY_EVERY, TURN, Lag
from livechat.protocol.names import AUDIT_ROOM
from tests.events.feeding import World, shown
from tests.support.outcomes import result, run


def test_events_come_in_order_and_once() -> None:
    """Waiting events come in order, and not again once the receiver was told of them."""
    world = World()
    world.outbox.say("a", "b", "c")
    assert world.take() == ["r a", "r b", "r c"]
    assert world.outbox.told("hook") == 3
    world.outbox.say("d")
    assert world.take() == ["r d"]
    asked = world.asked()
    world.clock.advance(100)
    assert not asked.called


def test_untold_events_come_again() -> None:
    """Untold events come again, with those that came meanwhile."""
    world = World()
    world.outbox.say("a")
    assert shown(world.batch()) == ["r a"]
    world.outbox.say("b")
    assert shown(world.batch()) == ["r a", "r b"]
    assert world.take() == ["r a", "r b"]


def test_retracted_while_waiting() -> None:
    """The text of a message that is retracted while it waits is never told, in a retry neither."""
    world = World()
    world.outbox.say("secret", "b")
    assert shown(world.batch())[0] == "r secret"
    world.outbox.retract(1)
    batch = world.batch()
    assert shown(batch) == ["r gone1", "r b", "r retracted3"]
    assert b"secret" not in b"".join(batch.encoded)


def test_events_within_a_moment_are_one_batch() -> None:
    """Events within `GATHER` of the first are one batch."""
    world = World()
    asked = world.asked()
    world.clock.advance(1)
    world.outbox.say("a")
    world.clock.advance(GATHER / 2)
    world.outbox.say("b")
    assert not asked.called
    world.clock.advance(GATHER / 2)
    assert shown(result(asked)) == ["r a", "r b"]


def test_batches_keep_their_distance() -> None:
    """A batch is not made before the last one is a moment old."""
    world = World()
    world.outbox.say("a")
    world.take()
    world.outbox.say("b")
    asked = world.asked()
    world.clock.advance(GATHER * 0.9)
    world.outbox.say("c")
    assert not asked.called
    world.clock.advance(GATHER * 0.2)
    assert shown(result(asked)) == ["r b", "r c"]


def test_many_gather_longer() -> None:
    """While there are many events, batches are fewer and larger: a lone one comes at once again."""
    world = World()
    world.outbox.say(*map(str, range(MANY)))
    assert len(world.take()) == MANY
    world.outbox.say("a")
    asked = world.asked()
    world.clock.advance(GATHER)
    world.outbox.say("b")
    assert not asked.called
    world.clock.advance(GATHER_MANY - GATHER)
    batch = result(asked)
    assert shown(batch) == ["r a", "r b"]
    world.told(batch)
    world.outbox.say("c")
    asked = world.asked()
    world.clock.advance(GATHER)
    assert shown(result(asked)) == ["r c"]


@pytest.mark.parametrize("much", [MUCH, 1])
def test_a_backlog_comes_in_full_batches(monkeypatch: pytest.MonkeyPatch, much: int) -> None:
    """A backlog comes in full batches, with a rest after each, unless very much waits."""
    monkeypatch.setattr(batches, "MUCH", much)
    world = World()
    world.outbox.say(*map(str, range(MOST_EVENTS * 2 + 5)))
    found = []
    for number in range(3):
        asked = world.asked()
        if number and much > 1:
            world.clock.advance(REST * 0.9)
            assert not asked.called
            world.clock.advance(REST * 0.2)
        batch = result(asked)
        assert len(batch.events) <= MOST_EVENTS
        world.told(batch)
        found += shown(batch)
    assert found == [f"r {number}" for number in range(MOST_EVENTS * 2 + 5)]


def test_a_busy_process_rests_longer() -> None:
    """While the process is busy, those who chat come first for longer."""
    world = World()
    world.outbox.say(*map(str, range(MOST_EVENTS * 3)))
    world.clock.advance(1.0)
    world.cpu += 0.8
    asked = world.asked()
    for rest in (LONG_REST, REST):
        world.told(result(asked))
        asked = world.asked()
        world.clock.advance(rest * 0.9)
        assert not asked.called
        world.clock.advance(rest * 0.2)
    assert len(result(asked).events) == MOST_EVENTS


def test_long_events_do_not_rest() -> None:
    """Long events, of which few fill a batch, are told without a rest: bytes are bounded, too."""
    world = World()
    world.outbox.say(*["x" * (MOST_BYTES // 10)] * 25)
    counts = []
    for _ in range(3):
        batch = result(world.asked())
        world.told(batch)
        counts.append(len(batch.events))
    assert counts == [9, 9, 7]


def test_misses_nothing_untold() -> None:
    """A feed without a notice finds new events by looking, every `LOOK_EVERY`."""
    world = World()
    asked = world.asked()
    world.outbox.watch(lambda _: None)
    world.outbox.say("a")
    world.clock.advance(LOOK_EVERY)
    world.clock.advance(GATHER)
    assert shown(result(asked)) == ["r a"]


def test_a_loud_room_starves_no_other() -> None:
    """A room with very many that wait starves no other, and fills what others leave."""
    world = World()
    world.outbox.say(*map(str, range(5_000)), room="big")
    for number in range(40):
        world.outbox.say("x", "y", room=f"small{number}")
    batch = world.batch()
    assert len(batch.events) == MOST_EVENTS
    rooms = {getattr(event, "room", "") for event in batch.events}
    assert len(rooms) == 41
    world.told(batch)
    world.outbox.say("z", room="small7")
    assert "small7 z" in world.take()


def test_many_rooms_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rooms take turns if they are more than one look finds, even behind busy ones."""
    monkeypatch.setattr(feeds, "ROOMS_PER_LOOK", 10)
    world = World()
    names = [f"r{number:02}" for number in range(50)]
    seen: set[str] = set()
    for turn in range(12):
        for name in names if not turn else names[:12]:
            world.outbox.say(*map(str, range(100)), room=name)
        batch = world.batch()
        world.told(batch)
        seen |= {getattr(event, "room", "") for event in batch.events}
        assert len(world.feed._rooms) <= 20
    assert seen == {*names}


def test_rooms_with_a_backlog_take_turns() -> None:
    """Rooms of which much waits take turns of `TURN`; one of which little waits needs none."""
    world = World()
    for number in range(30):
        world.outbox.say(*map(str, range(2 * TURN)), room=f"r{number:02}")
    told: Counter[str] = Counter()
    for _ in range(2):
        world.outbox.say("x", room="z")
        batch = world.batch()
        world.told(batch)
        rooms = Counter(getattr(event, "room", "") for event in batch.events)
        assert rooms.total() == MOST_EVENTS
        assert rooms["z"] == 1
        assert max(rooms.values()) == TURN
        told += rooms
    # The last room of a batch has what is left of it.
    assert min(told[f"r{number:02}"] for number in range(30)) >= TURN - 1


def test_many_rooms_with_less_than_a_turn_fill_a_batch() -> None:
    """Rooms with more than an equal part and less than a turn fill a batch, so that it rests."""
    world = World()
    for number in range(200):
        world.outbox.say(*map(str, range(8)), room=f"r{number:03}")
    batch = world.batch()
    assert len(batch.events) == MOST_EVENTS
    world.told(batch)
    assert len(world.batch().events) == 200 * 8 - MOST_EVENTS


def test_one_room_fills_a_batch() -> None:
    """A room alone fills a batch."""
    world = World()
    world.outbox.say(*map(str, range(MOST_EVENTS + 1)))
    assert len(world.batch().events) == MOST_EVENTS
    assert world.outbox.reads[-1] == ("r", MOST_EVENTS)


def test_audit_is_no_room() -> None:
    """The audit is told to nobody."""
    world = World()
    world.outbox.say("a record", room=AUDIT_ROOM)
    world.outbox.say("a")
    assert world.take() == ["r a"]


def test_dropped_entries_are_told_as_a_gap() -> None:
    """Dropped entries are told as a gap, with their number."""
    world = World()
    world.outbox.say(*map(str, range(10)))
    world.outbox.trim(8)
    batch = world.batch()
    assert shown(batch) == ["r gap", "r 7", "r 8", "r 9"]
    assert b'"lost":7' in batch.encoded[0]
    world.told(batch)
    world.outbox.say("x")
    world.outbox.trim(100)
    assert world.take() == ["r gap"]
    assert world.outbox.told("hook") == 11


def test_a_new_numbering_is_told_first() -> None:
    """A new numbering is told before its messages."""
    world = World()
    world.outbox.say("a", "b", "c")
    world.take()
    world.outbox.renumber("new")
    world.outbox.say("d")
    batch = world.batch()
    assert shown(batch) == ["r gap", "r d"]
    assert b'"reason":"epoch"' in batch.encoded[0]
    world.told(batch)
    world.outbox.say("e")
    assert world.take() == ["r e"]


def test_another_epoch_for_a_later_leader() -> None:
    """A feed that was not there before the new numbering says so, too, and only once."""
    world = World()
    world.outbox.say("a", "b", "c")
    world.take()
    world.outbox.renumber("new", known=True)
    world.outbox.say("d")
    world.feed.begin()
    batch = world.batch()
    assert shown(batch) == ["r gap", "r d"]
    assert b'"reason":"epoch","room":"r","epoch":"new"' in batch.encoded[0]
    assert world.batch().events[0].id == batch.events[0].id
    world.told(batch)
    world.feed.begin()
    world.outbox.say("e")
    assert world.take() == ["r e"]


def test_a_feed_waits_while_the_store_is_away() -> None:
    """While the store is away a feed waits, and says so once; then it goes on."""
    world = World()
    world.outbox.say("a")
    world.outbox.away = True
    with capturedLogs() as logs:
        asked = world.asked()
        for _ in range(30):
            world.clock.advance(RETRY_EVERY)
    assert len(logs) == 1
    world.outbox.away = False
    world.clock.advance(RETRY_EVERY)
    batch = result(asked)
    assert shown(batch) == ["r a"]
    world.outbox.away = True
    told = Deferred.fromCoroutine(world.feed.told(batch))
    assert not told.called
    world.outbox.away = False
    world.clock.advance(RETRY_EVERY)
    result(told)
    assert world.outbox.told("hook") == 1


def test_a_cancelled_feed_can_go_on() -> None:
    """A feed can be stopped while it waits, and go on."""
    world = World()
    asked = world.asked()
    world.clock.advance(1)
    asked.cancel()
    failed: list[Any] = []
    asked.addErrback(failed.append)
    assert failed[0].check(CancelledError)
    assert not world.clock.getDelayedCalls()
    world.outbox.say("a")
    assert world.take() == ["r a"]


def test_the_lag_counts_waiting_events() -> None:
    """The lag counts waiting events over all rooms, and has the time of the oldest."""
    world = World()
    assert run(world.feed.lag()) == Lag(0, None)
    world.outbox.say("a", "b")
    first = world.outbox.now
    world.outbox.now += 5_000
    world.outbox.say("c", room="s")
    world.note("joined")
    assert run(world.feed.lag()) == Lag(4, first)
    world.take()
    assert run(world.feed.lag()) == Lag(0, None)


def test_lag_of_many_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lag counts a bounded number of rooms, and is marked as "at least"."""
    monkeypatch.setattr(feeds, "ROOMS_PER_LOOK", 10)
    monkeypatch.setattr(feeds, "MOST_LOOKS", 3)
    world = World()
    for number in range(40):
        world.outbox.say("a", room=f"r{number}")
    lag = run(world.feed.lag())
    assert (lag.events, lag.at_least) == (30, True)


def test_the_memory_of_epochs_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of rooms is bounded."""
    monkeypatch.setattr(feeds, "MOST_EPOCHS", 5)
    world = World()
    for number in range(20):
        world.outbox.say("a", room=f"r{number}")
    world.take()
    assert len(world.feed._epochs) == 5
    assert not world.feed._rooms
