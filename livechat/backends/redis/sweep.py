"""
Removal of messages for their age or number, and the clock by which it goes.

Redis removes nothing for its age by itself: its clock may be wrong.  Each process compares
Redis's clock with its own monotonic one (`livechat.system.wallclock`), and one of them, the leader,
removes what is too old while that clock is trusted.  The leader holds a lease, which ends
soon after its process.

    idle rooms   from a sorted set of all streams, by the time of their newest message
    other rooms  by a walk over that set, which takes a minute or longer

Storing an entry removes those above its room's number.  Where that has become smaller, and nobody
says anything, the walk does.

Streams that are not in the set are looked for once a day: those that an earlier livechat
wrote, which end by themselves unless they are taken over, and all of them if the set was lost.
Each step is small, and a script holds Redis for a few milliseconds at most.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from livechat.backends.redis.connection import (
    Commands,
    RefusedError,
    Script,
    UnansweredError,
    answers,
)
from livechat.backends.redis.history import READ_WORD_LASTS
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.receivers import Receivers
from livechat.backends.retention import Retention, RoomRetention
from livechat.limits.rates import LogLimit, Rate
from livechat.system.wallclock import Record, WallClock

LEAD: Final = Script("lead")
TRIM: Final = Script("trim", "holding")

#: Seconds between two looks at the clocks.
LOOK_EVERY: Final = 1.0
#: Seconds between two steps of the sweep.
STEP_EVERY: Final = 2.0
#: Seconds of a lease to lead; a process renews it in time.
LEASE: Final = 10.0
#: Seconds from the beginning of a walk over all rooms to the next one.
WALK_EVERY: Final = 60.0
#: Seconds after which streams that are not in the set are looked for again.
SEARCH_EVERY: Final = 86_400.0
#: Seconds after which a trusted time is stored again; a doubted one is stored each minute.
KEEP_EVERY: Final = 3_600.0
KEEP_DOUBT_EVERY: Final = 60.0
#: Rooms that are trimmed together, and such batches in a step.
BATCH: Final = 50
BATCHES: Final = 10
#: Messages that are removed from a room at a time at most, for their age, and for their number: the
#: latter Redis drops in whole nodes.
MOST: Final = 100
MANY: Final = 100_000
#: Keys that Redis looks at for one answer to a search.
SCANNED: Final = 1_000
#: Rate of log lines on failures.
REFUSALS: Final = Rate(per_second=1 / 600, burst=2)


class Sweep:
    """The share of one process in it."""

    _log = Logger()

    def __init__(
        self,
        connection: Commands,
        keys: Keys,
        clock: IReactorTime,
        wall: WallClock,
        retention: RoomRetention,
        *,
        receivers: Receivers,
        process: bytes,
        ready: Callable[[], bool],
    ) -> None:
        """
        @param wall: Redis's clock.
        @param receivers: receivers whose waiting entries stay.
        @param process: the unique name of this process.
        @param ready: returns True if Redis can be asked.
        """
        self._connection = connection
        self._keys = keys
        self._clock = clock
        self._wall = wall
        self._retention = retention
        self._receivers = receivers
        self._process = process
        self._ready = ready
        self._begun = False
        self._leads = False
        # Cursors of the walk and of the search; None while there is none.
        self._walk: bytes | None = None
        self._search: bytes | None = None
        self._walk_at = 0.0
        self._keep_at = 0.0
        self._refusals = LogLimit(REFUSALS)
        self._timers = [
            LoopingCall(self._look),
            LoopingCall(lambda: Deferred.fromCoroutine(self._step_if_possible())),
        ]

    async def begin(self) -> None:
        """
        Find out how far Redis's clock can be trusted, before anything is stamped by it.

        Called before this process makes a generation: where there is none, there are no rooms.

        @raise UnansweredError: as `Commands.command`.
        @raise RefusedError: as `Commands.command`.
        """
        if self._begun:
            return
        command = self._connection.command
        kept = await command(b"GET", self._keys.clock)
        known = kept is not None or await command(b"EXISTS", self._keys.generation)
        self._hear(self._wall.start(_record(kept) if known else None))
        if not known:
            # Other processes that start now find the clock before there is a generation.
            await command(b"SET", self._keys.clock, _text(self._wall.record()), b"NX")
        self._begun = True
        for timer, every in zip(self._timers, (LOOK_EVERY, STEP_EVERY), strict=True):
            timer.clock = self._clock
            timer.start(every, now=False)

    async def stop(self) -> None:
        """Give up the lead, so that another process has it at once.  Fails as `begin`."""
        for timer in self._timers:
            if timer.running:
                timer.stop()
        if self._leads and self._ready():
            self._leads = False
            await self._connection.call(LEAD, [self._keys.sweeper], [self._process, b"1"])

    def _look(self) -> None:
        if self._ready():
            self._hear(self._wall.compare())

    def _hear(self, line: str) -> None:
        if line:
            self._log.warn("Redis: {line}", line=line)

    async def _step_if_possible(self) -> None:
        if not self._ready():
            return
        try:
            await self.step()
        except UnansweredError:
            pass
        except RefusedError as reason:
            more = self._refusals.due(self._clock.seconds())
            if more is not None:
                self._log.error(
                    "Old messages cannot be removed: {reason}{more}", reason=str(reason), more=more
                )

    async def step(self) -> None:
        """
        Do a little of the sweep, if this process leads it.

        @raise UnansweredError: as `Commands.command`.
        @raise RefusedError: as `Commands.command`.
        """
        lease = b"%d" % (1000 * LEASE)
        leads = await self._connection.call(LEAD, [self._keys.sweeper], [self._process, lease])
        self._leads = bool(leads)
        if not self._leads:
            self._walk = self._search = None
            return
        await self._keep_clock()
        await self._search_streams()
        if since := self._since(self._retention.server):
            await self._trim_idle(since)
        await self._walk_on()

    def _since(self, retention: Retention) -> int:
        """Return the time in milliseconds before which entries are removed; 0 for none."""
        if not self._wall.trusted:
            return 0
        return max(0, retention.first_time(self._wall.milliseconds()))

    async def _keep_clock(self) -> None:
        """Store the trust in the clock, for processes that start later."""
        now = self._clock.seconds()
        record = self._wall.record()
        if now >= self._keep_at or (record.doubted and now + KEEP_DOUBT_EVERY < self._keep_at):
            self._keep_at = now + (KEEP_DOUBT_EVERY if record.doubted else KEEP_EVERY)
            await self._connection.command(b"SET", self._keys.clock, _text(record))

    async def _search_streams(self) -> None:
        """Find streams that are not in the set, and add them."""
        command = self._connection.command
        if self._search is None:
            if await command(b"EXISTS", self._keys.searched):
                return
            self._search = b"0"
        for _ in range(BATCHES):
            asked = (b"MATCH", self._keys.streams, b"COUNT", b"%d" % SCANNED, b"TYPE", b"stream")
            self._search, streams = await command(b"SCAN", self._search, *asked)
            await self._take_over(streams)
            if self._search == b"0":
                self._search = None
                lasts = b"%d" % (1000 * SEARCH_EVERY)
                await command(b"SET", self._keys.searched, b"1", b"PX", lasts)
                return

    async def _trim_idle(self, since: int) -> None:
        """Trim rooms of which all entries are too old."""
        for _ in range(BATCHES):
            limit = (b"LIMIT", b"0", b"%d" % BATCH)
            streams = await self._connection.command(
                b"ZRANGEBYSCORE", self._keys.idle, b"-inf", b"(%d" % since, *limit
            )
            await self._trim(streams)
            if len(streams) < BATCH:
                return

    async def _walk_on(self) -> None:
        """Trim some of all rooms."""
        now = self._clock.seconds()
        if self._walk is None:
            if now < self._walk_at:
                return
            self._walk, self._walk_at = b"0", now + WALK_EVERY
        for _ in range(BATCHES):
            self._walk, found = await self._connection.command(
                b"ZSCAN", self._keys.idle, self._walk, b"COUNT", b"%d" % BATCH
            )
            await self._trim(found[::2])
            if self._walk == b"0":
                self._walk = None
                return

    async def streams(self) -> AsyncIterator[Sequence[bytes]]:
        """Find all streams, some at a time, perhaps twice.  Fails as `begin`."""
        cursor = None
        while cursor != b"0":
            cursor, found = await self._connection.command(
                b"ZSCAN", self._keys.idle, cursor or b"0", b"COUNT", b"%d" % BATCH
            )
            yield found[::2]

    async def _take_over(self, streams: Sequence[bytes]) -> None:
        """Add *streams* to the set; keep all of their entries."""
        await self._call_trim(streams, lambda _: Retention())

    async def _trim(self, streams: Sequence[bytes]) -> None:
        """Remove entries that are too old, or too many, for their room."""
        await self._call_trim(
            streams, lambda each: self._retention.of(self._keys.room_of_stream(each))
        )

    async def _call_trim(
        self, streams: Sequence[bytes], kept: Callable[[bytes], Retention]
    ) -> None:
        fresh = secrets.token_urlsafe(9).encode(), b"%d" % (1000 * READ_WORD_LASTS)
        for start in range(0, len(streams), BATCH):
            some = streams[start : start + BATCH]
            await self._all(
                self._connection.call(
                    TRIM,
                    [
                        *self._keys.numbering_of(each),
                        self._keys.idle_of(each),
                        self._keys.cursors_of(each),
                    ],
                    [*self._bounds(kept(each)), *fresh, *self._held(each)],
                )
                for each in some
            )

    def _held(self, stream: bytes) -> list[bytes]:
        if self._receivers.of(self._keys.room_of_stream(stream)):
            return self._receivers.holding()
        return [b"", b""]

    async def _all(self, asked: Iterable[Deferred[Any]]) -> list[Any]:
        """Wait for the answers to several commands.  Fails as `begin`."""
        return await answers(asked)

    def _bounds(self, kept: Retention) -> list[bytes]:
        bounds = self._since(kept), MOST, kept.messages, MANY
        return [b"%d" % each for each in bounds]


def _text(record: Record) -> bytes:
    return b"%.3f %.3f %.3f" % record


def _record(kept: Any) -> Record:
    """Decode a stored record; return an empty one if it is unreadable."""
    try:
        return Record(*map(float, (kept or b"").split()))
    except (TypeError, ValueError):
        return Record()
