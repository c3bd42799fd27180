"""
Receivers outside, and how far they have been told, in the embedded backend.

The only process leads.  Cursors are rows of the file, and written in the thread that writes
messages, not to the disk at once: a process that is killed loses none, a machine that is cut off
loses the last ones, and tells again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, ParamSpec, TypeVar

from twisted.internet.defer import (
    Deferred,
    DeferredList,
    DeferredLock,
    TimeoutError,  # noqa: A004
    fail,
    succeed,
)
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from livechat.backends import outbox
from livechat.backends.sqlite.database import Database
from livechat.errors import ChatError, Kind
from livechat.interfaces import IOutbox
from livechat.protocol.messages import Page
from livechat.system.threads import Lane, within

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: Seconds for which rooms with new entries gather.
GATHER: Final = 0.1
#: Seconds for a call, or a step of it, at most.
WAIT: Final = 5.0
#: Seconds of a lease to lead; no other process can have one.
LEAD: Final = 60.0


@implementer(IOutbox)
class SqliteOutbox:
    """The cursors of a `Database`."""

    _log = Logger()

    def __init__(
        self, database: Database, clock: IReactorTime, *, writer: Lane, readers: Lane
    ) -> None:
        self._database = database
        self._clock = clock
        self._writer = writer
        self._readers = readers
        self._changed: Callable[[Collection[str]], None] | None = None
        self._new: set[str] = set()
        self._timer: IDelayedCall | None = None
        self._keeping = DeferredLock()
        self._under_way: set[Deferred[Any]] = set()
        self._stopped = False

    def stored(self, rooms: Collection[str]) -> None:
        """New entries of *rooms* were stored; no-op while nobody waits for any."""
        if self._changed is None or not self._database.cursors.receivers:
            return
        self._new.update(filter(outbox.is_told, rooms))
        if self._timer is None and self._new:
            self._timer = self._clock.callLater(GATHER, self._tell)

    def _tell(self) -> None:
        self._timer = None
        new, self._new = self._new, set()
        assert self._changed is not None
        self._changed(new)

    def watch(self, changed: Callable[[Collection[str]], None]) -> None:
        self._changed = changed

    def lead(self) -> Deferred[float]:
        return fail(_unavailable()) if self._stopped else succeed(LEAD)

    def keep(self, receivers: Collection[str]) -> Deferred[None]:
        names = outbox.check_receivers(receivers)

        async def keep() -> None:
            while await self._write(self._database.cursors.keep, names):
                pass

        kept: Deferred[None] = self._keeping.run(lambda: Deferred.fromCoroutine(keep()))
        return kept

    def waiting(self, receiver: str, after: str = "", limit: int = 1000) -> Deferred[Any]:
        count = outbox.bounded(limit)
        # No name has a lone surrogate.
        start = after.encode("utf-8", "replace").decode()
        return self._call(self._readers, self._database.held.waiting, receiver, start, count)

    def read(self, receiver: str, room: str, limit: int) -> Deferred[Page]:
        pages = self.pages(receiver, {room: limit})
        return pages.addCallback(lambda found: found[room])

    def pages(self, receiver: str, limits: Mapping[str, int]) -> Deferred[Mapping[str, Page]]:
        try:
            for room in limits:
                outbox.check_room(room)
        except ChatError as reason:
            return fail(reason)
        asked = {room: outbox.bounded(limit) for room, limit in limits.items()}
        return self._call(self._readers, self._database.held.pages, receiver, asked)

    def advance(self, receiver: str, told: Mapping[str, tuple[str, int]]) -> Deferred[None]:
        try:
            for room in told:
                outbox.check_room(room)
        except ChatError as reason:
            return fail(reason)
        return self._write(self._database.cursors.advance, receiver, told)

    def rewind(self, receiver: str, since: int) -> Deferred[int]:
        async def rewind() -> int:
            count, at = 0, 0
            while True:
                rooms, go_on = await self._write(self._database.waiting.rewind, receiver, since, at)
                count += rooms
                if go_on is None:
                    return count
                at = go_on

        return Deferred.fromCoroutine(rewind())

    def erase(self, room: str, subject: str | None = None, since: int = 0) -> Deferred[int]:
        async def erase() -> int:
            outbox.check_room(room)
            count, at = 0, 1
            while at:
                emptied, at = await self._write(
                    self._database.waiting.erase, room, subject, since, at
                )
                count += emptied
            return count

        return Deferred.fromCoroutine(erase())

    def _write(self, f: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        return self._call(self._writer, f, *args, **kwargs)

    def _call(
        self, lane: Lane, f: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> Deferred[_T]:
        if self._stopped:
            return fail(_unavailable())
        called = within(WAIT, self._clock, lane.call(f, *args, **kwargs))
        self._under_way.add(called)
        return called.addBoth(self._done, called).addErrback(self._failed)

    def _done(self, result: Any, called: Deferred[Any]) -> Any:
        self._under_way.discard(called)
        return result

    def _failed(self, failure: Failure) -> Any:
        failure.trap(sqlite3.Error, TimeoutError)
        self._log.error(
            "Entries that wait for receivers cannot be read or written: {reason}",
            reason=str(failure.value),
        )
        raise _unavailable()

    def stop(self) -> Deferred[Any]:
        """Refuse calls from now on; fires when those before have ended."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return DeferredList([*self._under_way], consumeErrors=False)


def _unavailable() -> ChatError:
    return ChatError(
        Kind.UNAVAILABLE, "Entries that wait for receivers cannot be read or written just now."
    )
