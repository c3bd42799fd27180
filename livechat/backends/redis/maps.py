"""
Shared maps in Redis, of which every process has a copy.

A map is a hash with a *version*, a word and a number.  One script changes a key, counts the
number up, and tells all processes (`change.lua`).  A change that follows a copy's number is
applied; behind a hole it waits a moment for the ones before it, then all is read again.  So it
is where the version that Redis has is another one: it is compared after each new
connection and with each beat, when subscriptions are known to be heard.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from types import EllipsisType
from typing import Any, Final, NamedTuple

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from livechat.backends.maps import MapCopy, MapEntry
from livechat.backends.redis.connection import (
    Connection,
    RefusedError,
    Script,
    UnansweredError,
)
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.shelf import document_entries
from livechat.errors import ChatError, Kind
from livechat.interfaces import ISharedMap
from livechat.system.wallclock import WallClock

CHANGE: Final = Script("change")
ADOPT: Final = Script("adopt")
#: Seconds in which a change that seems to be missing may still come by itself.
HOLE: Final = 0.1
#: Changes behind a hole that wait; what is beyond them is read.
MOST_AHEAD: Final = 1_000
#: Seconds in which a change of this process must be in force here, once Redis has it.
IN_FORCE_WITHIN: Final = 1.5
#: Keys that are over and that one change removes.
MOST_OVER: Final = 100
#: Seconds for which the document is kept of which a map was made.
DOCUMENT_LASTS: Final = 86_400
#: What begins the news of a change on the control channel.
_NEWS: Final = b"map"
_CHANGED: Final = 1
_FULL: Final = -1


class Version(NamedTuple):
    """
    @ivar word: tells one beginning of the map from another; empty if it has not begun.
    @ivar number: of the newest change.
    """

    word: bytes = b""
    number: int = 0


@implementer(ISharedMap)
class RedisMap(MapCopy):
    """One map."""

    _log = Logger()

    def __init__(
        self,
        name: str,
        connection: Connection,
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
        @param writable: whether changes are taken.
        """
        super().__init__(name, wall.now, most=most, largest=largest)
        self._connection = connection
        self._keys = keys
        self._key = keys.map(name)
        self._clock = clock
        self._wall = wall
        self._writable = writable
        self._version = Version()
        self._ahead: dict[int, tuple[str, MapEntry | None]] = {}
        self._hole: IDelayedCall | None = None
        # Whether the map is to be read, and is being read.
        self._stale = self._reading = False
        # Changes of this process that are to be in force here.
        self._expected: dict[Deferred[None], Version] = {}

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
        if not self._writable():
            raise _away("it is not usable")
        packed = b"" if entry is None else _packed(entry)
        args = [
            self._name.encode(),
            secrets.token_urlsafe(9).encode(),
            b"%d" % self._most,
            b"%d" % int(self._wall.now()),
            key.encode(),
            packed,
            expected,
            *(over.encode() for over in self.over()[:MOST_OVER]),
        ]
        called = self._connection.call(CHANGE, [self._key, self._keys.control], args)
        verdict, word, number = await _in_words(called)
        if verdict == _FULL:
            raise self.full()
        if verdict != _CHANGED:
            await self.catch_up()
            return False
        if number:
            await self._in_force(Version(word, number), key, entry)
        return True

    async def _in_force(self, version: Version, key: str, entry: MapEntry | None) -> None:
        """Wait until this copy has a change that Redis has."""
        self._hear(version, key, entry)
        if not self._has(version):
            expected: Deferred[None] = Deferred()
            self._expected[expected] = version
            expected.addBoth(self._not_expected, expected)
            late = _unknown("the change is not heard of")
            await expected.addTimeout(IN_FORCE_WITHIN, self._clock, lambda *_: Failure(late))

    def _not_expected(self, result: Any, expected: Deferred[None]) -> Any:
        self._expected.pop(expected, None)
        return result

    def _has(self, version: Version) -> bool:
        return self._version.word == version.word and self._version.number >= version.number

    def hear(self, news: bytes) -> None:
        """
        Hear of a change on the control channel.

        @raise ValueError: it is none.
        """
        word, number, length, change = news.split(b" ", 3)
        key, packed = change[: int(length)], change[int(length) :]
        entry = _unpacked(packed) if packed else None
        self._hear(Version(word, int(number)), key.decode(), entry)

    def _hear(self, version: Version, key: str, entry: MapEntry | None) -> None:
        if version.word != self._version.word:
            self._read_soon()
        elif version.number > self._version.number:
            if len(self._ahead) < MOST_AHEAD:
                self._ahead[version.number] = key, entry
            self._advance([])
            if self._ahead and self._hole is None:
                self._hole = self._clock.callLater(HOLE, self._fill)

    def _advance(self, changed: list[str]) -> None:
        """Apply what follows; tell of it, and of what has *changed* before."""
        word, number = self._version
        while (change := self._ahead.pop(number + 1, None)) is not None:
            number += 1
            self.set(*change)
            changed.append(change[0])
        self._version = Version(word, number)
        if changed:
            self.tell(changed)
        for expected, version in tuple(self._expected.items()):
            if self._has(version):
                expected.callback(None)

    def _fill(self) -> None:
        self._hole = None
        if self._ahead:
            self._read_soon()

    def _read_soon(self) -> None:
        self._stale = True
        if not self._reading:
            Deferred.fromCoroutine(self._read_on()).addErrback(self._not_read)

    async def _read_on(self) -> None:
        """Read the map until nothing more is heard that it lacks."""
        self._reading = True
        try:
            while self._stale:
                self._stale = False
                await self._read()
        finally:
            self._reading = False

    def _not_read(self, failure: Failure) -> None:
        # It is compared again when there is a connection.
        if not failure.check(UnansweredError, RefusedError):
            self._log.failure("A shared map could not be read.", failure)

    def catch_up(self) -> Deferred[None]:
        if not self._writable():
            return fail(_away("it is not usable"))
        return Deferred.fromCoroutine(_in_words(self.refresh()))

    def refresh_soon(self) -> None:
        Deferred.fromCoroutine(self.refresh()).addErrback(self._not_read)

    async def refresh(self) -> None:
        """
        See whether this copy has all changes, and read the map where it has not.

        @raise UnansweredError: as `Connection.command`.
        @raise RefusedError: as `Connection.command`.
        """
        (found,) = await self._connection.command(b"HMGET", self._key, b"")
        if found is None or _version(found) != self._version:
            await self._read()

    async def _read(self) -> None:
        """Read the whole map.  Fails as `refresh`."""
        while True:
            before = self._version
            flat = await self._connection.command(b"HGETALL", self._key)
            if not flat and await self._adopt_document():
                continue
            found = dict(zip(flat[::2], flat[1::2], strict=True))
            version = _version(found.pop(b"", b""))
            now = self._version
            if version.word != now.word or not before.number <= version.number < now.number:
                break
            # A change was heard of meanwhile.
        entries = {key.decode(): _unpacked(packed) for key, packed in found.items()}
        self._version = version
        self._ahead = {n: each for n, each in self._ahead.items() if n > version.number}
        self._advance(self.replace(entries))

    async def _adopt_document(self) -> bool:
        """Make the map, if the version before has left a document; tell whether there was one."""
        shelf = self._keys.shelf(self._name)
        document: bytes | None = await self._connection.command(b"GET", shelf)
        if not document:
            return False
        args = [self._name.encode(), secrets.token_urlsafe(9).encode()]
        args.append(b"%d" % (1000 * DOCUMENT_LASTS))
        for key, value in document_entries(document).items():
            args += key.encode(), _packed(MapEntry(value))
        await self._connection.call(ADOPT, [self._key, shelf, self._keys.control], args)
        return True

    def stop(self) -> None:
        if self._hole is not None:
            self._hole.cancel()
            self._hole = None


