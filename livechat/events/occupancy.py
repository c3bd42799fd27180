"""
Seeing which rooms are occupied, in the process that leads.

Receivers are told that a room is ``occupied`` when somebody is in it at any process, and
``vacated`` when nobody has been for `GRACE` seconds, so that no reload of a page is an event.  The
rooms of which they were told stand in a shared map: whoever leads next compares it with those that
have members, after kill -9 too.

The map has the rooms in `BUCKETS` lists, each under a number: a hundred thousand rooms are a
thousand keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final
from zlib import crc32

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from livechat.errors import ChatError
from livechat.events.announcing import Announcer
from livechat.interfaces import IBackend, ISharedMap
from livechat.limits.rates import LogLimit, Rate
from livechat.protocol.cluster import Report
from livechat.protocol.names import is_internal

#: Seconds for which a room is empty before it counts as vacated.
GRACE: Final = 10.0
#: Seconds between two looks, and the share of its time that a process spends on them at most.
LOOK_EVERY: Final = 2.0
MOST_OF_THE_TIME: Final = 0.02
#: Occupied rooms at most; further ones are not told of.
MOST_ROOMS: Final = 100_000
BUCKETS: Final = 1_024
#: Bytes of a list at most: a hundred names of 128 characters on average, with room for chance.
_LARGEST: Final = 65_536

_decoder: Final = msgspec.json.Decoder(list[str])
_log = Logger()


class Occupancy:
    """Compares the rooms that have members with those of which receivers were told."""

    def __init__(
        self,
        reports: Callable[[], Deferred[Sequence[Report]]],
        shared: ISharedMap,
        announcer: Announcer,
        clock: IReactorTime,
    ) -> None:
        """
        @param reports: `livechat.interfaces.IProcessRegistry.reports`.
        @param shared: `occupancy_map`.
        """
        self._reports = reports
        self._shared = shared
        self._announcer = announcer
        self._clock = clock
        self._buckets: dict[int, set[str]] = {}
        self._told: set[str] = set()
        # Times at which told rooms were first seen empty.
        self._empty: dict[str, float] = {}
        self._failures = LogLimit(Rate(1 / 60, 1))

    async def run(self) -> None:
        """Look again and again, until this is cancelled."""
        known = False
        while True:
            began = self._clock.seconds()
            try:
                if not known:
                    await self._shared.catch_up()
                    self._read()
                    known = True
                await self._look()
            except ChatError as reason:
                self._say_failed(reason)
            took = self._clock.seconds() - began
            pause = max(LOOK_EVERY, took / MOST_OF_THE_TIME)
            await deferLater(self._clock, pause, lambda: None)

    def _read(self) -> None:
        """Read the rooms of which receivers were told, by any process."""
        self._buckets = {}
        for key, value in self._shared.items():
            try:
                self._buckets[int(key)] = set(_decoder.decode(value))
            except ValueError as reason:
                _log.warn(
                    "The occupied rooms in {key} cannot be read: {reason}", key=key, reason=reason
                )
        self._told = set().union(*self._buckets.values())
        self._empty = {}

    async def _look(self) -> None:
        occupied = {
            room.name
            for report in await self._reports()
            for room in report.rooms
            if room.members and not is_internal(room.name)
        }
        now = self._clock.seconds()
        empty = self._told - occupied
        self._empty = {room: self._empty.get(room, now) for room in empty}
        vacated = [room for room, since in self._empty.items() if since <= now - GRACE]
        await self._tell("vacated", vacated)
        new = occupied - self._told
        if len(new) > MOST_ROOMS - len(self._told):
            self._say_too_many()
            new = set(sorted(new)[: MOST_ROOMS - len(self._told)])
        await self._tell("occupied", new)

    async def _tell(self, kind: str, rooms: Iterable[str]) -> None:
        """Write events of *rooms*, bucket by bucket, and then the changed list of each."""
        changed: dict[int, list[str]] = {}
        for room in rooms:
            changed.setdefault(_bucket(room), []).append(room)
        for bucket, some in changed.items():
            await self._announcer.rooms(kind, some)
            there = self._buckets.setdefault(bucket, set())
            if kind == "occupied":
                there.update(some)
                self._told.update(some)
            else:
                there.difference_update(some)
                self._told.difference_update(some)
            # If the list cannot be written, the next leader may tell the event again.
            await self._put(bucket, there)

    async def _put(self, bucket: int, rooms: set[str]) -> None:
        if rooms:
            await self._shared.put(str(bucket), msgspec.json.encode(sorted(rooms)))
        else:
            await self._shared.drop(str(bucket))

    def _say_failed(self, reason: ChatError) -> None:
        more = self._failures.due(self._clock.seconds())
        if more is not None:
            _log.warn(
                "Receivers cannot be told yet which rooms are occupied: {reason}{more}",
                reason=reason.detail,
                more=more,
            )

    def _say_too_many(self) -> None:
        more = self._failures.due(self._clock.seconds())
        if more is not None:
            _log.warn(
                "More than {count} rooms are occupied; receivers are not told of the others{more}.",
                count=MOST_ROOMS,
                more=more,
            )


def occupancy_map(backend: IBackend) -> ISharedMap:
    """The map of rooms of which receivers were told that they are occupied."""
    return backend.shared_map("occupied", most=BUCKETS, largest=_LARGEST)


def _bucket(room: str) -> int:
    return crc32(room.encode()) % BUCKETS
