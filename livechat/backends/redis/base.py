"""
The common parts of a backend in one Redis and one in a cluster, and what these tell each
other.

A subclass makes the connection, and says when it can be used
(`livechat.backends.redis.backend`, `livechat.backends.redis.cluster.backend`).
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from livechat.backends.redis.acts import AMEND, Stored
from livechat.backends.redis.archive import RedisArchive
from livechat.backends.redis.connection import Commands, RefusedError, UnansweredError
from livechat.backends.redis.entering import LEAVE, Entering
from livechat.backends.redis.entries import Entry, published_entry
from livechat.backends.redis.excess import EXCESS
from livechat.backends.redis.generation import RENEW, Generation
from livechat.backends.redis.history import READ, History
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.layout import LAYOUT
from livechat.backends.redis.map_store import CHANGE, RESTORE
from livechat.backends.redis.maps import Maps
from livechat.backends.redis.messages import RedisMessageLog
from livechat.backends.redis.outbox import ERASE, REWIND, TOLD, UNSENT, RedisOutbox
from livechat.backends.redis.presence import NEWS, PRESENCE, PresenceRelay
from livechat.backends.redis.publisher import PUBLISH, Publisher
from livechat.backends.redis.receivers import KEEP, Receivers
from livechat.backends.redis.registry import BEAT_EVERY, ProcessRegistry
from livechat.backends.redis.relay import RedisRelay
from livechat.backends.redis.rights import RIGHTS
from livechat.backends.redis.shared_map import RedisMap
from livechat.backends.redis.stream import Stream
from livechat.backends.redis.subscriptions import Subscriptions
from livechat.backends.redis.sweep import LEAD, TRIM, Sweep
from livechat.backends.retention import Retention, RoomRetention
from livechat.interfaces import IPresenceSink, ISink, Record
from livechat.protocol.cluster import Report
from livechat.system.wallclock import WallClock

#: Losses of subscriptions in a row at which messages are still taken, as the connection is usually
#: back at once.  Later messages are refused: stored ones would leave their senders without answers.
LOST: Final = 1
#: Errors that mean that another Redis, or the same one later, can do it.
ELSEWHERE: Final = frozenset({"READONLY", "LOADING", "MASTERDOWN"})
#: Errors of a beat that mean that all commands fail until an operator acts.
MAY_NOT: Final = frozenset({"NOPERM", "NOAUTH"})
SCRIPTS: Final = (
    PUBLISH, AMEND, READ, CHANGE, RESTORE, PRESENCE, RENEW, LEAD, TRIM, RIGHTS, LAYOUT,
    KEEP, LEAVE, UNSENT, TOLD, REWIND, ERASE, EXCESS,
)  # fmt: skip


class BackendInRedis(ABC):
    """
    The parts, and their host.

    @ivar description: where it is, for people.
    @ivar stopping: the end has begun.
    @cvar ordered: commands are carried out in the order of the calls, whatever their keys are.
    @ivar wall: Redis's clock, as far as it is believed; all processes go by that one.
    """

    _log = Logger()
    description: str
    ordered = True

    def __init__(
        self, connection: Commands, keys: Keys, clock: IReactorTime, retention: Retention
    ) -> None:
        self.stopping = False
        self._commands = connection
        self._keys = keys
        self._clock = clock
        self.generation = Generation(connection, keys, self._generation_began)
        self.wall = WallClock(self._redis_time, clock.seconds)
        self._build(RoomRetention(retention))
        # Listeners of channels that are not rooms'.
        self._news: dict[bytes, Callable[[bytes], None]] = {
            keys.control: self._controlled,
            self.relay.channel: self.relay.published,
            keys.outbox: self.outbox.published,
        }
        self._beating = LoopingCall(lambda: Deferred.fromCoroutine(self.beat()))
        self._beating.clock = clock

    def _build(self, retention: RoomRetention) -> None:
        """Make the parts that talk over the connection."""
        parts = self._commands, self._keys, self._clock
        self.history = History(self._commands, self._keys, retention, self.wall)
        self.processes = ProcessRegistry(*parts)
        self.receivers = Receivers(self._commands, self._keys, self.generation)
        self.entering = Entering(*parts, ordered=self.ordered)
        self._publisher = Publisher(
            *parts,
            self,
            generation=self.generation,
            wall=self.wall,
            retention=retention,
            receivers=self.receivers,
            entering=self.entering,
            secret=lambda: self.processes.known_secret,
        )
        self._subscriptions = Subscriptions(*parts, self.history, self)
        self.presence = PresenceRelay(*parts, process=self.processes.name, usable=self.ready_for)
        self.relay = RedisRelay(self._commands, self._keys, self.processes.name)
        self._sweep = self._make_sweep(retention)
        self.messages = RedisMessageLog(
            self._clock,
            self,
            generation=self.generation,
            history=self.history,
            publisher=self._publisher,
            subscriptions=self._subscriptions,
            presence=self.presence,
            retention=retention,
        )
        self.archive = self._make_archive()
        self._maps = Maps(*parts, self.wall, lambda: self.writable)
        self.outbox = RedisOutbox(
            *parts,
            self,
            generation=self.generation,
            receivers=self.receivers,
            entering=self.entering,
            retention=retention,
            wall=self.wall,
            streams=self._sweep.streams,
            nodes=lambda: self._publisher.nodes,
        )

    def _make_archive(self) -> RedisArchive:
        return RedisArchive(self._commands, self._keys, self.messages)

    def _make_sweep(self, retention: RoomRetention) -> Sweep:
        return Sweep(
            self._commands,
            self._keys,
            self._clock,
            self.wall,
            retention,
            receivers=self.receivers,
            process=secrets.token_hex(8).encode(),
            ready=lambda: self.ready,
        )

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
        self._connect()
        self._beating.start(BEAT_EVERY, now=False)

    def shared_map(self, name: str, *, most: int, largest: int) -> RedisMap:
        return self._maps.get(name, most=most, largest=largest)

    # A class that derives from it knows.

    @property
    @abstractmethod
    def ready(self) -> bool:
        """Return True if keys of no room can be read."""

    @property
    @abstractmethod
    def writable(self) -> bool:
        """Return True if keys of no room can be changed, and this process would be told."""

    @abstractmethod
    def ready_for(self, room: str) -> bool:
        """Return True if *room* can be read."""

    @abstractmethod
    def writable_for(self, room: str) -> bool:
        """*room* can be changed, and this process would hear of it."""

    @abstractmethod
    def _connect(self) -> None:
        """Begin to connect."""

    @abstractmethod
    def _disconnect(self) -> Deferred[None]:
        """Close all connections."""

    @abstractmethod
    async def beat(self) -> None:
        """Tell the others that this process is there; and see whether Redis takes anything."""

    @abstractmethod
    def write_succeeded(self, room: str) -> None:
        """Note that Redis takes changes of *room*."""

    @abstractmethod
    def write_refused(self, reason: RefusedError, room: str) -> None:
        """Note that it does not, and why."""

    @abstractmethod
    def _note_stored(self, room: str, entry: Entry) -> None:
        """Note the newest entry that this process has stored."""

    @abstractmethod
    def _forget_stored(self) -> None:
        """Forget the stored entries known here: Redis may have lost them."""

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
        # The process that began this one has found that messages are lost.
        self._forget_stored()
        self.entering.doubt()
        self._subscriptions.open_all_again()

    # As the listener of its publisher.

    def stored(self, room: str, stored: Sequence[Stored], *, new: bool = True) -> None:
        entry = stored[-1][1]
        self._note_stored(room, entry)
        if self.receivers.of(room):
            self.entering.stored(room, entry.word)
        self._subscriptions.stored(room, stored, new=new)

    # As the listener of its connection.

    def published(self, channel: bytes, payload: bytes) -> None:
        if (hear := self._news.get(channel)) is not None:
            hear(payload)
            return
        try:
            if payload.partition(b" ")[0] in NEWS:
                self.presence.hear(self._keys.room(channel), payload)
                return
            generation, entry = published_entry(payload)
        except ValueError:
            if self._keys.is_trial(channel):
                return
            # Another program has published it.  Entries of ours that are missing are read.
            self._log.warn(
                "A message on {channel!r} is not livechat's, and is ignored.", channel=channel
            )
            return
        if generation != self.generation.name:
            # Sender and process know different generations, and either may be the older one.
            Deferred.fromCoroutine(self.generation.refresh_if_possible())
        self._subscriptions.published(channel, entry)

    def _controlled(self, news: bytes) -> None:
        """Handle a message to all processes, from another one or from this one."""
        if not self._maps.hear(news) and not self.receivers.hear(news):
            self.generation.hear(news)

    async def _has(self, room: str, entry: Entry) -> bool:
        """Check that Redis has this process's stored entries.  Fails as `Commands.command`."""
        # Redis always loses the newest entries, so if it has this one it has all before it.
        part = await self.history.read(room, entry.seq - 1, 1)
        return part.newest.word == entry.word and Stream.fits(entry.seq, entry.tag, part)

    async def _beat(self) -> None:
        """Report to the other processes.  Fails as `Commands.command`."""
        heard = self.presence.heard
        there = await self.processes.alive()
        await self.processes.beat()
        self.presence.alive(there, heard)
        self.presence.refresh()
        await self._find_receivers()

    async def _find_receivers(self) -> None:
        """Learn the receivers outside; enter missing rooms.  Fails as `Commands.command`."""
        await self.receivers.refresh()
        self.entering.enter_missing()

    def _redis_time(self) -> float:
        return self._commands.time(self._clock.seconds(), self._keys.clock) / 1000

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
        self.entering.stop()
        self._subscriptions.stop()
        self._maps.stop()
        if self._beating.running:
            self._beating.stop()
        with suppress(UnansweredError, RefusedError):
            await self._sweep.stop()
        with suppress(UnansweredError, RefusedError):
            await self.outbox.stop()
        if self.ready:
            with suppress(UnansweredError, RefusedError):
                await self.processes.leave()
        await self._disconnect()
