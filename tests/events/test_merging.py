"""Entries and notes of a room in their order."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Final

import pytest
from msgspec import Raw

from livechat.events.merging import (
    PendingNote,
    Step,
    Wanted,
    notes_of,
    prefix,
    room_steps,
    unbroken,
)
from livechat.protocol.events import ENTRIES, KINDS, Note, encode_event, make_note
from livechat.protocol.messages import (
    Edited,
    Entry,
    Gone,
    Message,
    Page,
    Place,
    Position,
    Retracted,
    User,
)

ALL = Wanted(KINDS, lambda _: None)


def page(*entries: Entry, top: int | None = None, epoch: str = "ep") -> Page:
    top = (entries[-1].seq if entries else 0) if top is None else top
    return Page(Position(epoch, top, 1), entries)


def said(*numbers: int) -> list[Entry]:
    return [Message(f"m{number}", number, number) for number in numbers]


def vacated(number: int, after: int = 0, epoch: str = "ep") -> PendingNote:
    note = Note(f"n{number}", "vacated", "r", epoch, after)
    return PendingNote(note, Message("", number, 1))


def shown(steps: Iterable[Step]) -> str:
    """Show entries by numbers, notes as n1, gaps with their numbers, and skipped ones as ~."""
    found = []
    for step in steps:
        event = None if step.event is None else json.loads(encode_event(step.event))
        if event is None:
            found.append(f"~{step.seq or f'n{step.note}'}")
        elif event["event"] == "gap":
            found.append(f"gap{event.get('from', '')}-{event.get('to', '')}")
        else:
            found.append(event["id"].replace("r:ep:", ""))
    return " ".join(found)


def merged(
    entries: Sequence[Entry], *notes: PendingNote, told: int = 0, top: int | None = None
) -> str:
    return shown(room_steps("r", page(*entries, top=top), Place("ep", told), notes, ALL))


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ([vacated(1, 2)], "1 2 n1 3"),
        ([vacated(1, 3)], "1 2 3 n1"),
        ([vacated(1)], "n1 1 2 3"),
        ([vacated(1, 2), vacated(2, 2)], "1 2 n1 n2 3"),
        # A process that does not know the room's number does not overtake.
        ([vacated(1, 2), vacated(2)], "1 2 n1 n2 3"),
        ([vacated(1, 3), vacated(2, 1)], "1 2 3 n1 n2"),
        ([vacated(1, 9, "other")], "n1 1 2 3"),
        ([vacated(1, 99)], "1 2 3 n1"),
    ],
)
def test_a_note_follows_its_entry(notes: list[PendingNote], expected: str) -> None:
    """A note comes behind the entry after which it was written, and behind notes before it."""
    assert merged(said(1, 2, 3), *notes) == expected


def test_a_note_waits_for_its_entry() -> None:
    """A note waits for an entry before it that is not on the page."""
    assert merged(said(1, 2), vacated(1, 1), vacated(2, 3), vacated(3), top=5) == "1 n1 2"


def test_a_note_at_the_top_waits_for_nothing() -> None:
    assert merged([], vacated(1, 7), told=7, top=7) == "n1"


def test_dropped_entries_are_told_first() -> None:
    """Dropped entries are told as a gap, before the entries that follow."""
    assert merged(said(5, 6), told=2) == "gap3-4 5 6"
    assert merged([], told=2, top=9) == "gap3-9"
    assert merged(said(3), told=2) == "3"
    assert merged(said(5), vacated(1, 3), told=2) == "n1 gap3-4 5"


def test_the_cursor_stays_with_notes() -> None:
    """The cursor moves with entries and gaps, and stays with notes."""
    steps = list(room_steps("r", page(*said(5)), Place("ep", 2), [vacated(1, 5)], ALL))
    assert [(step.seq, step.note) for step in steps] == [(4, 0), (5, 0), (0, 1)]


def test_an_unknown_numbering_is_told() -> None:
    """A numbering that the receiver does not know is told."""
    steps = list(room_steps("r", page(*said(1, 2)), Place("old", 500), [], ALL))
    assert shown(steps) == "gap- 1 2"
    assert steps[0].seq == 0
    assert shown(room_steps("r", page(*said(1)), Place("", 0), [], ALL)) == "1"
    assert shown(room_steps("r", page(*said(4)), Place("old", 0), [], ALL)) == "gap- gap1-3 4"


def test_unwanted_kinds_move_the_cursor() -> None:
    """Kinds that are not wanted are passed over; the cursor moves."""
    entries: list[Entry] = [
        Message("a", 1, 1), Edited(2, 1, 1, "b"), Retracted(3, 1, (1,), "author"), Gone(4, 1),
    ]  # fmt: skip

    def found(*kinds: str) -> str:
        wanted = Wanted(kinds, lambda _: None)
        return shown(room_steps("r", page(*entries), Place("ep", 0), [vacated(1)], wanted))

    assert found(*ENTRIES) == "~n1 1 2 3 4"
    assert found("message") == "~n1 1 ~2 ~3 4"
    assert found("retracted") == "~n1 ~1 ~2 3 ~4"
    assert found("edited", "vacated") == "n1 ~1 2 ~3 ~4"


ENTRIES_OF_ALL_KINDS: Final[list[Entry]] = [
    Message("a", 3, 1, User("1", "Ann"), 2, Raw(b'{"a":1}')), Edited(4, 1, 3, "b"),
    Retracted(5, 1, (3,), "author"), Gone(6, 1),
]  # fmt: skip


@pytest.mark.parametrize("kinds", [KINDS, ENTRIES, {"message"}, {"edited", "joined"}, set()])
def test_the_short_way_has_the_same_events(kinds: Collection[str]) -> None:
    """A page without a hole has the same events by the short way as by the long one."""
    wanted = Wanted(kinds, lambda _: None)
    there, told = page(*ENTRIES_OF_ALL_KINDS, top=9), Place("ep", 2)
    steps = list(room_steps("r", there, told, (), wanted))
    found = unbroken("r", there, told, wanted)
    assert found == [step.event for step in steps if step.event is not None]
    assert steps[-1].seq == 6


def test_a_page_with_a_hole_goes_no_short_way() -> None:
    """A page with a hole, of another epoch, or with nothing on it goes no short way."""
    assert unbroken("r", page(*said(4)), Place("ep", 2), ALL) is None
    assert unbroken("r", page(*said(3, 5)), Place("ep", 2), ALL) is None
    assert unbroken("r", page(*said(3)), Place("old", 2), ALL) is None
    assert unbroken("r", page(top=3), Place("ep", 2), ALL) is None
    assert unbroken("r", page(*said(3)), Place("", 2), ALL) is not None


def stored(number: int, text: str | None = None) -> Entry:
    return Message(make_note("vacated", "r").message if text is None else text, number, 1)


def test_notes_are_read_or_passed_over() -> None:
    """Notes are read; unreadable and told ones are passed over."""
    there = page(stored(3), Gone(4, 1), stored(5, "no note"), stored(6), stored(7))
    steps, notes = notes_of(there, Place("ep", 2), {6})
    assert shown(steps) == "~n4 ~n5"
    assert [each.entry.seq for each in notes] == [3, 7]


def test_dropped_notes_are_told_as_lost() -> None:
    """Notes that were dropped are said to be lost."""
    steps, notes = notes_of(page(stored(9)), Place("ep", 2), ())
    (gap,) = (json.loads(encode_event(step.event)) for step in steps if step.event is not None)
    assert gap["lost"] == 6
    assert "room" not in gap
    assert len(notes) == 1
    steps, _ = notes_of(page(top=4), Place("old", 2), ())
    assert shown(steps) == "gap- gap-"


def test_the_cursor_of_notes_has_no_hole() -> None:
    """The cursor of notes moves over those that are done, without a hole."""
    there = page(stored(3), stored(4), stored(5), stored(6))
    assert prefix(there, {3, 4, 6}) == 4
    assert prefix(there, {4}) == 2
    assert prefix(there, {3, 4, 5, 6}) == 6
    assert prefix(page(top=9), ()) == 9
