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

**Redis without what it had.**  After a failover to a replica that lagged, or a restart
without the last writes, numbers are given again.  It is noticed by the last message
that this process stored, and by the newest ones that it delivered: each has a tag.  Then
there is a new generation, which all processes adopt, and every room has a new epoch.
Members get what was stored after the last thing that they saw, by its time.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from livechat.backends.redis.company import COMPANY, SHARE, TYPING, Company
from livechat.backends.redis.health import COMMANDS, SUBSCRIPTIONS, Health
from livechat.backends.redis.history import READ, History, room_of
from livechat.backends.redis.link import Link, LinkError, RefusedError, Script
from livechat.backends.redis.outbox import PUBLISH, Outbox, Sending
from livechat.backends.redis.rights import PLACE, RIGHTS, look_at_rights, try_subscribing
from livechat.backends.redis.rooms import Rooms
from livechat.backends.redis.roster import BEAT_EVERY, Roster
from livechat.backends.redis.shelf import REPLACE, Shelf
from livechat.backends.redis.stream import Entry, user_of_bytes
from livechat.backends.retention import Retention
from livechat.errors import ChatError, Kind
from livechat.interfaces import IBackend, ICompany, ISink
from livechat.limits import Rate, Seldom
from livechat.reports import Report, Share
from livechat.wire import Draft, Message, Newest, Page, Position, User

_T = TypeVar("_T")

#: How often the log says that a history cannot be read: people ask for it as they like.
UNREADABLE: Final = Rate(per_second=0.05, burst=5)

_RENEW: Final = Script("renew")
_GENERATION: Final = b"lc:generation"
_CONTROL: Final = b"lc:control"
_SECRET: Final = b"lc:secret"

#: Answers that mean that another Redis, or the same one later, can do better.
_ELSEWHERE: Final = frozenset({"READONLY", "LOADING", "MASTERDOWN"})
#: Answers to a beat that mean that all is refused until somebody mends it.
_MAY_NOT: Final = frozenset({"NOPERM", "NOAUTH"})