class Maps:
    """The maps of one process."""

    _log = Logger()

    def __init__(
        self,
        connection: Connection,
        keys: Keys,
        clock: IReactorTime,
        wall: WallClock,
        writable: Callable[[], bool],
    ) -> None:
        self._parts = connection, keys, clock, wall
        self._writable = writable
        self._maps: dict[bytes, RedisMap] = {}

    def get(self, name: str, *, most: int, largest: int) -> RedisMap:
        key = name.encode()
        if key not in self._maps:
            self._maps[key] = RedisMap(
                name, *self._parts, writable=self._writable, most=most, largest=largest
            )
            if self._writable():
                self._maps[key].refresh_soon()
        return self._maps[key]

    def hear(self, news: bytes) -> bool:
        """Hear news of the control channel; tells whether they are of a map."""
        what, _, change = news.partition(b" ")
        if what != _NEWS:
            return False
        name, _, change = change.partition(b" ")
        if name in self._maps:
            try:
                self._maps[name].hear(change)
            except ValueError:
                self._log.warn("What is told of a map is not understood.")
        return True

    async def refresh(self) -> None:
        """As `RedisMap.refresh`, for all."""
        for each in self._maps.values():
            await each.refresh()

    def refresh_soon(self) -> None:
        """From now on all changes are heard of: see whether some were missed."""
        for each in self._maps.values():
            each.refresh_soon()

    def recovered(self) -> None:
        """Maps can be changed again."""
        for each in self._maps.values():
            each.tell(())

    def stop(self) -> None:
        for each in self._maps.values():
            each.stop()


def _packed(entry: MapEntry) -> bytes:
    return b"%d %b" % (entry.until, entry.value)


def _unpacked(packed: bytes) -> MapEntry:
    until, _, value = packed.partition(b" ")
    return MapEntry(value, int(until))


def _version(packed: bytes) -> Version:
    word, _, number = packed.partition(b" ")
    return Version(word, int(number or 0))


async def _in_words(called: Awaitable[Any]) -> Any:
    """The answer to a script, or why somebody cannot have it."""
    try:
        return await called
    except (UnansweredError, RefusedError) as reason:
        if isinstance(reason, UnansweredError) and reason.sent:
            raise _unknown(str(reason)) from None
        raise _away(str(reason)) from None


def _away(reason: str) -> ChatError:
    return ChatError(Kind.UNAVAILABLE, f"Redis is away just now: {reason}.")


def _unknown(reason: str) -> ChatError:
    return ChatError(Kind.UNKNOWN, f"Redis is away just now: {reason}.")
