"""Batches of what waits for a receiver."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from livechat.events import feed as feeds
from livechat.events.batches import MOST_EVENTS, Batch
from livechat.events.feed import GATHER, GATHER_MANY, LOOK_EVERY, MANY, RETRY_EVERY, Feed, Lag
from livechat.protocol.audit import Action, AuditRecord, Author
from livechat.protocol.events import ENTRIES, KINDS, NOTES, kind_of, make_act, make_note
from livechat.protocol.messages import Place, User
from livechat.protocol.moderation import Case
from livechat.protocol.names import AUDIT_ROOM, EVENTS_ROOM
from tests.support.outbox import MemoryOutbox
from tests.support.outcomes import result, run


class World:
    """A feed of an outbox in memory."""

    def __init__(self, kinds: Collection[str] = KINDS, **options: Any) -> None:
        self.clock = Clock()
        self.outbox = MemoryOutbox()
        self.feed = Feed(self.outbox, "hook", kinds, self.clock, **options)
        self.outbox.watch(lambda _: self.feed.wake())

    def asked(self) -> Deferred[Batch]:
        return Deferred.fromCoroutine(self.feed.batch())

    def batch(self) -> Batch:
        """The next batch, after the time that it takes to gather."""
        asked = self.asked()
        if not asked.called:
            self.clock.advance(GATHER)
        if not asked.called:
            self.clock.advance(GATHER_MANY - GATHER)
        return result(asked)

    def told(self, batch: Batch) -> None:
        run(self.feed.told(batch))

    def take(self) -> list[str]:
        """The next batch, of which the receiver is told."""
        batch = self.batch()
        self.told(batch)
        return shown(batch)

    def note(self, kind: str, room: str = "r", after: int = 0) -> None:
        place = Place(f"epoch-{room}", after) if after else None
        self.outbox.store(make_note(kind, room, place, User("1", "Ann")))


def shown(batch: Batch) -> list[str]:
    """Rooms and numbers, or kinds, or texts of messages."""
    found = []
    for event in batch.events:
        number, text = getattr(event, "seq", None), getattr(event, "message", None)
        what = (
            text
            if text is not None
            else kind_of(event)
            if number is None
            else f"{kind_of(event)}{number}"
        )
        found.append(f"{getattr(event, 'room', None) or ''} {what}")
    return found


def test_in_order() -> None:
    """All that waits comes in order, once the receiver was told of it not again."""
    world = World()
    world.outbox.say("a", "b", "c")
    assert world.take() == ["r a", "r b", "r c"]
    assert world.outbox.told("hook") == 3
    world.outbox.say("d")
    assert world.take() == ["r d"]
    asked = world.asked()
    world.clock.advance(100)
    assert not asked.called


def test_again() -> None:
    """What the receiver was not told of comes again, with what came meanwhile."""
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


def test_gathers() -> None:
    """What comes within a moment of each other is one batch."""
    world = World()
    asked = world.asked()
    world.clock.advance(1)
    world.outbox.say("a")
    world.clock.advance(GATHER / 2)
    world.outbox.say("b")
    assert not asked.called
    world.clock.advance(GATHER / 2)
    assert shown(result(asked)) == ["r a", "r b"]


def test_trickle() -> None:
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


def test_backlog() -> None:
    """A backlog comes in full batches, without a pause."""
    world = World()
    world.outbox.say(*map(str, range(MOST_EVENTS * 2 + 5)))
    found = []
    for _ in range(3):
        batch = result(world.asked())
        assert len(batch.events) <= MOST_EVENTS
        world.told(batch)
        found += shown(batch)
    assert found == [f"r {number}" for number in range(MOST_EVENTS * 2 + 5)]


def test_misses_nothing_untold() -> None:
    """What nobody has told the feed of is found all the same."""
    world = World()
    asked = world.asked()
    world.outbox.watch(lambda _: None)
    world.outbox.say("a")
    world.clock.advance(LOOK_EVERY)
    world.clock.advance(GATHER)
    assert shown(result(asked)) == ["r a"]


def test_fair() -> None:
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
    """All of more rooms than one look finds have their turn, however busy those before are."""
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


def test_share_of_many() -> None:
    """With very many rooms, each has the same part."""
    world = World()
    for number in range(100):
        world.outbox.say(*map(str, range(50)), room=f"r{number}")
    batch = world.batch()
    counts = [sum(event.room == f"r{n}" for event in batch.events) for n in range(100)]
    assert sum(counts) == MOST_EVENTS
    assert max(counts) - min(counts) <= 1


def test_notes_in_order() -> None:
    """Events without a number come where they happened."""
    world = World()
    world.outbox.say("a", "b")
    world.note("left", after=1)
    world.note("vacated", after=2)
    world.note("occupied", "s")
    assert sorted(world.take(), key=lambda each: each[0]) == [
        "r a", "r left", "r b", "r vacated", "s occupied",
    ]  # fmt: skip
    assert world.outbox.told("hook", EVENTS_ROOM) == 3
    world.note("joined", after=2)
    assert world.take() == ["r joined"]


def test_notes_behind_a_backlog() -> None:
    """An event that comes behind many messages waits for them; those of other rooms do not."""
    world = World()
    world.outbox.say(*map(str, range(1_500)))
    world.note("left", after=1_400)
    world.note("joined", "s")
    batch = world.batch()
    assert "s joined" in shown(batch)
    assert "r left" not in shown(batch)
    world.told(batch)
    assert world.outbox.told("hook", EVENTS_ROOM) == 0
    found = world.take()
    assert "s joined" not in found
    assert found.index("r left") == found.index("r 1399") + 1
    assert world.outbox.told("hook", EVENTS_ROOM) == 2


def test_notes_again_for_another_leader() -> None:
    """Whoever begins to lead tells at least once what another one may have told."""
    world = World()
    world.outbox.say(*map(str, range(1_500)))
    world.note("left", after=1_400)
    world.note("joined", "s")
    world.take()
    world.feed.begin()
    assert "s joined" in world.take()


def test_kinds() -> None:
    """What is not wanted is passed over, and cursors move."""
    world = World({"message", "vacated"})
    world.outbox.say("a")
    world.outbox.retract(1)
    world.note("joined")
    world.note("vacated")
    assert sorted(world.take()) == ["r gone1", "r vacated"]
    assert world.outbox.told("hook") == 2
    assert world.outbox.told("hook", EVENTS_ROOM) == 2


def test_nothing_wanted_of_all() -> None:
    """Cursors move by themselves where nothing of what waits is wanted."""
    for kinds in (NOTES, ENTRIES):
        world = World(kinds - {"message", "joined"})
        world.outbox.say("a", "b")
        world.note("joined")
        asked = world.asked()
        for _ in range(3):
            world.clock.advance(GATHER)
        assert not asked.called
        assert world.outbox.told("hook") == 2
        assert world.outbox.told("hook", EVENTS_ROOM) == 1


def test_notes_alone_read_no_room() -> None:
    """A receiver of events without numbers costs no reading of messages."""
    world = World({"vacated"})
    world.outbox.say(*map(str, range(100)))
    world.note("vacated", after=50)
    assert world.take() == ["r vacated"]
    assert {room for room, _ in world.outbox.reads} == {EVENTS_ROOM}
    assert world.outbox.told("hook") == 100


def test_audit_is_no_room() -> None:
    """The audit is told to nobody."""
    world = World()
    world.outbox.say("a record", room=AUDIT_ROOM)
    world.outbox.say("a")
    assert world.take() == ["r a"]


def test_gap() -> None:
    """What was dropped is said, with how many that were."""
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


def test_another_epoch() -> None:
    """A numbering that begins anew is said; then come its messages."""
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


def test_another_epoch_of_notes() -> None:
    world = World()
    world.note("joined")
    world.take()
    world.outbox.renumber("new", EVENTS_ROOM)
    world.note("left")
    assert world.take() == [" gap", "r left"]


def test_act_of_all_rooms() -> None:
    """An act in all rooms, or in a pattern of them, waits for no room."""
    world = World()
    for room in ("*", "team-*", ""):
        act = AuditRecord(Action("restrict", user=User("2", "Bob")), Author("key"), room)
        world.outbox.store(make_act(act))
    assert sorted(world.take()) == ["* restricted", "* restricted", "team-* restricted"]


def test_case_of_now() -> None:
    """A held message has the text of its case as it is when the receiver is told."""
    cases = {"c1": Case("held", "open", "r", 1, None, "buy", "x")}
    world = World(case_of=cases.get)
    world.outbox.store(make_note("held", "r", case="c1"))
    assert shown(world.batch()) == ["r buy"]
    cases.clear()
    assert world.take() == ["r held"]


def test_store_is_away() -> None:
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


def test_cancelled() -> None:
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


def test_lag() -> None:
    """The lag has how many wait in all rooms, and since when."""
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
    """Of very many rooms, some are counted."""
    monkeypatch.setattr(feeds, "ROOMS_PER_LOOK", 10)
    monkeypatch.setattr(feeds, "MOST_LOOKS", 3)
    world = World()
    for number in range(40):
        world.outbox.say("a", room=f"r{number}")
    lag = run(world.feed.lag())
    assert (lag.events, lag.at_least) == (30, True)


def test_forgets_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered of rooms is bounded."""
    monkeypatch.setattr(feeds, "MOST_EPOCHS", 5)
    world = World()
    for number in range(20):
        world.outbox.say("a", room=f"r{number}")
    world.take()
    assert len(world.feed._epochs) == 5
    assert not world.feed._rooms
