"""Bounds of a batch."""

from __future__ import annotations

import pytest

from livechat.events.batches import (
    LONG_REST,
    MOST_BYTES,
    MOST_EVENTS,
    MUCH,
    REST,
    Batch,
    Draft,
    pause_after,
)
from livechat.events.merging import Step
from livechat.protocol.events import event_of_entry
from livechat.protocol.messages import Message, Place


def steps(count: int, text: str = "hi", first: int = 1) -> list[Step]:
    return [
        Step(event_of_entry("r", "ep", Message(text, number, 1)), number)
        for number in range(first, first + count)
    ]


def test_a_batch_is_bounded_in_events() -> None:
    """A batch has a bounded number of events; further ones move no cursor."""
    draft = Draft()
    assert draft.take(steps(MOST_EVENTS + 5), "r", "ep") == MOST_EVENTS
    assert draft.full
    batch = draft.batch(frozenset())
    assert len(batch.events) == len(batch.encoded) == MOST_EVENTS
    assert batch.told == {"r": ("ep", MOST_EVENTS)}
    assert batch.full


def test_a_batch_is_bounded_in_bytes() -> None:
    """A batch has a bounded size, in bytes of JSON."""
    draft = Draft()
    # Each character needs six bytes.
    taken = draft.take(steps(100, "\x07" * 10_000), "r", "ep")
    assert taken == MOST_BYTES // 60_093
    assert draft.full
    assert sum(map(len, draft.batch(frozenset()).encoded)) <= MOST_BYTES


def test_events_taken_together_are_those_taken_one_by_one() -> None:
    """Events that are taken together are those that are taken one by one, and the same JSON."""
    together, single = Draft(), Draft()
    for draft in (together, single):
        draft.take(steps(2), "q", "ep")
    some = steps(5, '\x07<\u2028\N{GRINNING FACE}"', 7)
    events = [step.event for step in some if step.event is not None]
    assert together.take_all(events, "r", Place("ep", 11))
    assert single.take(some, "r", "ep") == 11
    one, other = (draft.batch(frozenset()) for draft in (together, single))
    assert one.events == other.events
    assert b",".join(one.encoded) == b",".join(other.encoded)
    assert one.told == other.told
    assert together.take_all([], "s", Place("ep", 3))
    assert b",".join(together.batch(frozenset()).encoded) == b",".join(other.encoded)


@pytest.mark.parametrize(
    ("count", "text"), [(MOST_EVENTS - 1, "x"), (100, "x" * (MOST_BYTES // 100))]
)
def test_events_without_room_together_are_taken_one_by_one(count: int, text: str) -> None:
    """Events for which there is no room together are not taken, but one by one."""
    draft = Draft()
    draft.take(steps(2), "q", "ep")
    some = steps(count, text)
    assert not draft.take_all([each.event for each in some if each.event], "r", Place("ep", count))
    assert not draft.full
    assert draft.take(some, "r", "ep") == count - 1
    assert draft.full


def test_a_large_event_is_a_batch_by_itself() -> None:
    """An event that is larger than a batch is one by itself."""
    draft = Draft()
    assert draft.take(steps(2, "x" * (MOST_BYTES + 1)), "r", "ep") == 1
    assert len(draft.batch(frozenset()).events) == 1


def test_unwanted_entries_move_the_cursor() -> None:
    """Unwanted entries take no room in a batch, and move the cursor."""
    draft = Draft()
    assert draft.take([Step(None, number) for number in range(1, 5_000)], "r", "ep") == 4_999
    assert not draft.full
    batch = draft.batch(frozenset())
    assert not batch.events
    assert batch.told == {"r": ("ep", 4_999)}


def test_notes_move_no_cursor() -> None:
    """Notes move no cursor of a room."""
    draft = Draft()
    assert draft.take([Step(None, note=7)], "r", "ep") == 0
    assert draft.notes == {7}
    assert not draft.told


@pytest.mark.parametrize(
    ("events", "backlog", "usage", "pause"),
    [
        (MOST_EVENTS, MOST_EVENTS, 0.5, REST),
        (MOST_EVENTS, MUCH // 2, 1.1, LONG_REST),
        (MOST_EVENTS, MUCH * 3 // 4, 1.1, LONG_REST / 2),
        (MOST_EVENTS, MUCH * 3 // 4, 0.1, REST / 2),
        (MOST_EVENTS, 2 * MUCH, 1.1, 0.0),
        (MOST_EVENTS - 1, MUCH // 2, 1.1, 0.0),
    ],
)
def test_rests_after_full_batches(events: int, backlog: int, usage: float, pause: float) -> None:
    """The more waits, the shorter is the rest."""
    event = steps(1)[0].event
    assert event is not None
    batch = Batch((event,) * events, (), {}, full=True)
    assert pause_after(batch, backlog, usage) == pytest.approx(pause)
