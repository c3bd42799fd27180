"""
Presence and registry of a lone process: nothing is told to anybody.

A change of a map is in force at once, and stored soon.  One that cannot be stored stays in
force until the process ends, and is stored with a later one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import EllipsisType
from typing import Final, Protocol

from twisted.internet.defer import Deferred, TimeoutError, fail, succeed  # noqa: A004
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from livechat.backends.maps import MOST_OVER, MapCopy, MapEntry
from livechat.errors import ChatError, Kind
from livechat.interfaces import IPresenceRelay, IProcessRegistry, ISharedMap
from livechat.protocol.cluster import Report, Share
from livechat.protocol.messages import User
from livechat.system.threads import within

#: Expired entries that a sweep removes from a map at most.
SWEPT: Final = 5_000
#: Seconds to wait for a change to be stored.
STORE_WITHIN: Final = 2.0


@implementer(IPresenceRelay)
class LonePresenceRelay:
    """Tells nobody of the users here."""

    def share(self, room: str, share: Share) -> None:
        """No-op: no other process is there."""

    def typing(self, room: str, user: User) -> None:
        """No-op: no other process is there."""

    def renamed(self, room: str, user: User, when: int) -> None:
        """No-op: no other process is there."""


@implementer(IProcessRegistry)
class LoneProcessRegistry:
    """The registry of a process that is alone."""

    def __init__(self, secret: Callable[[], bytes]) -> None:
        self._secret = secret
        self._census: Callable[[], Report] | None = None

    def start(self, census: Callable[[], Report]) -> None:
        self._census = census

    def reports(self) -> Deferred[Sequence[Report]]:
        assert self._census is not None
        return succeed([self._census()])

    def secret(self) -> Deferred[bytes]:
        return succeed(self._secret())


class MapStore(Protocol):
    """Keeps maps for the next process."""

    def read(self, name: str) -> Mapping[str, MapEntry]:
        """All entries of the map *name*."""

    def write(self, name: str, entries: Mapping[str, MapEntry | None]) -> Deferred[None]:
        """Store *entries* of the map *name*; None in place of those to be removed."""


class _NoStore:
    """Keeps nothing."""

    def read(self, name: str) -> Mapping[str, MapEntry]:
        return {}

    def write(self, name: str, entries: Mapping[str, MapEntry | None]) -> Deferred[None]:
        return succeed(None)


class LoneMaps:
    """The maps of one process."""

    def __init__(
        self,
        now: Callable[[], float],
        store: MapStore | None = None,
        clock: IReactorTime | None = None,
    ) -> None:
        """
        @param now: the time in seconds since 1970, UTC, as far as it is believed.
        @param store: the store of maps; None if they end with the process.
        @param clock: the clock of the store's deadline.
        """
        self._now = now
        self._store = store or _NoStore()
        self._clock = clock
        self._maps: dict[str, LoneMap] = {}

    def get(self, name: str, *, most: int, largest: int) -> LoneMap:
        """Implement `livechat.interfaces.IBackend.shared_map`."""
        if name not in self._maps:
            self._maps[name] = LoneMap(
                name, self._now, self._store, self._clock, most=most, largest=largest
            )
        return self._maps[name]

    def recovered(self) -> None:
        """Changes can be stored again."""
        for each in self._maps.values():
            each.recovered()

    def remove_over(self) -> None:
        """Remove entries whose time is over; the clock must be trusted."""
        for each in self._maps.values():
            each.remove_over(SWEPT)


@implementer(ISharedMap)
class LoneMap(MapCopy):
    """A map that one process has, and a store keeps."""

    def __init__(
        self,
        name: str,
        now: Callable[[], float],
        store: MapStore,
        clock: IReactorTime | None,
        *,
        most: int,
        largest: int,
    ) -> None:
        super().__init__(name, now, most=most, largest=largest)
        self._clock = clock
        self._store = store
        self.replace(store.read(name))
        # Keys with unstored entries, and the calls that wait for them.
        self._unstored: dict[str, None] = {}
        self._waiting: list[Deferred[None]] = []
        self._storing = False

    def put(
        self,
        key: str,
        value: bytes,
        until: int | None = None,
        *,
        expect: bytes | EllipsisType | None = ...,
    ) -> Deferred[bool]:
        self.check(key, value)
        if expect is not ... and self.get(key) != expect:
            return succeed(False)
        if self.is_full(key):
            self.remove_over()
            if self.is_full(key):
                return fail(self.full())
        self._change(key, MapEntry(value, until or 0))
        return self._stored([key]).addCallback(lambda _: True)

    def drop(self, key: str) -> Deferred[None]:
        if self.entry(key) is None:
            return succeed(None)
        self._change(key, None)
        return self._stored([key])

    def catch_up(self) -> Deferred[None]:
        return succeed(None)

    def remove_over(self, most: int = MOST_OVER) -> None:
        """Remove up to *most* entries whose time is over.  Watchers are not told."""
        for key in self.over(most):
            self._change(key, None)
        self._store_all()

    def _change(self, key: str, entry: MapEntry | None) -> None:
        self.set(key, entry)
        self._unstored[key] = None

    def _stored(self, changed: Collection[str]) -> Deferred[None]:
        """Store all changes, and tell of *changed*."""
        stored: Deferred[None] = Deferred()
        self._waiting.append(stored)
        self.tell(changed)
        self._store_all()
        if self._clock is not None:
            stored = within(STORE_WITHIN, self._clock, stored)
        return stored.addErrback(_not_stored)

    def recovered(self) -> None:
        """Changes can be stored again."""
        self._store_all()
        self.tell(())

    def _store_all(self) -> None:
        """Store all unstored changes; no-op without any, or while that is under way."""
        if self._storing or not self._unstored:
            return
        keys, self._unstored = self._unstored, {}
        waiting, self._waiting = self._waiting, []
        self._storing = True
        entries = {key: self.entry(key) for key in keys}
        self._store.write(self._name, entries).addCallbacks(
            lambda _: None, self._store_later, errbackArgs=(keys,)
        ).addBoth(self._done, waiting)

    def _store_later(self, failure: Failure, keys: dict[str, None]) -> Failure:
        self._unstored = {**keys, **self._unstored}
        return failure

    def _done(self, result: Failure | None, waiting: Sequence[Deferred[None]]) -> None:
        self._storing = False
        for each in waiting:
            each.callback(result)
        if self._waiting:
            self._store_all()


def _not_stored(failure: Failure) -> None:
    late = isinstance(failure.value, TimeoutError)
    reason = "it takes too long" if late else failure.getErrorMessage()
    raise ChatError(Kind.UNKNOWN, f"This holds until a restart; it could not be stored: {reason}.")
