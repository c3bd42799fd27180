"""
The browsers that are signed in to the admin page.

A browser that gave the right password gets a random token.  The hash of that, and the addresses
from which the right password came, are in a map that all processes share:

    sessions:HASH     when it ends, in seconds since 1970
    addresses:IP      when the right password came from there last
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from types import EllipsisType
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.logger import Logger

from livechat.errors import ChatError
from livechat.interfaces import IBackend, ISharedMap
from livechat.system.time import Time

_log = Logger()

#: Browsers that are signed in at most; one more signs out the one that came first.
MOST_SESSIONS: Final = 100
#: Addresses that are remembered to have given the right password.
MOST_ADDRESSES: Final = 100
#: Keys of the map: several processes may add some at the same time.
MOST_KEYS: Final = 2 * (MOST_SESSIONS + MOST_ADDRESSES)
#: Bytes of a value: a time.
LARGEST_VALUE: Final = 32
#: What a token looks like: 32 bytes in base64.
TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)

#: What keys of the map begin with.
_SESSION: Final = "sessions:"
_ADDRESS: Final = "addresses:"


def operators_map(backend: IBackend) -> ISharedMap:
    """The map of sessions and addresses."""
    return backend.shared_map("operators", most=MOST_KEYS, largest=LARGEST_VALUE)


class Sessions:
    """
    Sessions, and what goes on for them.

    @ivar lasts: seconds after which a browser has to sign in again.
    """

    def __init__(self, shared: ISharedMap, time: Time, lasts: int) -> None:
        self.lasts = lasts
        self._map = shared
        self._map.watch(self._changed)
        self._time = time
        # What waits until the map can be changed.  While all are to end, no session counts.
        self._ends_all = False
        self._former: Mapping[str, int] = {}
        self._taken_over: Deferred[None] | None = None
        self._settling = False
        # What goes on for a session, by its key: how to end it.
        self._open: dict[str, set[Callable[[], None]]] = {}

    def count(self) -> int:
        """How many there are."""
        return len(self._of(_SESSION))

    def _of(self, kind: str) -> dict[str, int]:
        """The times of all keys of a kind."""
        items = self._map.items()
        return {key: _time(value) for key, value in items if key.startswith(kind)}

    def knows(self, address: str) -> bool:
        """Tell whether the right password came from *address*."""
        return self._map.get(_ADDRESS + address) is not None

    def take_over(self, sessions: Mapping[str, int], addresses: Sequence[str]) -> Deferred[None]:
        """
        Take over those of a version before.  Fires when that is done.

        @param sessions: when each ends, by the hash of its token.
        @param addresses: the last one last.
        """
        former = {_SESSION + key: end for key, end in sessions.items() if end > self._time.wall()}
        former |= {_ADDRESS + each: place for place, each in enumerate(addresses)}
        self._former, self._taken_over = former, Deferred()
        taken_over = self._taken_over
        self.settle_soon()
        return taken_over

    async def end_all(self) -> None:
        """
        End all sessions, here at once, and forget all addresses.

        @raise ChatError: other processes cannot be told.  They are when they can.
        """
        self.end_all_soon()
        await self._end_all()

    def end_all_soon(self) -> None:
        """Let no session count any more, and end all when the map can be changed."""
        self._ends_all = True

    async def _end_all(self) -> None:
        # Before it is done, or a session that begins meanwhile would end with the next try.
        self._ends_all = False
        try:
            await self._map.catch_up()
            await _all(self._drop(key) for key, _ in self._map.items())
        except BaseException:
            self._ends_all = True
            raise

    def settle_soon(self) -> None:
        """Do what waits until the map can be changed, if it can."""
        Deferred.fromCoroutine(self._settle()).addErrback(
            lambda failure: _log.failure("The operators' sessions could not be changed.", failure)
        )

    async def _settle(self) -> None:
        if self._settling:
            return
        self._settling = True
        try:
            if self._ends_all:
                await self._end_all()
            if self._taken_over is not None:
                await _all(self._put_former(key, at) for key, at in self._former.items())
                taken_over, self._taken_over = self._taken_over, None
                self._former = {}
                taken_over.callback(None)
        except ChatError:
            pass  # the map is watched
        finally:
            self._settling = False

    async def begin(self, token: str, address: str) -> None:
        """
        Begin a session; those that are over, and one too many, end.

        @raise ChatError: other processes cannot be told; nothing has begun.
        """
        if self._ends_all:
            await self._end_all()
        now = int(self._time.wall())
        await self._make_room(_SESSION, MOST_SESSIONS, over=now)
        await self._put(_key(token), now + self.lasts, until=now + self.lasts)
        await self._make_room(_ADDRESS, MOST_ADDRESSES)
        await self._put(_ADDRESS + address, now)

    async def _make_room(self, kind: str, most: int, *, over: int = -1) -> None:
        """
        Drop the oldest keys of a kind, so that there are fewer than *most*.

        @param over: those of until then are dropped in any case.
        """
        times = self._of(kind)
        kept = sorted((key for key in times if times[key] > over), key=times.__getitem__)
        keeps = frozenset(kept[max(0, len(kept) - most + 1) :])
        await _all(self._drop(key) for key in times if key not in keeps)

    async def _put_former(self, key: str, time: int) -> None:
        await self._put(key, time, until=time if key.startswith(_SESSION) else None, expect=None)

    async def _put(
        self,
        key: str,
        time: int,
        *,
        until: int | None = None,
        expect: EllipsisType | None = ...,
    ) -> None:
        value = msgspec.json.encode(time)
        try:
            await self._map.put(key, value, until, expect=expect)
        except ChatError as reason:
            _bear(reason, holds=self._map.get(key) == value)

    async def _drop(self, key: str) -> None:
        try:
            await self._map.drop(key)
        except ChatError as reason:
            _bear(reason, holds=self._map.get(key) is None)

    def _changed(self, _: Collection[str]) -> None:
        """Sessions have changed, or can be changed again."""
        for key in tuple(self._open):
            if self._map.get(key) is None:
                self._end(key)
        self.settle_soon()

    async def look_up(self, token: str) -> bool:
        """
        Whether *token* is that of a session; of one that began in another process just now too.
        """
        if not self.lasting(token) and TOKEN.fullmatch(token):
            with suppress(ChatError):
                await self._map.catch_up()
        return self.lasting(token) > 0

    def lasting(self, token: str) -> float:
        """Seconds for which *token*'s session goes on; 0 if it is none, or over."""
        value = None if self._ends_all else self._map.get(_key(token))
        return 0.0 if value is None else max(0.0, _time(value) - self._time.wall())

    async def end(self, token: str) -> None:
        """End *token*'s session, and what goes on for it."""
        key = _key(token)
        if self._map.get(key) is not None:
            await self._drop(key)

    @contextmanager
    def during(self, token: str, end: Callable[[], None]) -> Iterator[None]:
        """Something goes on for *token*'s session: *end* is called when the session ends first."""
        key = _key(token)
        ends = self._open.setdefault(key, set())
        ends.add(end)
        try:
            yield
        finally:
            ends.discard(end)
            if not ends and self._open.get(key) is ends:
                del self._open[key]

    def _end(self, key: str) -> None:
        for end in tuple(self._open.pop(key, ())):
            end()


def _bear(reason: ChatError, *, holds: bool) -> None:
    """Operators are needed most when a disk is full: it is enough that a change *holds* here."""
    if not holds:
        raise reason
    _log.error("Operators' sessions cannot be written: {reason}", reason=reason.detail)


async def _all(changes: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Make changes at the same time; raises what the first raises that fails."""
    made = gatherResults([Deferred.fromCoroutine(each) for each in changes], consumeErrors=True)
    try:
        await made
    except FirstError as failed:
        failed.subFailure.raiseException()


def _time(value: bytes) -> int:
    """The time that a value is; 0 if it is none."""
    try:
        return msgspec.json.decode(value, type=int)
    except msgspec.MsgspecError:
        return 0


def session_key(token: str) -> str:
    """The hash by which the session of *token* is known."""
    return blake2b(token.encode(), person=b"livechat session", digest_size=24).hexdigest()


def _key(token: str) -> str:
    return _SESSION + session_key(token)
