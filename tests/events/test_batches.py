"""Bounds of a batch."""

from __future__ import annotations

from livechat.events.batches import MOST_BYTES, MOST_EVENTS, Draft
from livechat.events.merging import Step
from livechat.protocol.events import event_of_entry
from livechat.protocol.messages import Message


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
