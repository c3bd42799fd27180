"""
A shared map in Redis, of which every process has a copy.

One script changes a key, and tells all processes (`change.lua`).  A change that follows a copy's
version is applied.  Behind a hole it waits a moment for the ones before it; then the map is
read again.  So it is wherever copy and Redis have other versions.  They are compared after
each new connection, and with each beat, when subscriptions are known to be heard.

**Maps outlive Redis.**  A Redis that has lost changes, or all, gets them back from a copy: by
compare and set, so one of several processes does it, and nothing newer is overwritten.  A change
asks first whether Redis has all that its process knows, so no process builds on less.  One that
has just started knows nothing, and puts back nothing (`livechat.backends.redis.map_version`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from random import uniform
from types import EllipsisType
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, DeferredLock, TimeoutError, fail  # noqa: A004
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from livechat.backends.maps import MapCopy, MapEntry
from livechat.backends.redis.connection import Commands, RefusedError, UnansweredError
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.map_store import MapStore, Reading, new_tag, new_word
from livechat.backends.redis.map_version import Change, Difference, Version, compare
from livechat.errors import ChatError, Kind
from livechat.interfaces import ISharedMap
from livechat.system.wallclock import WallClock

#: Seconds to wait for a missing change, which may still come by itself.
HOLE: Final = 0.1
#: Changes that are remembered: behind a hole, while a map is read, and applied ones.
REMEMBERED: Final = 1_000
#: Seconds in which a change of this process must be in force here, once Redis has it.
IN_FORCE_WITHIN: Final = 1.5
#: Attempts at a write that another process may precede.
ATTEMPTS: Final = 5
#: Seconds over which processes spread their attempts to put back a map of several steps.
SPREAD: Final = 0.3
_CHANGED, _NOTHING, _OTHER, _FULL, _BEHIND = 1, 2, 0, -1, -2


@implementer(ISharedMap)
class RedisMap(MapCopy):
    """A map that all processes share."""

    _log = Logger()

    def __init__(
        self,
        name: str,
        connection: Commands,
        keys: Keys,
        clock: IReactorTime,
        wall: WallClock,
        *,
        writable: Callable[[], bool],
        most: int,
        largest: int,
    ) -> None:
        """
        @param wall: Redis's clock, as far as it is believed.
        @param writable: returns True if changes are taken.
        """
        super().__init__(name, wall.now, most=most, largest=largest)
        self._store = MapStore(name, connection, keys, largest)
        self._clock = clock
        self._wall = wall
        self._writable = writable
        self._version = Version()
        # The tags of the newest changes in this copy, by their numbers.
        self._tags: dict[int, bytes] = {}
        # Changes behind a hole, and all that come while the map is read.
        self._ahead: dict[int, Change] = {}
        self._heard: dict[int, Change] | None = None
        self._hole: IDelayedCall | None = None
        self._pause: Deferred[None] | None = None
        self._refreshing = DeferredLock()
        self._refresh_waits = False
        self._stopped = False
        # Calls that wait until their change is in force here, by word and number.
        self._expected: dict[tuple[bytes, int], list[Deferred[None]]] = {}

    def put(
        self,
        key: str,
        value: bytes,
        until: int | None = None,
        *,
        expect: bytes | EllipsisType | None = ...,
    ) -> Deferred[bool]:
        self.check(key, value)
        expected = b"" if expect is ... else b"-" if expect is None else b"=" + expect
        return Deferred.fromCoroutine(self._change(key, MapEntry(value, until or 0), expected))

    def drop(self, key: str) -> Deferred[None]:
        dropped = Deferred.fromCoroutine(self._change(key, None, b""))
        return dropped.addCallback(lambda _: None)

    async def _change(self, key: str, entry: MapEntry | None, expected: bytes) -> bool:
        for _ in range(ATTEMPTS):
            if not self._writable():
                raise _away("it is not usable")
            changed = self._store.change(
                self._version,
                key,
                entry,
                expected,
                most=self._most,
                now=self._wall.now(),
                over=self.over(),
            )
            verdict, news = await _in_words(changed)
            if verdict == _CHANGED:
                await self._in_force(Change.unpacked(news))
                return True
            if verdict != _NOTHING or self.entry(key) is not None:
                await self.catch_up()
            if verdict in (_OTHER, _NOTHING):
                return bool(verdict == _NOTHING)
            # Changes of one moment remove the same ended keys; later ones find more.
            if verdict == _FULL and self.is_full(key) and not self.over():
                raise self.full()
        raise self.full() if verdict == _FULL else _away("it loses what it has")

    async def _in_force(self, change: Change) -> None:
        """Wait until this copy has a change that Redis has."""
        self._hear(change)
        if not await self._comes(change.made, IN_FORCE_WITHIN):
            raise _unknown("the change is not heard of")

    async def _comes(self, version: Version, seconds: float) -> bool:
        """Tell whether this copy has the change that made *version* within so many seconds."""
        if not self._version.has(version) and not self._stopped:
            expected: Deferred[None] = Deferred()
            expected.addTimeout(seconds, self._clock)
            waiting = self._expected.setdefault(version[:2], [])
            waiting.append(expected)
            try:
                await expected
            except TimeoutError:
                waiting.remove(expected)
                if not waiting:
                    self._expected.pop(version[:2], None)
        return self._version.has(version)

    def hear(self, news: bytes) -> None:
        """
        Hear of a change on the control channel, or that there is another map.

        @raise ValueError: it is none.
        """
        if news:
            self._hear(Change.unpacked(news))
        else:
            self.refresh_soon()

    def _hear(self, change: Change) -> None:
        version, made = self._version, change.made
        if self._heard is not None and len(self._heard) < REMEMBERED:
            self._heard[made.number] = change
        if made.word != version.word:
            self.refresh_soon()
        elif made.number <= version.number:
            if self._tags.get(made.number) != made.tag:
                # Redis has lost this copy's change of that number, or it is too old to know.
                self.refresh_soon()
        else:
            if len(self._ahead) < REMEMBERED:
                self._ahead[made.number] = change
            else:
                self.refresh_soon()
            self._advance([])

    def _advance(self, changed: list[str]) -> None:
        """Apply the changes that follow; tell of them, and of those *changed* before."""
        made = []
        while (change := self._ahead.pop(self._version.number + 1, None)) is not None:
            if change.before != self._version.tag:
                self.refresh_soon()
                break
            self._apply(change)
            changed += (change.key, *change.over)
            made.append(change.made[:2])
        if changed:
            self.tell(changed)
        self._now_in_force(made)
        if self._ahead and self._hole is None and not self._stopped:
            self._hole = self._clock.callLater(HOLE, self._fill)

    def _apply(self, change: Change) -> None:
        for over in change.over:
            self.set(over, None)
        self.set(change.key, change.entry)
        _, number, tag, _ = change.made
        self._version = self._version._replace(number=number, tag=tag)
        self._tags[number] = tag
        self._tags.pop(number - REMEMBERED, None)

    def _now_in_force(self, made: Iterable[tuple[bytes, int]]) -> None:
        """Wake those who wait for these changes."""
        for each in made:
            for expected in self._expected.pop(each, ()):
                expected.callback(None)

    def _fill(self) -> None:
        self._hole = None
        if self._ahead:
            self.refresh_soon()

    def refresh_soon(self) -> None:
        """Refresh once; no-op while that is about to begin."""
        if not self._refresh_waits:
            self._refresh_waits = True
            Deferred.fromCoroutine(self.refresh()).addErrback(self._not_read)

    def _not_read(self, failure: Failure) -> None:
        # The versions are compared again when there is a connection.
        if not failure.check(UnansweredError, RefusedError):
            self._log.failure("A shared map could not be read.", failure)

    def catch_up(self) -> Deferred[None]:
        if not self._writable():
            return fail(_away("it is not usable"))
        return Deferred.fromCoroutine(_in_words(self.refresh(), changes=False))

    async def refresh(self) -> None:
        """
        Bring this copy and Redis together, if they have different versions.

        @raise UnansweredError: as `Commands.command`.
        @raise RefusedError: as `Commands.command`.
        """
        await self._refreshing.acquire()
        try:
            self._refresh_waits = False
            for attempt in range(ATTEMPTS):
                if await self._bring_together(await self._store.version(), attempt):
                    return
            raise RefusedError(f"BUSY {self._name} change too fast to be read")
        finally:
            self._refreshing.release()

    async def _bring_together(self, seen: Version, attempt: int) -> bool:
        """Resolve the difference once; return False to compare again."""
        version = self._version
        difference = compare(version, seen)
        if difference is Difference.NONE:
            return bool(seen.word) or await self._take_over()
        if difference is Difference.PUT_BACK:
            if not attempt and self._store.takes_steps(len(self.entries())):
                # All processes have noticed at once, and one write is enough.
                await self._wait(uniform(0, SPREAD))  # noqa: S311 - no secret
                return False
            self._log.warn(
                "{name}: Redis has lost changes; this process puts them back.", name=self._name
            )
            return await self._store.restore(seen, version, self.entries())
        if not attempt and seen.word == version.word and await self._comes(seen, HOLE):
            # The news of the change came meanwhile, by another connection.
            return False
        found, entries = await self._read()
        difference = compare(self._version, found)
        if difference is Difference.READ:
            self._adopt(found, entries)
            return True
        if difference is Difference.JOIN:
            self._log.warn(
                "{name}: Redis has another map of this name; both are joined.", name=self._name
            )
            joined = self._version.joined(found, new_tag())
            await self._store.restore(found, joined, {**self.entries(), **entries})
        return difference is Difference.NONE

    async def _read(self) -> tuple[Version, Mapping[str, MapEntry]]:
        """Read the whole map, as of one moment."""
        for _ in range(ATTEMPTS):
            heard: dict[int, Change] = {}
            self._heard = heard
            try:
                reading = await self._store.read()
                if not _complete(reading, heard):
                    # The last news come by another connection.
                    await self._wait(HOLE)
                if _complete(reading, heard):
                    return reading.ended, reading.entries
            finally:
                self._heard = None
        at_once = await self._store.read_at_once()
        return at_once.ended, at_once.entries

    def _adopt(self, version: Version, entries: Mapping[str, MapEntry]) -> None:
        if version.word != self._version.word:
            self._ahead.clear()
        self._version = version
        self._tags = {version.number: version.tag}
        self._ahead = {n: each for n, each in self._ahead.items() if n > version.number}
        self._advance(self.replace(entries))
        self._now_in_force([made for made in self._expected if self._version.has(Version(*made))])

    async def _wait(self, seconds: float) -> None:
        if self._stopped:
            return
        self._pause = deferLater(self._clock, seconds, lambda: None)
        # The end of the process cancels the pause.
        self._pause.addErrback(lambda failure: failure.trap(CancelledError))
        await self._pause

    async def _take_over(self) -> bool:
        """Make the map from the data of former versions, if there are any."""
        former = await self._store.former()
        if not former:
            return True
        version = Version(new_word(), 1, new_tag())
        if await self._store.restore(Version(), version, former):
            await self._store.forget_former()
        return False

    def stop(self) -> None:
        self._stopped = True
        self._now_in_force([*self._expected])
        if self._hole is not None:
            self._hole.cancel()
            self._hole = None
        if self._pause is not None:
            self._pause.cancel()


def _complete(reading: Reading, heard: Mapping[int, Change]) -> bool:
    """Apply the changes during the reading, if all are known."""
    word, number, tag, _ = reading.begun
    last = reading.ended
    changes = []
    while word == last.word and number < last.number:
        change = heard.get(number + 1)
        if change is None or change.made.word != word or change.before != tag:
            return False
        changes.append(change)
        _, number, tag, _ = change.made
    if (word, number, tag) != last[:3]:
        return False
    for change in changes:
        for key in (*change.over, change.key):
            reading.entries.pop(key, None)
        if change.entry is not None:
            reading.entries[change.key] = change.entry
    return len(reading.entries) == reading.held


async def _in_words(called: Awaitable[Any], *, changes: bool = True) -> Any:
    """
    Return the answer of *called*, or turn its failure into an error for callers.

    @param changes: true if the call may have changed something.
    """
    try:
        return await called
    except (UnansweredError, RefusedError) as reason:
        if changes and isinstance(reason, UnansweredError) and reason.sent:
            raise _unknown(str(reason)) from None
        raise _away(str(reason)) from None


def _away(reason: str) -> ChatError:
    return ChatError(Kind.UNAVAILABLE, f"Redis is away just now: {reason}.")


def _unknown(reason: str) -> ChatError:
    return ChatError(Kind.UNKNOWN, f"Redis is away just now: {reason}.")
