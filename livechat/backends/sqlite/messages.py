"""
The message log of the embedded backend.

Messages are stored in *groups*.  A writer thread commits one group at a time,
durably; whatever arrives meanwhile is the next group.  When the writer is idle, a
group ends with the first turn of the reactor that brings nothing more, or soon anyway.  So a lone
message waits for one commit, a flood shares one, and nobody waits for a timer:

    publish ──> queue ──group──> writer thread ──stored──> sink, record, then the receivers

The queue is bounded in messages, characters and time (`livechat.backends.waiting`).  A message
that could not be stored is refused and forgotten, never written later.  A group that is on its
way when its time is up is `unknown` to its receivers: it is delivered if it was stored.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, TimeoutError, fail, succeed  # noqa: A004
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from livechat.backends.sqlite.database import Database
from livechat.backends.sqlite.health import Health
from livechat.backends.waiting import Act, Waitlist, late, refuse, unknown, unstorable
from livechat.errors import ChatError, Kind
from livechat.interfaces import IMessageLog, IReceiver, ISink, Record
from livechat.protocol.messages import (
    Amended,
    Amendment,
    Draft,
    Entry,
    Message,
    Newest,
    Page,
    Repeated,
    Submission,
)
from livechat.system.threads import Lane, within

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: Messages in a transaction at most, and characters of texts that end it.  A room's share of a
#: group is one write to each member, so this bounds that write too.
GROUP: Final = 1_000
GROUP_CHARACTERS: Final = 64 * 1024
#: Turns for which a group gathers at most while the writer is idle, and seconds within which the
#: last of them begins.  Messages that were sent together often arrive in two or three turns, and
#: each group is a write to every member; but turns are long under load.
TURNS: Final = 8
GATHERING: Final = 0.01
#: Seconds for which a receiver, or a reader of a history, waits.
WAIT: Final = 5.0

_Act = Act[Submission]


class SharedRead:
    """
    A page that several readers wait for.

    @ivar begun: a thread reads it, so it may lack entries of which a later reader was told.
    @ivar result: None until it has been read.
    """

    __slots__ = ("begun", "result", "waiting")

    def __init__(self) -> None:
        self.begun = False
        self.result: Page | Failure | None = None
        self.waiting: list[Deferred[Page]] = []


@implementer(IMessageLog)
class SqliteMessageLog:
    """The messages of a `Database`, and their way into it."""

    _log = Logger()

    def __init__(
        self,
        database: Database,
        clock: IReactorTime,
        health: Health,
        *,
        writer: Lane,
        readers: Lane,
        stored: Callable[[Collection[str]], None] = lambda _: None,
    ) -> None:
        """@param stored: called with the rooms of each group."""
        self._database = database
        self._stored = stored
        self._clock = clock
        self._health = health
        self._writer = writer
        self._readers = readers
        self._sink: ISink | None = None
        self._record: Record | None = None
        # The epochs of the rooms that have members here.
        self._subscribed: dict[str, str] = {}
        # Reads of pages that are under way or wait, by room, number and limit.
        self._reads: dict[tuple[str, int, int], SharedRead] = {}
        self._waitlist: Waitlist[_Act] = Waitlist(clock, WAIT, self._late)
        # Acts that wait for the writer, and the group that it is storing.
        self._queue: deque[_Act] = deque()
        self._group: Sequence[_Act] = ()
        self._gathering: IDelayedCall | None = None
        self._stopping: Deferred[None] | None = None

    def start(self, sink: ISink, record: Record | None = None) -> None:
        self._sink = sink
        self._record = record

    @property
    def quiet(self) -> bool:
        """Tell whether no message waits to be stored."""
        return not self._group and not self._queue

    def subscribe(self, room: str) -> Deferred[None]:
        if room not in self._subscribed:
            self._subscribed[room] = self._database.epoch(room)
        return succeed(None)

    def unsubscribe(self, room: str) -> None:
        self._subscribed.pop(room, None)

    def read(self, room: str, after: int, limit: int) -> Deferred[Page]:
        # Members of a room that come back together ask for the same page.
        key = room, after, limit
        shared = self._reads.get(key)
        if shared is None or shared.begun:
            shared = self._reads[key] = SharedRead()
            asked = self.reading(self._read, shared, room, after, limit)
            asked.addBoth(self._end_read, key, shared)
        page: Deferred[Page] = Deferred()
        if shared.result is None:
            shared.waiting.append(page)
        else:
            page.callback(shared.result)
        return page

    def _read(self, shared: SharedRead, room: str, after: int, limit: int) -> Page:
        """Read a page, in a thread."""
        shared.begun = True
        return self._database.read(room, after, limit)

    def _end_read(
        self, result: Page | Failure, key: tuple[str, int, int], shared: SharedRead
    ) -> None:
        shared.result = result
        if self._reads.get(key) is shared:
            del self._reads[key]
        for page in shared.waiting:
            page.callback(result)

    def newest(self, rooms: Sequence[str]) -> Deferred[Mapping[str, Newest]]:
        return self.reading(self._database.newest, rooms)

    def retain(self, of: Callable[[str], tuple[int, int]]) -> None:
        self._database.retention.retain(of)

    def reading(self, f: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        """Call *f* in a thread that reads; fails with ``unavailable`` as `read`."""
        if self._stopping is not None:
            return fail(_stopping())
        called = self._readers.call(f, *args, **kwargs)
        return within(WAIT, self._clock, called).addErrback(self._not_read)

    def _not_read(self, failure: Failure) -> Any:
        failure.trap(sqlite3.Error, TimeoutError)
        self._log.error("The history cannot be read: {reason}", reason=failure.getErrorMessage())
        raise ChatError(Kind.UNAVAILABLE, "The history cannot be read just now.")

    def publish(self, draft: Draft, receiver: IReceiver) -> None:
        self._store(draft, receiver)

    def amend(self, amendment: Amendment, receiver: IReceiver) -> None:
        self._store(amendment, receiver)

    def _store(self, submission: Submission, receiver: IReceiver) -> None:
        if self._stopping is not None:
            refuse(receiver, _stopping())
            return
        act = Act(submission, receiver)
        try:
            self._waitlist.add(act)
        except ChatError as reason:
            refuse(receiver, reason)
            return
        self._queue.append(act)
        if not self._group and self._gathering is None:
            self._gather(0, TURNS, self._clock.seconds() + GATHERING)

    def _gather(self, before: int, turns: int, until: float) -> None:
        """Go on at the end of a turn, if it brought more than was there *before*."""
        now = len(self._queue)
        if now > before and turns and self._clock.seconds() <= until:
            self._gathering = self._clock.callLater(0, self._gather, now, turns - 1, until)
        else:
            self._write_group()

    def _write_group(self) -> None:
        """Hand the gathered acts to the writer, which must be idle."""
        self._gathering = None
        group: list[_Act] = []
        characters = 0
        while self._queue and len(group) < GROUP and characters < GROUP_CHARACTERS:
            act = self._queue.popleft()
            characters += act.characters
            group.append(act)
        self._group = group
        submissions = [act.submission for act in group]
        self._writer.call(self._database.write, submissions).addCallbacks(
            self._written, self._not_written
        ).addErrback(self._broken).addBoth(self._group_done)

    def _written(self, results: Sequence[Message | Amended | Exception]) -> None:
        self._health.fine()
        by_room: dict[str, list[Entry]] = {}
        for act, result in zip(self._group, results, strict=True):
            # Most acts are plain messages, so they take the fast path.
            entry = result if type(result) is Message else _new_entry(result)
            if entry is not None:
                by_room.setdefault(act.submission.room, []).append(entry)
        assert self._sink is not None
        for room, entries in by_room.items():
            epoch = self._subscribed.get(room)
            if epoch is not None:
                self._sink.deliver(room, epoch, entries)
            if self._record is not None:
                self._record(room, entries)
        self._stored(by_room)
        for act, result in zip(self._group, results, strict=True):
            if not isinstance(result, Exception):
                act.stored(result)
            elif isinstance(result, ChatError):
                act.refused(result)
            else:
                act.refused(unstorable())

    def _not_written(self, failure: Failure) -> None:
        failure.trap(sqlite3.Error)
        self._health.failed(failure.getErrorMessage())
        for act in self._group:
            act.refused(ChatError(Kind.UNAVAILABLE, "The message could not be stored."))

    def _broken(self, failure: Failure) -> None:
        """Handle a bug: refuse all acts, so that no sender waits for ever."""
        self._log.failure("A group of messages could not be stored or delivered.", failure)
        for act in self._group:
            act.refused(unknown())

    def _group_done(self, _: object) -> None:
        self._group = ()
        self._waitlist.settle()
        if self._queue:
            self._write_group()
        elif self._stopping is not None:
            self._stopping.callback(None)
        elif self._database.log_due:
            self._writer.call(self._database.take_log).addErrback(self._log_not_taken)

    def _log_not_taken(self, failure: Failure) -> None:
        """Log a failed checkpoint; the next message finds a failing disk."""
        if not failure.check(sqlite3.Error):
            self._log.failure("The write-ahead log could not be taken.", failure)

    def _late(self, act: _Act) -> None:
        """Refuse an act whose time is over: the first of the queue, as groups are older."""
        if self._queue and self._queue[0] is act:
            self._queue.popleft()
            act.refused(late())
        else:
            act.refused(unknown())

    def stop(self) -> Deferred[None]:
        """
        Take no more messages.

        Fires when all senders were answered, in bounded time: a hung disk does not hang the daemon.
        """
        self._stopping = Deferred()
        if not self._group and self._gathering is None:
            self._stopping.callback(None)
        # The queue is refused by then.
        return self._stopping.addTimeout(WAIT + 1, self._clock).addBoth(self._stopped)

    def _stopped(self, _: object) -> None:
        for act in self._group:
            act.refused(unknown())
        for act in self._queue:
            act.refused(_stopping())
        self._queue.clear()
        self._waitlist.stop()
        if self._gathering is not None and self._gathering.active():
            self._gathering.cancel()


def _stopping() -> ChatError:
    return ChatError(Kind.UNAVAILABLE, "The server is stopping.")


def _new_entry(result: Message | Amended | Exception) -> Entry | None:
    """Return the entry to tell the room; None without one, or if the room was told before."""
    if isinstance(result, Message):
        return None if isinstance(result, Repeated) else result
    if isinstance(result, Amended) and not result.repeated:
        return result.event
    return None
