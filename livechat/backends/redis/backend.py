"""
Rooms in Redis: any number of processes serve them, and Redis knows of processes, not
of members.

A message is stored and told to the room's channel by one script (`publish.lua`); a
process that has members in the room listens there.  What it hears, what the script
answered to it, and what it reads back where something is missing, all go through the
room's `Stream`, which delivers each message once, in order.

    publish ──turn──> publish.lua ──┬── answer ──┐
                                    └── channel ─┴─> Stream ──> sink, then the sender
                       read.lua <── hole ────────────┘

An edit or a retraction changes messages and stores an event (`amend.lua`), which goes the same way.

**Lost pushes.**  Redis tells once, and forgets.  A hole is seen by the next message,
by a look at all rooms every few seconds, and after each new connection.

**Redis away.**  Sends are refused at once.  Of those under way it is not known
whether they were stored: they are sent again with the tag that says which they are,
if Redis is back in time, and else their senders are told that nobody knows.  The
script refuses what comes to it too late, so that nothing is said behind anybody's back.

**Redis without what it had.**  A room whose keys are lost is numbered anew, under another
word, and so has another epoch.  After a failover to a replica that lagged, or a restart
without the last writes, numbers are given again under the same word.  It is noticed by
the last message that this process stored, and by the newest ones that it delivered: each
has a tag.  Then there is a new generation, and every room has a new epoch.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from livechat.backends.redis.acts import AMEND, Stored
from livechat.backends.redis.connection import Connection, RefusedError, UnansweredError
from livechat.backends.redis.entries import Entry, published_entry
from livechat.backends.redis.generation import RENEW, Generation
from livechat.backends.redis.health import (
    COMMANDS,
    SUBSCRIPTIONS,
    Health,
    check_role,
    find_nodes,
)
from livechat.backends.redis.history import READ, History
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.layout import LAYOUT, LayoutError, check_layout
from livechat.backends.redis.map_store import CHANGE, RESTORE
from livechat.backends.redis.maps import Maps
from livechat.backends.redis.messages import RedisMessageLog
from livechat.backends.redis.presence import NEWS, PRESENCE, PresenceRelay
from livechat.backends.redis.publisher import PUBLISH, Publisher
from livechat.backends.redis.registry import BEAT_EVERY, ProcessRegistry
from livechat.backends.redis.relay import RedisRelay
from livechat.backends.redis.rights import RIGHTS, check_rights, try_subscribing
from livechat.backends.redis.shared_map import RedisMap
from livechat.backends.redis.stream import Stream
from livechat.backends.redis.subscriptions import Subscriptions
from livechat.backends.redis.sweep import LEAD, TRIM, Sweep
from livechat.backends.retention import Retention, RoomRetention
from livechat.interfaces import IBackend, IPresenceSink, ISink, Record
from livechat.protocol.cluster import Report
from livechat.system.wallclock import WallClock

#: A connection for subscriptions that is lost is back at once.  Where none can be made then,
#: messages are refused: they would be stored, and their senders would wait for them in vain.
LOST: Final = 1

#: Answers that mean that another Redis, or the same one later, can do better.
_ELSEWHERE: Final = frozenset({"READONLY", "LOADING", "MASTERDOWN"})
#: Answers to a beat that mean that all is refused until somebody mends it.
_MAY_NOT: Final = frozenset({"NOPERM", "NOAUTH"})
_SCRIPTS: Final = (
    PUBLISH, AMEND, READ, CHANGE, RESTORE, PRESENCE, RENEW, LEAD, TRIM, RIGHTS, LAYOUT,
)  # fmt: skip


@implementer(IBackend)
class RedisBackend:
    """
    All rooms of one installation, in one Redis.

    @ivar ready: Redis can be asked.
    @ivar stopping: the end has begun.
    @ivar wall: Redis's clock, as far as it is believed; all processes go by that one.
    """

    _log = Logger()

    def __init__(
        self,
        name: str,
        endpoint: IStreamClientEndpoint,
        clock: IReactorTime,
        retention: Retention,
        *,
        keys: Keys,
        user: str | None = None,
        password: str | None = None,
        refuse: Callable[[str], None] | None = None,
    ) -> None:
        """
        @param name: of the Redis, for the log.
        @param keys: the names of the installation, and its database.
        @param refuse: ends the process, which must not run, for a reason.
        """
        self.description = f"Redis at {name}"
        self.ready = self.stopping = False
        self._keys = keys
        self._clock = clock
        self._health = Health(self.description, clock, name)
        self._connection = Connection(
            endpoint,
            clock,
            self,
            scripts=_SCRIPTS,
            user=user,
            password=password,
            database=keys.database or None,
            name=name,
        )
        # The newest entry that this process has stored.
        self._last_stored: tuple[str, Entry] | None = None
        # None once this process has served rooms: then it waits for what it can use.
        self._refuse = refuse
        # How often subscriptions were lost, or could not be made, since they worked.
        self._unheard = 0
        self.generation = Generation(self._connection, keys, self._generation_began)
        self.wall = WallClock(self._redis_time, clock.seconds)
        self._build(RoomRetention(retention))
        self._beating = LoopingCall(lambda: Deferred.fromCoroutine(self.beat()))
        self._beating.clock = clock

    def _build(self, retention: RoomRetention) -> None:
        """Make the parts that talk over the connection."""
        parts = self._connection, self._keys, self._clock
        connection, keys, clock = parts
        self.history = History(connection, keys, retention, self.wall)
        self.processes = ProcessRegistry(*parts)
        self._publisher = Publisher(
            *parts,
            self,
            generation=self.generation,
            wall=self.wall,
            retention=retention,
            secret=lambda: self.processes.known_secret,
        )
        self._subscriptions = Subscriptions(*parts, self.history, self)
        self.presence = PresenceRelay(
            *parts, process=self.processes.name, usable=lambda: self.ready
        )
        self.relay = RedisRelay(connection, keys, self.processes.name)
        self._sweep = Sweep(
            *parts,
            self.wall,
            retention,
            process=secrets.token_hex(8).encode(),
            ready=lambda: self.ready,
        )
        self.messages = RedisMessageLog(
            clock,
            self,
            generation=self.generation,
            history=self.history,
            publisher=self._publisher,
            subscriptions=self._subscriptions,
            presence=self.presence,
            retention=retention,
        )
        self._maps = Maps(*parts, self.wall, lambda: self.writable)

    def start(
        self,
        sink: ISink,
        census: Callable[[], Report],
        presence: IPresenceSink | None = None,
        record: Record | None = None,
    ) -> None:
        self.processes.start(census)
        self.presence.start(presence)
        self._subscriptions.start(sink, record)
        self._connection.start()
        self._beating.start(BEAT_EVERY, now=False)

    @property
    def writable(self) -> bool:
        return self.ready and not self.stopping and self._unheard <= LOST

    def shared_map(self, name: str, *, most: int, largest: int) -> RedisMap:
        return self._maps.get(name, most=most, largest=largest)

    def trouble(self) -> str | None:
        return self._health.trouble()

    # As the host of its subscriptions.

    async def find_users(self, room: str) -> None:
        await self.presence.find(room)

    def forget_users(self, room: str) -> None:
        self.presence.forget(room)

    async def begin_anew(self) -> None:
        """Redis has lost messages that somebody has seen.  Fails as `Generation.refresh`."""
        self._log.error("{name} has lost messages: rooms begin anew.", name=self.description)
        await self.generation.begin_anew()

    def _generation_began(self) -> None:
        # Whoever began this one has found that messages are lost.
        self._last_stored = None
        self._subscriptions.open_all_again()

    # As the listener of its publisher.

    def stored(self, room: str, stored: Sequence[Stored], *, new: bool = True) -> None:
        self._last_stored = room, stored[-1][1]
        self._subscriptions.stored(room, stored, new=new)

    def write_succeeded(self) -> None:
        self._health.fine(COMMANDS)

    def write_refused(self, reason: RefusedError) -> None:
        self._wrong(COMMANDS, str(reason))
        if reason.code in _ELSEWHERE:
            self._connection.drop(str(reason))

    def _wrong(self, part: str, reason: str) -> None:
        if not self.stopping:
            self._health.wrong(part, reason)

    # As the listener of its connection.

    def commands_made(self) -> None:
        Deferred.fromCoroutine(self._prepare()).addErrback(
            lambda failure: self._log.failure("Redis cannot be used.", failure)
        )

    async def _prepare(self) -> None:
        """There is a connection; see what is at its other end."""
        try:
            await self._look_at_redis()
        except UnansweredError:
            return
        except LayoutError as reason:
            if self._refuse is not None:
                self._refuse(f"{self.description}: {reason}")
            else:
                self._connection.drop(str(reason))
            return
        except RefusedError as reason:
            self._connection.drop(str(reason))
            return
        except Exception as reason:  # noqa: BLE001 - any server may be there, and says anything
            self._connection.drop(f"it is no Redis, or not understood: {reason!r}")
            return
        if not self.stopping:
            self.ready = True
            self._refuse = None
            self._connection.usable()
            self.write_succeeded()
            await self._health.warn(self._connection)
            self._publisher.send_again()
            self._subscriptions.check_all()
            self._maps.recovered()
            self.presence.refresh(now=True)
            await self.beat()

    async def _look_at_redis(self) -> None:
        """Whether it is one that can be used, and has what it had."""
        await check_role(self._connection)
        await self._connection.load_scripts()
        await check_rights(self._connection, self._keys)
        await self._connection.ask_time()
        await check_layout(self._connection, self._keys)
        await self._sweep.begin()
        await self.generation.refresh()
        await self.processes.find_secret()
        self._publisher.nodes = await find_nodes(self._connection)
        await self._maps.refresh()
        await self._find_last_stored()

    async def _find_last_stored(self) -> None:
        """See whether Redis has the newest message that this process has stored."""
        if self._last_stored is not None:
            # What is lost is always the end: with this one, all before it are there.
            room, entry = self._last_stored
            part = await self.history.read(room, entry.seq - 1, 1)
            same = part.newest.word == entry.word
            if not same or not Stream.fits(entry.seq, entry.tag, part):
                await self.begin_anew()

    def commands_lost(self, reason: str) -> None:
        self.ready = False
        self._subscriptions.doubt()
        self._wrong(COMMANDS, reason)

    def subscriptions_made(self) -> None:
        try_subscribing(self._connection, self._keys)
        self._connection.subscribe([self.relay.channel, *self._subscriptions.channels()])

    def subscriptions_lost(self, reason: str) -> None:
        self._subscriptions.deaf()
        self._unheard += 1
        self._wrong(SUBSCRIPTIONS, reason)

    def subscribed(self, channel: bytes) -> None:
        if channel == self._keys.trial_channel:
            self._unheard = 0
            self._health.fine(SUBSCRIPTIONS)
        elif channel == self._keys.control:
            self._maps.refresh_soon()
        elif channel != self.relay.channel:
            self._subscriptions.listening(channel)

    def published(self, channel: bytes, payload: bytes) -> None:
        if channel == self._keys.control:
            self._controlled(payload)
            return
        if channel == self.relay.channel:
            self.relay.published(payload)
            return
        try:
            if payload.partition(b" ")[0] in NEWS:
                self.presence.hear(self._keys.room(channel), payload)
                return
            generation, entry = published_entry(payload)
        except ValueError:
            if channel == self._keys.trial_channel:
                return
            # Somebody else has published it; what we published is read where it is missing.
            self._log.warn("{channel!r} tells what no livechat says.", channel=channel)
            return
        if generation != self.generation.name:
            # Its sender knows an older one, or this process does.
            Deferred.fromCoroutine(self.generation.refresh_if_possible())
        self._subscriptions.published(channel, entry)

    def _controlled(self, news: bytes) -> None:
        """Another process, or this one, tells all."""
        if not self._maps.hear(news):
            self.generation.hear(news)

    async def beat(self) -> None:
        """Tell the others that this process is there; and see whether Redis takes anything."""
        if self.ready:
            try_subscribing(self._connection, self._keys)
            try:
                await check_rights(self._connection, self._keys)
                there = await self.processes.alive()
                await self.processes.beat()
                self.presence.alive(there)
                self.presence.refresh()
            except UnansweredError:
                pass
            except RefusedError as reason:
                self.write_refused(reason)
                if reason.code in _MAY_NOT:
                    self._connection.drop(str(reason))
            else:
                self.write_succeeded()

    def _redis_time(self) -> float:
        return self._connection.time(self._clock.seconds()) / 1000

    # The end.

    def stop(self) -> Deferred[None]:
        if self.stopping:
            return succeed(None)
        self.stopping = True
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self.presence.stop()
        await self._publisher.emptied()
        self._publisher.stop()
        self._subscriptions.stop()
        self._maps.stop()
        if self._beating.running:
            self._beating.stop()
        with suppress(UnansweredError, RefusedError):
            await self._sweep.stop()
        if self.ready:
            with suppress(UnansweredError, RefusedError):
                await self.processes.leave()
        self.ready = False
        await self._connection.stop()
