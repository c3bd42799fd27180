"""
The embedded backend: one process, one SQLite file, nothing to set up.

Messages are stored in *groups*.  A writer thread commits one group at a time,
durably; whatever arrives meanwhile is the next group.  When the writer is idle, a
group ends with the first turn of the reactor that brings nothing more, or soon anyway.  So a lone
message waits for one commit, a flood shares one, and nobody waits for a timer:

    publish ──> queue ──group──> writer thread ──stored──> sink, then the senders

The queue is bounded in messages, bytes and time.  What could not be stored is
refused and forgotten, never written later.  A group that is on its way when
its time is up is `unknown` to its senders: it is delivered if it was stored.

After a failed write every publish still tries, so that the first one that
succeeds ends the trouble; while nobody sends, a probe tries instead.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from time import monotonic, time
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, TimeoutError, fail, succeed  # noqa: A004
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from livechat.backends.retention import Retention
from livechat.backends.sqlite.database import Store
from livechat.backends.sqlite.housekeeping import Housekeeping
from livechat.errors import ChatError, Kind
from livechat.interfaces import IBackend, ICompany, ISink
from livechat.protocol.cluster import Report, Share
from livechat.protocol.messages import Draft, Message, Newest, Page, Repeated, User
from livechat.system.threads import Lane, Threads, within

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

    from livechat.config import Config

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: Most messages in one transaction, and where their characters end it.  A room's
#: share of a group is one write to each member, so this bounds that write too.
GROUP: Final = 1_000
GROUP_CHARACTERS: Final = 64 * 1024
#: Most turns for which a group gathers while the writer is idle, and in how many seconds the
#: last of them begins.  What was sent together often arrives in two or three turns, and each
#: group is a write to every member; but turns are long where much is going on.
TURNS: Final = 8
GATHERING: Final = 0.01
#: Most messages and characters that wait to be stored.
QUEUE: Final = 10_000
QUEUE_CHARACTERS: Final = 32 * 1024 * 1024
#: Seconds after which a message, or a history, is not waited for any longer.
PATIENCE: Final = 5.0
#: Seconds between two attempts to write while writing fails and nobody sends.
PROBE_EVERY: Final = 2.0
#: Threads that read histories.
READERS: Final = 2


_log = Logger(namespace="livechat")


def load(config: Config, reactor: PosixReactorBase) -> SqliteBackend:
    """
    The embedded backend in the state directory, which is this process's from now on.

    @raise livechat.errors.StartError: the directory or its file cannot be used.
    """
    retention = Retention(config.history_limit, config.history_age)
    store = Store(config.state, retention, time, monotonic)
    store.prepare()
    if store.broken is not None:
        aside, reason = store.broken
        _log.critical(
            "The database was broken ({reason}). It is {aside} now, and the rooms begin anew, "
            "without what was said. What can be had of it: sqlite3 {aside} .recover",
            reason=reason,
            aside=aside,
        )
    return SqliteBackend(
        store, reactor, Threads(reactor, 1, "writer"), Threads(reactor, READERS, "reader")
    )


class _Waiting:
    """A message that somebody waits for."""

    __slots__ = ("answer", "deadline", "draft")

    def __init__(self, draft: Draft, deadline: float) -> None:
        self.draft = draft
        self.deadline = deadline
        self.answer: Deferred[Message] | None = Deferred()

    def stored(self, message: Message) -> None:
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.callback(message)

    def refused(self, reason: BaseException) -> None:
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.errback(reason)


@implementer(IBackend)
class SqliteBackend:
    """Rooms in a `Store`."""

    _log = Logger()

    def __init__(self, store: Store, clock: IReactorTime, writer: Lane, readers: Lane) -> None:
        self._store = store
        self.description = f"SQLite in {store.directory}"
        self._clock = clock
        self._writer = writer
        self._readers = readers
        self._sink: ISink | None = None
        self._census: Callable[[], Report] | None = None
        # The epochs of the rooms that have members here.
        self._subscribed: dict[str, str] = {}
        self._queue: deque[_Waiting] = deque()
        self._queued_characters = 0
        self._group: Sequence[_Waiting] = ()
        self._gathering: IDelayedCall | None = None
        self._impatience: IDelayedCall | None = None
        self._probe: IDelayedCall | None = None
        self._housekeeping = Housekeeping(
            store,
            clock,
            writer,
            quiet=lambda: not self._group and not self._queue,
            failed=self._trouble_began,
        )
        self._trouble: str | None = None
        self._stopping: Deferred[None] | None = None

    def start(
        self, sink: ISink, census: Callable[[], Report], company: ICompany | None = None
    ) -> None:
        self._sink = sink
        self._census = census
        self._writer.start()
        self._readers.start()
        self._housekeeping.start()

    def subscribe(self, room: str) -> Deferred[None]:
        if room not in self._subscribed:
            self._subscribed[room] = self._store.epoch(room)
        return succeed(None)

    def unsubscribe(self, room: str) -> None:
        self._subscribed.pop(room, None)

    def reports(self) -> Deferred[Sequence[Report]]:
        assert self._census is not None
        return succeed([self._census()])

    def share(self, room: str, share: Share) -> None:
        """Nobody else is there."""

    def typing(self, room: str, user: User) -> None:
        """Nobody else is there."""

    def secret(self) -> Deferred[bytes]:
        return succeed(self._store.secret())

    def shelf(self, name: str) -> None:
        """None: nobody else is there."""

    def trouble(self) -> str | None:
        return self._trouble

    def read(self, room: str, after: int, limit: int) -> Deferred[Page]:
        return self._reading(self._store.read, room, after, limit)

    def newest(self, rooms: Sequence[str]) -> Deferred[Mapping[str, Newest]]:
        return self._reading(self._store.newest, rooms)

    def _reading(self, f: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        if self._stopping is not None:
            return fail(_away())
        called = self._readers.call(f, *args, **kwargs)
        return within(PATIENCE, self._clock, called).addErrback(self._not_read)

    def _not_read(self, failure: Failure) -> Any:
        failure.trap(sqlite3.Error, TimeoutError)
        self._log.error("The history cannot be read: {reason}", reason=failure.getErrorMessage())
        raise ChatError(Kind.UNAVAILABLE, "The history cannot be read just now.")

    def publish(self, draft: Draft) -> Deferred[Message]:
        if self._stopping is not None:
            return fail(_away())
        size = len(draft.message)
        if len(self._queue) >= QUEUE or self._queued_characters + size > QUEUE_CHARACTERS:
            return fail(ChatError(Kind.OVERLOADED, "Too many messages are waiting to be stored."))
        waiting = _Waiting(draft, self._clock.seconds() + PATIENCE)
        answer = waiting.answer
        assert answer is not None
        self._queue.append(waiting)
        self._queued_characters += size
        if self._impatience is None:
            self._impatience = self._clock.callLater(PATIENCE, self._lose_patience)
        if not self._group and self._gathering is None:
            self._gather(0, TURNS, self._clock.seconds() + GATHERING)
        return answer

    def _gather(self, before: int, turns: int, until: float) -> None:
        """At the end of a turn: go on if it brought more than was there *before*."""
        now = len(self._queue)
        if now > before and turns and self._clock.seconds() <= until:
            self._gathering = self._clock.callLater(0, self._gather, now, turns - 1, until)
        else:
            self._write_group()

    def _write_group(self) -> None:
        """Hand what has gathered to the writer; it has nothing to do just now."""
        self._gathering = None
        group: list[_Waiting] = []
        characters = 0
        while self._queue and len(group) < GROUP and characters < GROUP_CHARACTERS:
            waiting = self._queue.popleft()
            characters += len(waiting.draft.message)
            group.append(waiting)
        self._queued_characters -= characters
        self._group = group
        drafts = [waiting.draft for waiting in self._group]
        self._writer.call(self._store.write, drafts).addCallbacks(
            self._written, self._not_written
        ).addErrback(self._broken).addBoth(self._group_done)

    def _written(self, results: Sequence[Message | Exception]) -> None:
        self._trouble_ended()
        by_room: dict[str, list[Message]] = {}
        for waiting, result in zip(self._group, results, strict=True):
            if isinstance(result, Message) and not isinstance(result, Repeated):
                by_room.setdefault(waiting.draft.room, []).append(result)
        assert self._sink is not None
        for room, messages in by_room.items():
            epoch = self._subscribed.get(room)
            if epoch is not None:
                self._sink.deliver(room, epoch, messages)
        for waiting, result in zip(self._group, results, strict=True):
            if isinstance(result, Message):
                waiting.stored(result)
            elif isinstance(result, ChatError):
                waiting.refused(result)
            else:
                waiting.refused(ChatError(Kind.BAD_MESSAGE, "This text cannot be stored."))

    def _not_written(self, failure: Failure) -> None:
        failure.trap(sqlite3.Error)
        self._trouble_began(failure.getErrorMessage())
        for waiting in self._group:
            waiting.refused(ChatError(Kind.UNAVAILABLE, "The message could not be stored."))

    def _broken(self, failure: Failure) -> None:
        """A bug: nobody must wait for ever because of it."""
        self._log.failure("A group of messages could not be stored or delivered.", failure)
        for waiting in self._group:
            waiting.refused(ChatError(Kind.UNKNOWN, "The message may have been stored."))

    def _group_done(self, _: object) -> None:
        self._group = ()
        if self._queue:
            self._write_group()
        elif self._stopping is not None:
            self._stopping.callback(None)

    def _lose_patience(self) -> None:
        """Answer those who have waited long enough; what was not begun is forgotten."""
        self._impatience = None
        now = self._clock.seconds()
        while self._queue and self._queue[0].deadline <= now:
            waiting = self._queue.popleft()
            self._queued_characters -= len(waiting.draft.message)
            waiting.refused(ChatError(Kind.UNAVAILABLE, "The message could not be stored in time."))
        for waiting in self._group:
            if waiting.deadline <= now:
                waiting.refused(ChatError(Kind.UNKNOWN, "The message may have been stored."))
        # Who came first is out of patience first, and the group came before the queue.
        # To look through the queue instead would, on a hung disk, cost its length for
        # each message in it.
        asking = (waiting for waiting in self._group if waiting.answer is not None)
        first = next(chain(asking, self._queue), None)
        if first is not None:
            self._impatience = self._clock.callLater(first.deadline - now, self._lose_patience)

    def _trouble_began(self, reason: str) -> None:
        if self._trouble is None:
            self._log.error("Messages cannot be stored: {reason}", reason=reason)
        self._trouble = f"messages cannot be stored: {reason}"
        if self._probe is None and self._stopping is None:
            self._probe = self._clock.callLater(PROBE_EVERY, self._try_again)

    def _trouble_ended(self) -> None:
        if self._trouble is not None:
            self._log.info("Messages can be stored again.")
            self._trouble = None

    def _try_again(self) -> None:
        self._probe = None
        if self._trouble is not None:
            self._writer.call(self._store.probe).addCallbacks(
                lambda _: self._trouble_ended(),
                lambda failure: self._trouble_began(failure.getErrorMessage()),
            )

    def stop(self) -> Deferred[None]:
        if self._stopping is not None:
            return succeed(None)
        self._stopping = Deferred()
        if not self._group and self._gathering is None:
            self._stopping.callback(None)
        self._housekeeping.stop()
        # Past that time the queue is refused; a hung disk does not hang the daemon.
        written = self._stopping.addTimeout(PATIENCE + 1, self._clock)
        return written.addBoth(self._stopped)

    def _stopped(self, _: object) -> None:
        for waiting in self._group:
            waiting.refused(ChatError(Kind.UNKNOWN, "The message may have been stored."))
        for waiting in self._queue:
            waiting.refused(_away())
        self._queue.clear()
        for timer in (self._gathering, self._impatience, self._probe):
            if timer is not None and timer.active():
                timer.cancel()
        if not self._writer.busy():
            self._store.close()
        self._writer.stop()
        self._readers.stop()
        self._store.release()


def _away() -> ChatError:
    return ChatError(Kind.UNAVAILABLE, "The server is stopping.")
