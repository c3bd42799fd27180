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
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from livechat.backends.redis.connection import Link, LinkError, RefusedError
from livechat.backends.redis.generation import RENEW, Generation
from livechat.backends.redis.health import COMMANDS, SUBSCRIPTIONS, Health, look_at_role
from livechat.backends.redis.history import READ, History
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.layout import LAYOUT, LayoutError, look_at_layout
from livechat.backends.redis.maps import REPLACE, Shelf
from livechat.backends.redis.presence import COMPANY, SHARE, TYPING, Company
from livechat.backends.redis.publisher import PUBLISH, Outbox, Sending
from livechat.backends.redis.registry import BEAT_EVERY, Roster
from livechat.backends.redis.rights import RIGHTS, look_at_rights, try_subscribing
from livechat.backends.redis.stream import Entry, Stream, user_of_bytes
from livechat.backends.redis.subscriptions import Rooms
from livechat.backends.redis.sweep import LEAD, TRIM, Sweep
from livechat.backends.retention import Retention
from livechat.errors import ChatError, Kind
from livechat.interfaces import IBackend, ICompany, ISink
from livechat.limits.rates import LogLimit, Rate
from livechat.protocol.cluster import Report, Share
from livechat.protocol.messages import Draft, Message, Newest, Page, Position, User
from livechat.system.wallclock import WallClock

_T = TypeVar("_T")

#: How often the log says that a history cannot be read: people ask for it as they like.
UNREADABLE: Final = Rate(per_second=0.05, burst=5)

#: A connection for subscriptions that is lost is back at once.  Where none can be made then,
#: messages are refused: they would be stored, and their senders would wait for them in vain.
LOST: Final = 1

#: Answers that mean that another Redis, or the same one later, can do better.
_ELSEWHERE: Final = frozenset({"READONLY", "LOADING", "MASTERDOWN"})
#: Answers to a beat that mean that all is refused until somebody mends it.
_MAY_NOT: Final = frozenset({"NOPERM", "NOAUTH"})


