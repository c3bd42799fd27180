"""
Events of one room in their order: its entries that wait, and the notes that are about it.

A note (`livechat.protocol.events.Note`) comes behind the entry after which it was written, if that
is known, and behind the notes of its room before it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from livechat.protocol.events import (
    ENTRIES,
    Event,
    Note,
    event_of_entry,
    event_of_note,
    note_of,
    renumbered,
    trimmed,
)
from livechat.protocol.messages import Edited, Entry, Message, Page, Place, Retracted
from livechat.protocol.moderation import Case

#: Finds the present case of an id.
CaseOf = Callable[[str], Case | None]


class Step(NamedTuple):
    """
    An event, and how far the receiver has been told with it.

    @ivar event: None where the receiver does not want it.
    @ivar seq: the number in the room that the cursor moves to; 0: the cursor stays.
    @ivar note: the number of the note in `EVENTS_ROOM`; 0: it is none.
    """

    event: Event | None
    seq: int = 0
    note: int = 0


class PendingNote(NamedTuple):
    """
    A note that the receiver has not been told of.

    @ivar entry: which has it.
    """

    note: Note
    entry: Message


class Wanted:
    """The kinds of events that a receiver wants."""

    def __init__(self, kinds: Collection[str], case_of: CaseOf) -> None:
        self._kinds = frozenset(kinds)
        self._all = self._kinds >= ENTRIES
        self._case_of = case_of

    def of_entry(self, room: str, epoch: str, entry: Entry) -> Event | None:
        """The event of *entry*; None if it is not wanted."""
        match entry:
            case Message():
                kind = "message"
            case Edited():
                kind = "edited"
            case Retracted():
                kind = "retracted"
            case _:
                # An entry that is gone counts as a message, so that numbers have no holes.
                kind = "message"
        return event_of_entry(room, epoch, entry) if kind in self._kinds else None

    def of_entries(self, room: str, epoch: str, entries: Sequence[Entry]) -> list[Event]:
        """The events of *entries*, without those that are not wanted."""
        if self._all:
            return [event_of_entry(room, epoch, entry) for entry in entries]
        found = [self.of_entry(room, epoch, entry) for entry in entries]
        return [event for event in found if event is not None]

    def of_note(self, pending: PendingNote) -> Event | None:
        """The event of a note; None if it is not wanted."""
        note = pending.note
        if note.event not in self._kinds and note.event != "gap":
            return None
        case = self._case_of(note.case) if note.case else None
        return event_of_note(note, pending.entry, case)


def room_steps(
    room: str, page: Page, told: Place, notes: Sequence[PendingNote], wanted: Wanted
) -> Iterator[Step]:
    """
    Yield what waits of a room.

    @param page: the oldest entries that wait.
    @param told: how far the receiver has been told, and of which epoch; "" if that is not known.
    @param notes: those of the room, in their order; they stay behind if what they come behind is
        not on the page.
    """
    epoch, top, at = page.position.epoch, page.position.seq, told.seq
    if told.epoch and told.epoch != epoch:
        yield Step(renumbered(room, epoch, told.epoch))
    due = _due(notes, epoch)
    held = next(due, None)
    for entry in page.entries:
        while held is not None and held[0] < entry.seq:
            yield Step(wanted.of_note(held[1]), note=held[1].entry.seq)
            held = next(due, None)
        if entry.seq > at + 1:
            yield Step(trimmed(room, epoch, at + 1, entry.seq - 1), entry.seq - 1)
        yield Step(wanted.of_entry(room, epoch, entry), entry.seq)
        at = entry.seq
    if not page.entries and at < top:
        yield Step(trimmed(room, epoch, at + 1, top), top)
        at = top
    while held is not None and (at >= top or held[0] <= at):
        yield Step(wanted.of_note(held[1]), note=held[1].entry.seq)
        held = next(due, None)


def unbroken(room: str, page: Page, told: Place, wanted: Wanted) -> list[Event] | None:
    """
    Make the events of a page that goes on where the receiver was told, which nearly all pages do:
    the same ones as `room_steps` without notes, at a third of the cost.

    @return: None of any other page.
    """
    entries, epoch = page.entries, page.position.epoch
    if not entries or told.epoch not in ("", epoch):
        return None
    whole = entries[0].seq == told.seq + 1 and entries[-1].seq == told.seq + len(entries)
    return wanted.of_entries(room, epoch, entries) if whole else None


def _due(notes: Sequence[PendingNote], epoch: str) -> Iterator[tuple[int, PendingNote]]:
    """Pair each note with the number behind which it comes."""
    behind = 0
    for each in notes:
        if each.note.epoch == epoch:
            behind = max(behind, each.note.after)
        yield behind, each


def notes_of(
    page: Page, told: Place, known: Collection[int]
) -> tuple[list[Step], list[PendingNote]]:
    """
    Read what waits in `EVENTS_ROOM`: steps that say what is lost or is no note, and the notes.

    @param known: the numbers that the receiver has been told of before.
    """
    epoch, top, at = page.position.epoch, page.position.seq, told.seq
    steps: list[Step] = []
    notes: list[PendingNote] = []
    if told.epoch and told.epoch != epoch:
        steps.append(Step(renumbered(None, epoch, told.epoch)))
    first = page.entries[0].seq if page.entries else top + 1
    if first > at + 1:
        steps.append(Step(trimmed(None, epoch, at + 1, first - 1)))
    for entry in page.entries:
        if entry.seq in known:
            continue
        note = note_of(entry)
        if note is None or not isinstance(entry, Message):
            steps.append(Step(None, note=entry.seq))
        else:
            notes.append(PendingNote(note, entry))
    return steps, notes


def by_room(notes: Iterable[PendingNote]) -> dict[str, list[PendingNote]]:
    """Sort *notes* by the rooms that they are about."""
    found: dict[str, list[PendingNote]] = {}
    for each in notes:
        found.setdefault(each.note.room, []).append(each)
    return found


def prefix(page: Page, done: Collection[int]) -> int:
    """Return how far the cursor of `EVENTS_ROOM` moves: all before it is *done*; 0: it stays."""
    moved = page.position.seq if not page.entries else 0
    for entry in page.entries:
        if entry.seq not in done:
            # Without a done note the cursor moves over lost notes only.
            return moved or entry.seq - 1
        moved = entry.seq
    return moved
