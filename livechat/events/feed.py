"""
The feed of one receiver: what waits for it, in batches.

    the rooms' logs, a cursor for each ──> batch ──> the receiver ──> told: cursors move

A batch is read anew each time it is asked for, until `Feed.told` says that the receiver has it: so
what is retracted while a receiver is away never reaches it.  Rooms of which little waits, no more
than an equal part of a batch, come into each one; the others take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from time import process_time
from typing import Final, TypeVar

from msgspec import Struct
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from livechat.errors import ChatError
from livechat.events.batches import GATHER, Batch, Draft, pause_after
from livechat.events.merging import (
    CaseOf,
    PendingNote,
    Step,
    Wanted,
    by_room,
    notes_of,
    prefix,
    room_steps,
    unbroken,
)
from livechat.interfaces import IOutbox, Waiting
from livechat.limits.rates import LogLimit, Rate
from livechat.protocol.events import ENTRIES, KINDS, NOTES
from livechat.protocol.messages import Page, Place
from livechat.protocol.names import EVENTS_ROOM, LONGEST_ROOM_NAME, is_internal, is_room_name
from livechat.system.process import Usage

#: Seconds after which a feed looks without a notice; and between two attempts while the store is
#: away.
LOOK_EVERY: Final = 5.0
RETRY_EVERY: Final = 1.0
#: Rooms that one look finds, and rooms that are read with one call.
ROOMS_PER_LOOK: Final = 1_000
READ_AT_ONCE: Final = 64
#: Entries at a time of a room of which much waits: to read a room costs as much as some entries.
TURN: Final = 50
#: Notes that a feed looks at; notes about rooms with a long backlog wait among them.
MOST_NOTES: Final = 1_000
#: Rooms whose numbering a feed remembers.
MOST_EPOCHS: Final = 10_000
#: Looks of one `Feed.lag`, and rooms that it reads to find the oldest entry.
MOST_LOOKS: Final = 20
ROOMS_READ: Final = 20

#: The last character that a room's name may have.
LAST: Final = "~"

_T = TypeVar("_T")
_log = Logger()


class Lag(Struct, frozen=True):
    """
    The events that wait for a receiver.

    @ivar events: how many entries, those among them that the receiver does not want.
    @ivar since: when the oldest was stored, in milliseconds since 1970; None if nothing waits.
    @ivar at_least: there are more rooms than were examined.
    """

    events: int
    since: int | None
    at_least: bool = False


class Feed:
    """The events that wait for one receiver, for one caller at a time, where the process leads."""

    def __init__(
        self,
        outbox: IOutbox,
        receiver: str,
        kinds: Collection[str],
        clock: IReactorTime,
        case_of: CaseOf = lambda _: None,
        *,
        cpu: Callable[[], float] = process_time,
    ) -> None:
        """
        @param kinds: some of `livechat.protocol.events.KINDS`.
        @param case_of: finds cases, whose texts are in no log.
        @param cpu: returns the seconds that the process has computed.
        """
        self.receiver = receiver
        self.kinds = frozenset(kinds) & KINDS
        self._outbox = outbox
        self._clock = clock
        self._wanted = Wanted(self.kinds, case_of)
        self._usage = Usage(clock, cpu)
        self._failures = LogLimit(Rate(1 / 60, 1))
        self._wake: Deferred[None] | None = None
        # True if events may wait that no look has found.
        self._news = True
        # The earliest time of the next batch.
        self._next = float("-inf")
        self._forget()

    def _forget(self) -> None:
        # Rooms with waiting events, in the order of their turns.
        self._rooms: dict[str, Waiting] = {}
        # The name behind which the next look begins.
        self._behind = ""
        # Numbers of notes that the receiver has been told of, above the cursor of `EVENTS_ROOM`.
        self._notes: frozenset[int] = frozenset()
        self._epochs: dict[str, str] = {}

    def begin(self) -> None:
        """Know nothing of cursors: another process may have led."""
        self._forget()
        self.wake()

    def wake(self) -> None:
        """Look soon: new entries were stored."""
        self._news = True
        if self._wake is not None:
            waiting, self._wake = self._wake, None
            waiting.callback(None)

    async def batch(self) -> Batch:
        """
        Wait until something waits, and return the oldest of it: at most
        `livechat.events.batches.MOST_EVENTS`, or what came in `GATHER` seconds; in
        `GATHER_MANY` while there are `MANY`.

        Asked again without `told`, it returns the same events, as they are then.
        """
        while True:
            left = self._next - self._clock.seconds()
            if left > 0:
                await deferLater(self._clock, left, lambda: None)
            self._news = False
            try:
                found = await self._gather()
            except ChatError as reason:
                await self._failed(reason)
                continue
            backlog = sum(each.top - each.told for each in self._rooms.values())
            pause = pause_after(found, backlog, self._usage.since_last())
            self._next = self._clock.seconds() + pause
            if found.events:
                return found
            if found.told or found.notes - self._notes:
                await self.told(found)
            elif not self._news:
                await self._until_news()

    async def _failed(self, reason: ChatError) -> None:
        more = self._failures.due(self._clock.seconds())
        if more is not None:
            _log.warn(
                "The receiver {name} cannot be told for now: {reason}{more}",
                name=self.receiver,
                reason=reason.detail,
                more=more,
            )
        await deferLater(self._clock, RETRY_EVERY, lambda: None)

    async def _until_news(self) -> None:
        waiting: Deferred[None] = Deferred()
        self._wake = waiting
        late = self._clock.callLater(LOOK_EVERY, self.wake)
        try:
            await waiting
        finally:
            self._wake = None
            if late.active():
                late.cancel()
        # Events of the same moment go into the same batch.
        await deferLater(self._clock, GATHER, lambda: None)

    async def told(self, batch: Batch) -> None:
        """
        The receiver has been told of *batch*.  Returns once the cursors have moved, which is tried
        again while the store is away.
        """
        while batch.told:
            try:
                await self._outbox.advance(self.receiver, batch.told)
                break
            except ChatError as reason:
                await self._failed(reason)
        self._notes = batch.notes
        for room, (epoch, seq) in batch.told.items():
            self._epochs.pop(room, None)
            self._epochs[room] = epoch
            was = self._rooms.pop(room, None)
            # If rooms are more than one look finds, a later look finds this one again, after all
            # others have had their turns.
            if room in batch.more and was is not None and not self._behind:
                self._rooms[room] = Waiting(room, epoch, seq, was.top)
        while len(self._epochs) > MOST_EPOCHS:
            del self._epochs[next(iter(self._epochs))]

    async def _gather(self) -> Batch:
        draft = Draft()
        notes, page = await self._read_notes(draft, await self._look())
        if self.kinds & ENTRIES:
            about = by_room(notes)
            await self._find([each for each in about if each not in self._rooms])
            for room in [each for each in about if each not in self._rooms]:
                # No entry of the room waits that would come before its notes.
                draft.take(self._note_steps(about.pop(room)))
            await self._read_rooms(draft, about)
        else:
            draft.take(self._note_steps(notes))
            for each in self._rooms.values():
                draft.told[each.room] = (each.epoch, each.top)
        return self._finish(draft, page)

    def _note_steps(self, notes: Iterable[PendingNote]) -> Iterable[Step]:
        return (Step(self._wanted.of_note(each), note=each.entry.seq) for each in notes)

    def _finish(self, draft: Draft, page: Page | None) -> Batch:
        if page is None:
            return draft.batch(self._notes)
        done = self._notes | draft.notes
        reached = prefix(page, done)
        if reached:
            draft.told[EVENTS_ROOM] = (page.position.epoch, reached)
        waits = len(page.entries) == MOST_NOTES and len(draft.notes) > MOST_NOTES // 2
        if waits:
            draft.more.add(EVENTS_ROOM)
        return draft.batch(frozenset(each for each in done if each > reached))

    async def _read_notes(
        self, draft: Draft, waits: Waiting | None
    ) -> tuple[list[PendingNote], Page | None]:
        """
        Read the notes that wait in `EVENTS_ROOM`; None if none do.

        @param waits: the room's cursor and newest number.
        """
        if waits is None:
            return [], None
        if not self.kinds & NOTES:
            draft.told[EVENTS_ROOM] = (waits.epoch, waits.top)
            return [], None
        page = await self._outbox.read(self.receiver, EVENTS_ROOM, MOST_NOTES)
        before = waits.before or self._epochs.get(EVENTS_ROOM, "")
        if before not in ("", page.position.epoch):
            self._notes = frozenset()
        steps, notes = notes_of(page, Place(before, waits.told), self._notes)
        draft.take(steps)
        return notes, page

    async def _waiting_of(self, room: str) -> Waiting | None:
        """Find a room's cursor and newest number; None if no entry waits."""
        found = await self._outbox.waiting(self.receiver, _just_before(room), 1)
        waits = next(iter(found), None)
        return None if waits is None or waits.room != room or waits.top <= waits.told else waits

    async def _look(self) -> Waiting | None:
        """
        Find more rooms with waiting entries, behind the last one found.

        @return: the state of `EVENTS_ROOM`, as of `_waiting_of`.
        """
        if len(self._rooms) >= ROOMS_PER_LOOK:
            return await self._waiting_of(EVENTS_ROOM)
        behind = self._behind
        found = await self._outbox.waiting(self.receiver, behind, ROOMS_PER_LOOK)
        if behind and not found:
            behind = ""
            found = await self._outbox.waiting(self.receiver, behind, ROOMS_PER_LOOK)
        self._behind = found[-1].room if len(found) >= ROOMS_PER_LOOK else ""
        notes: Waiting | None = None
        for each in found:
            if each.top > each.told:
                if not is_internal(each.room):
                    self._rooms[each.room] = each
                elif each.room == EVENTS_ROOM:
                    notes = each
        return await self._waiting_of(EVENTS_ROOM) if behind else notes

    async def _find(self, rooms: Collection[str]) -> None:
        """Find those of *rooms* that have waiting entries."""
        names = [each for each in rooms if is_room_name(each)]
        for start in range(0, len(names), READ_AT_ONCE):
            some = names[start : start + READ_AT_ONCE]
            for each in await _all(map(self._found, some)):
                if each is not None:
                    self._rooms[each.room] = each

    def _found(self, room: str) -> Deferred[Waiting | None]:
        return Deferred.fromCoroutine(self._waiting_of(room))

    async def _read_rooms(self, draft: Draft, notes: Mapping[str, Sequence[PendingNote]]) -> None:
        """Take rooms of which little waits, all of it; then the others, by turns."""
        part = max(1, draft.left // max(1, len(self._rooms)))
        little = dict.fromkeys(
            (room for room, each in self._rooms.items() if each.top - each.told <= part), part
        )
        much = [room for room in self._rooms if room not in little]
        await self._read(draft, little, notes)
        turn = max(TURN, draft.left // max(1, len(much)))
        turns: dict[str, int] = {}
        left = draft.left
        for room in much:
            if left > 0:
                turns[room] = min(turn, left)
                # A room may have less than its turn; others fill the batch then.
                left -= min(turn, self._rooms[room].top - self._rooms[room].told)
        await self._read(draft, turns, notes)
        draft.full = draft.full or len(turns) < len(much)

    async def _read(
        self, draft: Draft, limits: Mapping[str, int], notes: Mapping[str, Sequence[PendingNote]]
    ) -> None:
        """
        Take rooms, as far as there is room for them.

        @param limits: entries of each.
        """
        rooms = [*limits]
        for start in range(0, len(rooms), READ_AT_ONCE):
            if draft.full or not draft.left:
                draft.full = True
                return
            some = {room: limits[room] for room in rooms[start : start + READ_AT_ONCE]}
            pages = await self._outbox.pages(self.receiver, some)
            for room in some:
                self._take(draft, pages[room], room, notes.get(room, ()))
                if draft.full:
                    return

    def _take(self, draft: Draft, page: Page, room: str, notes: Sequence[PendingNote]) -> None:
        """Take the entries on *page*, and the notes among them."""
        waits, epoch = self._rooms[room], page.position.epoch
        told = Place(waits.before or self._epochs.get(room, ""), waits.told)
        if not page.entries and waits.told >= page.position.seq:
            del self._rooms[room]
        run = None if notes else unbroken(room, page, told, self._wanted)
        if run is not None and draft.take_all(run, room, Place(epoch, page.entries[-1].seq)):
            reached = page.entries[-1].seq
        else:
            steps = room_steps(room, page, told, notes, self._wanted)
            reached = draft.take(steps, room, epoch) or told.seq
        if reached < page.position.seq:
            draft.more.add(room)

    async def lag(self) -> Lag:
        """
        Count what waits.

        @raise ChatError: the store is away.
        """
        found: list[Waiting] = []
        behind, all_of_them = "", False
        for _ in range(MOST_LOOKS):
            some = await self._outbox.waiting(self.receiver, behind, ROOMS_PER_LOOK)
            found += (each for each in some if each.top > each.told)
            all_of_them = len(some) < ROOMS_PER_LOOK
            if all_of_them:
                break
            behind = some[-1].room
        known = [each.since for each in found if each.since is not None]
        unknown = [each for each in found if each.since is None]
        unknown.sort(key=lambda each: each.told - each.top)
        for read in await _all(
            self._outbox.read(self.receiver, each.room, 1) for each in unknown[:ROOMS_READ]
        ):
            known += (each.time for each in read.entries)
        return Lag(
            sum(each.top - each.told for each in found),
            min(known, default=None),
            not all_of_them,
        )


async def _all(asked: Iterable[Deferred[_T]]) -> list[_T]:
    """
    Await all of *asked*.

    @raise ChatError: the first failure among them.
    """
    try:
        return await gatherResults(asked, consumeErrors=True)
    except FirstError as first:
        first.subFailure.raiseException()


def _just_before(room: str) -> str:
    """Make the text just before *room* in the order of bytes: no room's name is between them."""
    return room[:-1] + chr(ord(room[-1]) - 1) + LAST * LONGEST_ROOM_NAME