@implementer(IBackend)
class RedisBackend:
    """
    All rooms of one installation, in one Redis.

    @ivar ready: Redis can be asked.
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
        self.ready = False
        self._keys = keys
        self._clock = clock
        self._health = Health(self.description, clock)
        self._link = Link(
            endpoint,
            clock,
            self,
            scripts=(PUBLISH, READ, REPLACE, COMPANY, RENEW, LEAD, TRIM, RIGHTS, LAYOUT),
            user=user,
            password=password,
            database=keys.database or None,
        )
        self.generation = Generation(self._link, keys, self._generation_began)
        self.wall = WallClock(self._redis_time, clock.seconds)
        self.history = History(self._link, keys, retention, self.wall)
        self._outbox = Outbox(self._link, keys, clock, self, wall=self.wall, retention=retention)
        self._rooms = Rooms(self._link, keys, clock, self.history, self)
        self._sweep = Sweep(
            self._link,
            keys,
            clock,
            self.wall,
            retention,
            process=secrets.token_hex(8).encode(),
            ready=lambda: self.ready,
        )
        self._roster: Roster | None = None
        self._company: Company | None = None
        self._secret = b""
        self._shelves: dict[str, Shelf] = {}
        # The newest message that this process has stored.
        self._last_stored: tuple[str, Entry] | None = None
        # None once this process has served rooms: then it waits for what it can use.
        self._refuse = refuse
        self._unreadable = LogLimit(UNREADABLE)
        # How often subscriptions were lost, or could not be made, since they worked.
        self._unheard = 0
        self._beating = LoopingCall(lambda: Deferred.fromCoroutine(self.beat()))
        self._beating.clock = clock
        self._stopping = False

    def start(
        self, sink: ISink, census: Callable[[], Report], company: ICompany | None = None
    ) -> None:
        self._roster = Roster(self._link, self._keys, self._clock, census)
        self._company = Company(self._link, self._keys, self._clock, self._roster.name)
        self._company.start(company)
        self._rooms.start(sink)
        self._link.start()
        self._beating.start(BEAT_EVERY, now=False)

    def subscribe(self, room: str) -> Deferred[None]:
        if self._stopping:
            return fail(_away("The room cannot be entered"))
        entered = self._rooms.enter(room)
        if entered.called and self._company is not None:
            # It was listened to already; but to who is there, perhaps by nobody.
            self._company.tell(room)
        return entered

    def unsubscribe(self, room: str) -> None:
        self._rooms.leave(room)

    def publish(self, draft: Draft) -> Deferred[Message]:
        if self._stopping or not self.ready or self._unheard > LOST:
            return fail(_away("The message could not be stored"))
        return self._outbox.publish(draft)

    def read(self, room: str, after: int, limit: int) -> Deferred[Page]:
        return self._reading(self._page(room, after, limit))

    async def _page(self, room: str, after: int, limit: int) -> Page:
        while True:
            generation = self.generation.name
            part = await self.history.read(room, after, limit)
            if generation == self.generation.name:
                break
        epoch = self.generation.epoch(room, part.newest.word)
        messages = tuple(entry.message() for entry in part.entries)
        return Page(Position(epoch, part.newest.seq, part.oldest), messages)

    def newest(self, rooms: Sequence[str]) -> Deferred[Mapping[str, Newest]]:
        return self._reading(self._newest(rooms))

    async def _newest(self, rooms: Sequence[str]) -> Mapping[str, Newest]:
        found: dict[str, Newest] = {}
        async for name, state in self.history.states(rooms):
            if state.seq:
                found[name] = Newest(state.seq, state.time)
        return found

    def _reading(self, reading: Coroutine[Any, Any, _T]) -> Deferred[_T]:
        if self._stopping or not self.ready:
            reading.close()
            return fail(_away("The history cannot be read"))
        return Deferred.fromCoroutine(self._in_words(reading))

    async def _in_words(self, reading: Coroutine[Any, Any, _T]) -> _T:
        """What *reading* returns, or why people cannot have it."""
        try:
            return await reading
        except (LinkError, RefusedError) as reason:
            more = self._unreadable.due(self._clock.seconds())
            if more is not None:
                self._log.error(
                    "The history cannot be read: {reason}{more}", reason=str(reason), more=more
                )
            raise _away("The history cannot be read") from None

    def reports(self) -> Deferred[Sequence[Report]]:
        assert self._roster is not None
        return Deferred.fromCoroutine(self._roster.reports())

    def share(self, room: str, share: Share) -> None:
        if self._company is not None and not self._stopping:
            self._company.share(room, share)

    def typing(self, room: str, user: User) -> None:
        if self._company is not None and self.ready:
            self._company.typing(room, user)

    async def see_company(self, room: str) -> None:
        if self._company is not None:
            await self._company.look_at(room)

    def forget_company(self, room: str) -> None:
        if self._company is not None:
            self._company.forget(room)

    def secret(self) -> Deferred[bytes]:
        if self._secret:
            return succeed(self._secret)
        return fail(_away("Nobody can be recognized"))

    def shelf(self, name: str) -> Shelf:
        if name not in self._shelves:
            self._shelves[name] = Shelf(self._link, self._keys, name)
        return self._shelves[name]

    def trouble(self) -> str | None:
        return self._health.trouble()

    # What the outbox tells.

    def stored(self, room: str, stored: Sequence[tuple[Sending, Entry]]) -> None:
        self._last_stored = room, stored[-1][1]
        self._rooms.stored(room, stored)

    def taken(self) -> None:
        self._health.fine(COMMANDS)

    def not_taken(self, reason: RefusedError) -> None:
        self._wrong(COMMANDS, str(reason))
        if reason.code in _ELSEWHERE:
            self._link.drop(str(reason))

    def _wrong(self, part: str, reason: str) -> None:
        if not self._stopping:
            self._health.wrong(part, reason)

    # What the link tells.

    def commands_made(self) -> None:
        Deferred.fromCoroutine(self._prepare()).addErrback(
            lambda failure: self._log.failure("Redis cannot be used.", failure)
        )

    async def _prepare(self) -> None:
        """There is a connection; see what is at its other end."""
        try:
            await self._look_at_redis()
        except LinkError:
            return
        except LayoutError as reason:
            if self._refuse is not None:
                self._refuse(f"{self.description}: {reason}")
            else:
                self._link.drop(str(reason))
            return
        except RefusedError as reason:
            self._link.drop(str(reason))
            return
        except Exception as reason:  # noqa: BLE001 - any server may be there, and says anything
            self._link.drop(f"it is no Redis, or not understood: {reason!r}")
            return
        if not self._stopping:
            self.ready = True
            self._refuse = None
            self._link.usable()
            self.taken()
            await self._health.warn(self._link)
            self._outbox.send_again()
            self._rooms.check_all()
            for shelf in self._shelves.values():
                shelf.changed()
            if self._company is not None:
                self._company.refresh(now=True)
            await self.beat()

    async def _look_at_redis(self) -> None:
        """Whether it is one that can be used, and has what it had."""
        await look_at_role(self._link)
        await self._link.load_scripts()
        await look_at_rights(self._link, self._keys)
        await self._link.ask_time()
        await look_at_layout(self._link, self._keys)
        await self._sweep.begin()
        await self.generation.look()
        # A Redis that has lost it gets the one back by which people are known here.
        new = self._secret or secrets.token_bytes(32)
        await self._link.command(b"SET", self._keys.secret, new, b"NX")
        self._secret = await self._link.command(b"GET", self._keys.secret)
        if self._last_stored is not None:
            # What is lost is always the end: with this one, all before it are there.
            room, entry = self._last_stored
            part = await self.history.read(room, entry.seq - 1, 1)
            same = part.newest.word == entry.word
            if not same or not Stream.fits(entry.seq, entry.tag, part):
                await self.begin_anew()

    def commands_lost(self, reason: str) -> None:
        self.ready = False
        self._rooms.doubt()
        self._wrong(COMMANDS, reason)

    def subscriptions_made(self) -> None:
        try_subscribing(self._link, self._keys)
        self._link.subscribe(self._rooms.channels())

    def subscriptions_lost(self, reason: str) -> None:
        self._rooms.deaf()
        self._unheard += 1
        self._wrong(SUBSCRIPTIONS, reason)

    def subscribed(self, channel: bytes) -> None:
        if channel == self._keys.trial_channel:
            self._unheard = 0
            self._health.fine(SUBSCRIPTIONS)
        elif channel != self._keys.control:
            self._rooms.listening(channel)

    def told(self, channel: bytes, payload: bytes) -> None:
        if channel == self._keys.control:
            self._controlled(payload)
            return
        try:
            if payload.partition(b" ")[0] in (SHARE, TYPING):
                if self._company is not None:
                    self._company.told(self._keys.room(channel), payload)
                return
            generation, word, seq, time, tag, size, rest = payload.split(b" ", 6)
            user, text = rest[: int(size)], rest[int(size) :]
            entry = Entry(int(seq), int(time), tag, text.decode(), user_of_bytes(user), word)
        except ValueError:
            if channel == self._keys.trial_channel:
                return
            # Somebody else has published it; what we published is read where it is missing.
            self._log.warn("{channel!r} tells what no livechat says.", channel=channel)
            return
        if generation != self.generation.name:
            # Its sender knows an older one, or this process does.
            Deferred.fromCoroutine(self.generation.look_if_possible())
        self._rooms.told(channel, entry)

    def _controlled(self, news: bytes) -> None:
        """Another process, or this one, tells all."""
        for shelf in self._shelves.values():
            if news == shelf.news:
                shelf.changed()
                return
        self.generation.told(news)

    async def beat(self) -> None:
        """Tell the others that this process is there; and see whether Redis takes anything."""
        if self.ready and self._roster is not None:
            assert self._company is not None
            try_subscribing(self._link, self._keys)
            try:
                await look_at_rights(self._link, self._keys)
                there = await self._roster.alive()
                await self._roster.beat()
                self._company.alive(there)
                self._company.refresh()
            except LinkError:
                pass
            except RefusedError as reason:
                self.not_taken(reason)
                if reason.code in _MAY_NOT:
                    self._link.drop(str(reason))
            else:
                self.taken()

    def _redis_time(self) -> float:
        return self._link.time(self._clock.seconds()) / 1000

    async def begin_anew(self) -> None:
        """Redis has lost messages that somebody has seen.  Fails as `Generation.look`."""
        self._log.error("{name} has lost messages: rooms begin anew.", name=self.description)
        await self.generation.begin_anew()

    def _generation_began(self) -> None:
        # Whoever began this one has found that messages are lost.
        self._last_stored = None
        self._rooms.open_all_again()

    # The end.

    def stop(self) -> Deferred[None]:
        if self._stopping:
            return succeed(None)
        self._stopping = True
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self._outbox.emptied()
        self._outbox.stop()
        self._rooms.stop()
        if self._beating.running:
            self._beating.stop()
        with suppress(LinkError, RefusedError):
            await self._sweep.stop()
        if self.ready and self._roster is not None:
            with suppress(LinkError, RefusedError):
                await self._roster.leave()
        self.ready = False
        await self._link.stop()


def _away(what: str) -> ChatError:
    return ChatError(Kind.UNAVAILABLE, f"{what} just now.")
