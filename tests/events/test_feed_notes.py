"""Notes in the batches of a receiver, and what else is no entry of a room."""

from __future__ import annotations

from livechat.events.batches import GATHER
from livechat.protocol.audit import Action, AuditRecord, Author
from livechat.protocol.events import ENTRIES, NOTES, make_act, make_note
from livechat.protocol.messages import User
from livechat.protocol.moderation import Case
from livechat.protocol.names import EVENTS_ROOM
from tests.events.feeding import World, shown


def test_notes_come_where_they_happened() -> None:
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
    """A new leader tells again of events that the former one may have told."""
    world = World()
    world.outbox.say(*map(str, range(1_500)))
    world.note("left", after=1_400)
    world.note("joined", "s")
    world.take()
    world.feed.begin()
    assert "s joined" in world.take()


def test_unwanted_kinds_are_passed_over() -> None:
    """Unwanted kinds are passed over, and cursors move."""
    world = World({"message", "vacated"})
    world.outbox.say("a")
    world.outbox.retract(1)
    world.note("joined")
    world.note("vacated")
    assert sorted(world.take()) == ["r gone1", "r vacated"]
    assert world.outbox.told("hook") == 2
    assert world.outbox.told("hook", EVENTS_ROOM) == 2


def test_nothing_wanted_of_all() -> None:
    """Cursors move without a batch if no waiting event is wanted."""
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


def test_another_epoch_of_notes() -> None:
    world = World()
    world.note("joined")
    world.take()
    world.outbox.renumber("new", EVENTS_ROOM)
    world.note("left")
    assert world.take() == [" gap", "r left"]


def test_another_epoch_of_notes_for_a_later_leader() -> None:
    world = World()
    world.note("joined")
    world.take()
    world.outbox.renumber("new", EVENTS_ROOM, known=True)
    world.note("left")
    world.feed.begin()
    assert world.take() == [" gap", "r left"]
    world.feed.begin()
    world.note("joined")
    assert world.take() == ["r joined"]


def test_act_of_all_rooms() -> None:
    """An act in all rooms, or in a pattern of them, waits for no room."""
    world = World()
    for room in ("*", "team-*", ""):
        act = AuditRecord(Action("restrict", user=User("2", "Bob")), Author("key"), room)
        world.outbox.store(make_act(act))
    assert sorted(world.take()) == ["* restricted", "* restricted", "team-* restricted"]


def test_a_held_message_has_the_text_of_its_case() -> None:
    """A held message has the text of its case as it is when the receiver is told."""
    cases = {"c1": Case("held", "open", "r", 1, None, "buy", "x")}
    world = World(case_of=cases.get)
    world.outbox.store(make_note("held", "r", case="c1"))
    assert shown(world.batch()) == ["r buy"]
    cases.clear()
    assert world.take() == ["r held"]
