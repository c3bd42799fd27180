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

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from zope.interface import implementer

from livechat.backends.redis.base import ELSEWHERE, LOST, MAY_NOT, SCRIPTS, BackendInRedis
from livechat.backends.redis.connection import Connection, RefusedError, UnansweredError
from livechat.backends.redis.entries import Entry
from livechat.backends.redis.health import (
    COMMANDS,
    SUBSCRIPTIONS,
    Health,
    check_role,
    find_nodes,
)
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.layout import LayoutError, check_layout
from livechat.backends.redis.rights import check_rights, try_subscribing
from livechat.backends.retention import Retention
from livechat.interfaces import IBackend


@implementer(IBackend)
class RedisBackend(BackendInRedis):
    """
    All rooms of one installation, in one Redis.

    @ivar ready: Redis can be asked.
    """

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
        @param name: the name of the Redis in the log.
        @param keys: the names of the installation, and its database.
        @param refuse: ends the process, which must not run, with a reason.
        """
        self.description = f"Redis at {name}"
        self._ready = False
        self._health = Health(self.description, clock, name)
        self._connection = Connection(
            endpoint,
            clock,
            self,
            scripts=SCRIPTS,
            user=user,
            password=password,
            database=keys.database or None,
            name=name,
        )
        # The newest entry that this process has stored.
        self._last_stored: tuple[str, Entry] | None = None
        # None once this process has served rooms: then it waits for a usable Redis.
        self._refuse = refuse
        # Losses and failures of subscriptions since they worked last.
        self._unheard = 0
        super().__init__(self._connection, keys, clock, retention)

    @property
    def ready(self) -> bool:
        return self._ready

    @property
    def writable(self) -> bool:
        return self._ready and not self.stopping and self._unheard <= LOST

    def ready_for(self, room: str) -> bool:
        return self._ready

    def writable_for(self, room: str) -> bool:
        return self._ready and not self.stopping and self._unheard <= LOST

    def trouble(self) -> str | None:
        return self._health.trouble()

    def _connect(self) -> None:
        self._connection.start()

    def _note_stored(self, room: str, entry: Entry) -> None:
        self._last_stored = room, entry

    def _forget_stored(self) -> None:
        self._last_stored = None

    def write_succeeded(self, room: str) -> None:
        self._health.fine(COMMANDS)

    def write_refused(self, reason: RefusedError, room: str) -> None:
        self._refused(reason)

    def _refused(self, reason: RefusedError) -> None:
        self._wrong(COMMANDS, str(reason))
        if reason.code in ELSEWHERE:
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
        """Check the other end of a new connection."""
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
            self._ready = True
            self._refuse = None
            self._connection.usable()
            self._health.fine(COMMANDS)
            await self._health.warn(self._connection)
            self._publisher.send_again()
            self._subscriptions.check_all()
            self._maps.recovered()
            self.presence.refresh(now=True)
            await self.beat()

    async def _look_at_redis(self) -> None:
        """Check that this Redis is usable, and has not lost entries."""
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
        await self._find_receivers()
        await self.processes.beat()

    async def _find_last_stored(self) -> None:
        """Check that Redis has the newest entry that this process has stored."""
        if self._last_stored is not None and not await self._has(*self._last_stored):
            await self.begin_anew()

    def commands_lost(self, reason: str) -> None:
        self._ready = False
        self.entering.doubt()
        self._subscriptions.doubt()
        self._wrong(COMMANDS, reason)

    def subscriptions_made(self) -> None:
        try_subscribing(self._connection, self._keys)
        ours = self.relay.channel, *self.outbox.channels()
        self._connection.subscribe([*ours, *self._subscriptions.channels()])

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
        elif channel not in self._news:
            self._subscriptions.listening(channel)

    def unsubscribed(self, channel: bytes) -> None:
        """No-op: nobody but this process ends a subscription."""

    def subscription_refused(self, reason: str) -> bool:
        return False

    async def beat(self) -> None:
        if self._ready:
            try_subscribing(self._connection, self._keys)
            try:
                await check_rights(self._connection, self._keys)
                await self._beat()
            except UnansweredError:
                pass
            except RefusedError as reason:
                self._refused(reason)
                if reason.code in MAY_NOT:
                    self._connection.drop(str(reason))
            else:
                self._health.fine(COMMANDS)

    def _disconnect(self) -> Deferred[None]:
        self._ready = False
        return self._connection.stop()
