"""
Sweeps: retract messages of a room in steps, those of a person or all.

A sweep goes from the newest number down, since most people see the newest messages.  Each step
retracts some messages, records their texts if a moderator removes them, and *keeps* its progress,
so that another process can go on if this one is killed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from twisted.internet.task import deferLater

from livechat.errors import ChatError, Kind
from livechat.interfaces import IBackend, IMessageLog, IOutbox, ISharedMap
from livechat.protocol.audit import Author
from livechat.protocol.messages import MOST_REFS, Amended, Entry, Message, Retraction
from livechat.rooms.answers import answer_of
from livechat.rooms.audit import Audit
from livechat.system.time import Time

#: The most jobs of all processes, and the most bytes of one.
MOST_JOBS: Final = 1_000
_LARGEST: Final = 4_096
#: Entries that are read at a time.
PAGE: Final = 200
#: The most entries that one step reads: stores rewrite the surroundings of a retracted message, and
#: do nothing else meanwhile.
SPAN: Final = 1_000
#: Seconds between two steps, left to those that chat.
PAUSE: Final = 0.01


class Job(Struct, frozen=True, omit_defaults=True):
    """
    Messages to be retracted, and the progress.

    @ivar author: the actor that ordered it.
    @ivar moderates: messages of others may be among them.
    @ivar subject: whose messages (`livechat.protocol.messages.User.subject`); "": everybody's.
    @ivar since: only messages sent since, in milliseconds since 1970, UTC.
    @ivar until: only messages sent until then; 0: without such a bound.
    @ivar then: the lowest number of a second sweep, which begins after *until*; 0: there is none.
    @ivar first: the lowest number that is read.
    @ivar below: numbers from here on are done; 0: none yet, of those that exist at the beginning.
    @ivar count: messages that were retracted.
    @ivar seq: the number of the last event; 0: there is none.
    @ivar time: when the event was stored, in milliseconds since 1970, UTC.
    @ivar lease: the second since 1970 until which a process works at it.
    @ivar ends: the second since 1970 when the job is given up.
    """

    room: str
    author: Author
    moderates: bool = False
    subject: str = ""
    since: int = 0
    until: int = 0
    then: int = 0
    first: int = 1
    below: int = 0
    count: int = 0
    seq: int = 0
    time: int = 0
    lease: float = 0.0
    ends: int = 0

    @property
    def own(self) -> str | None:
        """The subject of its author; None if that has no user."""
        return None if self.author.user is None else self.author.user.subject

    def means(self, entry: Entry) -> bool:
        """Tell whether *entry* is one of the messages."""
        if not isinstance(entry, Message) or entry.time < self.since:
            return False
        if 0 < self.until < entry.time:
            return False
        return not self.subject or (entry.user is not None and entry.user.subject == self.subject)


_decoder: Final = msgspec.json.Decoder(Job)


def jobs_map(backend: IBackend) -> ISharedMap:
    """The map of jobs."""
    return backend.shared_map("removals", most=MOST_JOBS, largest=_LARGEST)


def job_of(value: bytes) -> Job | None:
    """Read a job of the map; None if another version wrote it in a form unknown here."""
    try:
        return _decoder.decode(value)
    except msgspec.DecodeError:
        return None


class Sweeper:
    """Retracts messages."""

    def __init__(
        self,
        log: IMessageLog,
        audit: Audit,
        time: Time,
        amended: Callable[[Amended, str], Awaitable[object]],
        outbox: IOutbox | None = None,
    ) -> None:
        """
        @param amended: told of each event, and its room; the sweep waits for it.
        @param outbox: holds messages that no history shows.
        """
        self._outbox = outbox
        self._log = log
        self._audit = audit
        self._time = time
        self._amended = amended

    async def top(self, room: str) -> int:
        """
        The number of the newest entry of *room*; 0 if there never was one.

        @raise ChatError: that cannot be read now.
        """
        return (await self._log.read(room, 0, 0)).position.seq

    async def sweep(self, job: Job, keep: Callable[[Job], Awaitable[None]]) -> Job:
        """
        Do the rest of *job*; return it in its final state.

        @param keep: called after each step.  An exception from it ends the sweep.
        @raise ChatError: the messages, or records of them, cannot be stored now.
        """
        if not job.below:
            job = replace(job, below=await self.top(job.room) + 1)
        while job.below > job.first:
            refs, below = await self._find(job)
            for some in _groups(refs):
                job = await self._retract(job, some)
            job = replace(job, below=below)
            await keep(job)
            await deferLater(self._time, PAUSE)
        if self._outbox is not None:
            await self._outbox.erase(job.room, job.subject or None, job.since)
        return job

    async def _find(self, job: Job) -> tuple[list[int], int]:
        """
        Find the messages of the next step, and the number from which all is done after it.
        """
        refs: list[int] = []
        below, floor = job.below, max(job.first, job.below - SPAN)
        while below > floor and len(refs) < MOST_REFS:
            start = max(floor, below - PAGE)
            found, oldest = await self._look(job, start, below - 1)
            refs = found + refs
            below = start
            if oldest > start:
                # All earlier entries are older than `since`, or kept no more.
                return refs, job.first
        return refs, below

    async def _look(self, job: Job, first: int, last: int) -> tuple[list[int], int]:
        """
        Read the entries from *first* to *last*.

        @return: the numbers of the job's messages, and the first number that may be one.
        """
        refs: list[int] = []
        oldest, after = first, first - 1
        while after < last:
            page = await self._log.read(job.room, after, last - after)
            oldest = max(oldest, page.position.oldest)
            for entry in page.entries:
                if entry.time < job.since:
                    oldest = entry.seq + 1
                elif entry.seq <= last and job.means(entry):
                    refs.append(entry.seq)
            if not page.entries:
                break
            after = page.entries[-1].seq
        return refs, oldest

    async def _retract(self, job: Job, refs: Sequence[int]) -> Job:
        recorded = job.moderates and bool(job.subject)
        if recorded:
            self._audit.check()
        try:
            retraction = Retraction(job.room, tuple(refs), job.own, job.moderates)
            amended = await answer_of(self._log.amend, retraction)
        except ChatError as reason:
            if reason.kind is Kind.NOT_FOUND:
                # The messages have expired, or another sweep was faster.
                return job
            raise
        await self._amended(amended, job.room)
        if recorded:
            await self._audit.removed_by(job.author, amended, job.room)
        event = amended.event
        count = job.count + len(amended.before)
        return replace(job, count=count, seq=event.seq, time=event.time)


def _groups(refs: Sequence[int]) -> Iterator[Sequence[int]]:
    """The numbers for one retraction each, the newest first."""
    for end in range(len(refs), 0, -MOST_REFS):
        yield refs[max(0, end - MOST_REFS) : end]