@implementer(IBackend)
class RedisBackend:
    """
    All rooms, in one Redis.

    @ivar ready: Redis can be asked.
    @ivar generation: a word of its own for each time that numbering began anew.
    """

    _log = Logger()

    def __init__(
        self,
        name: str,
        endpoint: IStreamClientEndpoint,
        clock: IReactorTime,
        retention: Retention,
        *,
        user: str | None = None,
        password: str | None = None,
        database: int | None = None,
    ) -> None:
        """
        @param name: of the Redis, for the log.
        """
        self.description = f"Redis at {name}"
        self.ready = False
        self.generation = b""
        self._clock = clock
        self._health = Health(self.description, clock)
        self._link = Link(
            endpoint,
            clock,
            self,
            scripts=(PUBLISH, READ, REPLACE, COMPANY, RIGHTS, _RENEW),
            user=user,
            password=password,
            database=database,
        )
        self.history = History(self._link, retention)
        self._outbox = Outbox(self._link, clock, self.history, self)
        self._rooms = Rooms(self._link, clock, self.history, self)
        self._roster: Roster | None = None
        self._company: Company | None = None
        self._secret = b""
        self._shelves: dict[str, Shelf] = {}
        # The newest message that this process has stored.
        self._last_stored: tuple[str, Entry] | None = None
        self._unreadable = Seldom(UNREADABLE)
        self._beating = LoopingCall(lambda: Deferred.fromCoroutine(self.beat()))
        self._beating.clock = clock
        self._stopping = False

    def start(
        self, sink: ISink, census: Callable[[], Report], company: ICompany | None = None
    ) -> None:
        self._roster = Roster(self._link, self._clock, census)
        self._company = Company(self._link, self._clock, self._roster.name)
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
        if self._stopping or not self.ready:
            return fail(_away("The message could not be stored"))
        return self._outbox.publish(draft)

    def read(self, room: str, after: int, limit: int) -> Deferred[Page]:
        return self._reading(self._page(room, after, limit))

    async def _page(self, room: str, after: int, limit: int) -> Page:
        while True:
            epoch = self.epoch(room)
            part = await self.history.read(room, after, limit)
            if epoch == self.epoch(room):
                break
        messages = tuple(entry.message() for entry in part.entries)
        return Page(Position(epoch, part.top, part.oldest), messages)

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
            self._shelves[name] = Shelf(self._link, _CONTROL, name)
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
        except RefusedError as reason:
            self._link.drop(str(reason))
            return
        except Exception as reason:  # noqa: BLE001 - any server may be there, and says anything
            self._link.drop(f"it is no Redis, or not understood: {reason!r}")
            return
        if not self._stopping:
            self.ready = True
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
        await self._look_at_role()
        await self._link.load_scripts()
        await look_at_rights(self._link)
        await self._link.ask_time()
        await self.look_at_generation()
        # A Redis that has lost it gets the one back by which people are known here.
        new = self._secret or secrets.token_bytes(32)
        await self._link.command(b"SET", _SECRET, new, b"NX")
        self._secret = await self._link.command(b"GET", _SECRET)
        if self._last_stored is not None:
            # What is lost is always the end: with this one, all before it are there.
            room, entry = self._last_stored
            part = await self.history.read(room, entry.seq - 1, 1)
            kept = entry.seq >= part.oldest
            if part.top < entry.seq or (kept and part.tag_of(entry.seq) != entry.tag):
                await self.begin_anew()

    async def _look_at_role(self) -> None:
        """A replica that takes writes would lose them; one that takes none is found out later."""
        try:
            role = await self._link.command(b"INFO", b"replication")
        except RefusedError as reason:
            if reason.code != "NOPERM":
                raise
            return
        if b"role:slave" in role:
            raise RefusedError("READONLY it is a replica")

    def commands_lost(self, reason: str) -> None:
        self.ready = False
        self._wrong(COMMANDS, reason)

    def subscriptions_made(self) -> None:
        try_subscribing(self._link, _CONTROL)
        self._link.subscribe(self._rooms.channels())

    def subscriptions_lost(self, reason: str) -> None:
        self._rooms.deaf()
        self._wrong(SUBSCRIPTIONS, reason)

    def subscribed(self, channel: bytes) -> None:
        if channel == PLACE:
            self._health.fine(SUBSCRIPTIONS)
        elif channel != _CONTROL:
            self._rooms.listening(channel)

    def told(self, channel: bytes, payload: bytes) -> None:
        if channel == _CONTROL:
            self._controlled(payload)
            return
        try:
            if payload.partition(b" ")[0] in (SHARE, TYPING):
                if self._company is not None:
                    self._company.told(room_of(channel), payload)
                return
            generation, seq, time, tag, size, rest = payload.split(b" ", 5)
            user, text = rest[: int(size)], rest[int(size) :]
            entry = Entry(int(seq), int(time), tag, text.decode(), user_of_bytes(user))
        except ValueError:
            if channel == PLACE:
                return
            # Somebody else has published it; what we published is read where it is missing.
            self._log.warn("{channel!r} tells what no livechat says.", channel=channel)
            return
        if generation != self.generation:
            # Whoever sent it knows an older one, or we do.
            Deferred.fromCoroutine(self._look_at_generation_if_possible())
        self._rooms.told(channel, entry)

    def _controlled(self, news: bytes) -> None:
        """Another process, or this one, tells all."""
        for shelf in self._shelves.values():
            if news == shelf.news:
                shelf.changed()
                return
        word, _, generation = news.partition(b" ")
        if word == b"generation":
            self._adopt(generation)

    async def beat(self) -> None:
        """Tell the others that this process is there; and see whether Redis takes anything."""
        if self.ready and self._roster is not None:
            assert self._company is not None
            try_subscribing(self._link, _CONTROL)
            try:
                await look_at_rights(self._link)
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

    # Generations.

    def epoch(self, room: str) -> str:
        """Names the numbering of *room*; a room that has none yet has its epoch too."""
        return blake2b(room.encode(), key=self.generation, digest_size=8).hexdigest()

    async def look_at_generation(self) -> None:
        """
        See which one it is.

        @raise LinkError: as `Link.command`.
        @raise RefusedError: as `Link.command`.
        """
        found: bytes = await self._link.command(b"GET", _GENERATION) or b""
        if not found:
            found = await self._renew(b"")
        self._adopt(found)

    async def _look_at_generation_if_possible(self) -> None:
        with suppress(LinkError, RefusedError):
            await self.look_at_generation()

    async def begin_anew(self) -> None:
        """Redis has lost messages that somebody has seen.  Fails as `look_at_generation`."""
        self._log.error("{name} has lost messages: rooms begin anew.", name=self.description)
        self._adopt(await self._renew(self.generation))

    async def _renew(self, before: bytes) -> bytes:
        new = secrets.token_urlsafe(12).encode()
        found: bytes = await self._link.call(_RENEW, [_GENERATION, _CONTROL], [before, new])
        return found

    def _adopt(self, generation: bytes) -> None:
        if generation == self.generation:
            return
        before, self.generation = self.generation, generation
        # Whoever began this one has found that messages are lost.
        self._last_stored = None
        if before:
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
        if self.ready and self._roster is not None:
            with suppress(LinkError, RefusedError):
                await self._roster.leave()
        self.ready = False
        await self._link.stop()


def _away(what: str) -> ChatError:
    return ChatError(Kind.UNAVAILABLE, f"{what} just now.")
