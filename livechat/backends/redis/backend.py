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
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from itertools import count
from typing import Any, Final

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from livechat.backends.redis.link import Link, LinkError, RefusedError, Script, answers
from livechat.backends.redis.roster import BEAT_EVERY, Roster
from livechat.backends.redis.shelf import REPLACE, Shelf
from livechat.backends.redis.stream import MOST_AHEAD, Entry, Stream
from livechat.errors import ChatError, Kind
from livechat.interfaces import IBackend, ISink
from livechat.reports import Report
from livechat.wire import Draft, Message, Newest, Page, Position

#: Seconds after which a message, a history or a room is not waited for any longer.
PATIENCE: Final = 2.0
#: Messages and characters that may be under way.
QUEUE: Final = 10_000
QUEUE_CHARACTERS: Final = 32 * 1024 * 1024
#: Most messages, and characters, of a room that are stored by one call.
GROUP: Final = 100
GROUP_CHARACTERS: Final = 64 * 1024
#: Characters after which a page of history ends.
PAGE_CHARACTERS: Final = 256 * 1024
#: Entries that are read at a time where something is missing.
HEAL_PAGE: Final = 200
#: Seconds in which what seems to be missing may still come by itself.
HOLE: Final = 0.1
#: Seconds between two looks at all rooms, and rooms that are looked at together.
SWEEP_EVERY: Final = 5.0
SWEEP_STEP: Final = 500
#: Seconds for which a room is listened to when its last member has left.
LINGER: Final = 5.0
#: Seconds after which one that would not serve us is asked again.
AGAIN: Final = 0.5

_PUBLISH: Final = Script("publish")
_READ: Final = Script("read")
_RENEW: Final = Script("renew")
_GENERATION: Final = b"lc:generation"
_CONTROL: Final = b"lc:control"

#: Answers that mean that another Redis, or the same one later, can do better.
_ELSEWHERE: Final = frozenset({"READONLY", "LOADING", "MASTERDOWN"})


@dataclass(frozen=True)
class Limits:
    """
    What a history keeps.

    @ivar messages: in a room; 0: all.
    @ivar seconds: for which it keeps them; 0: for ever.
    """

    messages: int = 0
    seconds: int = 0


class _Sending:
    """A message that somebody waits for."""

    __slots__ = ("answer", "deadline", "draft", "tag", "text")

    def __init__(self, draft: Draft, text: bytes, tag: bytes, deadline: float) -> None:
        self.draft = draft
        self.text = text
        self.tag = tag
        self.deadline = deadline
        self.answer: Deferred[Message] | None = Deferred()

    def stored(self, message: Message) -> None:
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.callback(message)

    def refused(self, reason: Exception) -> None:
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.errback(reason)


class _Room:
    """
    A room that is listened to, or about to be.

    @ivar stream: None until it is known where it stands.
    @ivar early: what was heard before that.
    @ivar waiting: who waits until then.
    @ivar unseen: what was stored from here and is not delivered yet, by its tag.
    @ivar later: after a new generation, what is later than this has not been seen.
    """

    __slots__ = (
        "check", "early", "hole", "later", "linger", "listening", "name", "quiet", "stream",
        "tended", "unseen", "waiting",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.stream: Stream | None = None
        self.early: list[Entry] = []
        self.waiting: list[Deferred[None]] = []
        self.unseen: dict[bytes, tuple[_Sending, Message]] = {}
        self.later: int | None = None
        self.listening = False
        self.tended = False
        self.check = False
        self.quiet = True
        self.hole: IDelayedCall | None = None
        self.linger: IDelayedCall | None = None


@implementer(IBackend)
class RedisBackend:
    """All rooms, in one Redis."""

    _log = Logger()

    def __init__(
        self,
        name: str,
        endpoint: IStreamClientEndpoint,
        clock: IReactorTime,
        limits: Limits,
        *,
        user: str | None = None,
        password: str | None = None,
        database: int | None = None,
    ) -> None:
        """
        @param name: of the Redis, for the log.
        """
        self.description = f"Redis at {name}"
        self._clock = clock
        self._limits = limits
        # For tests: milliseconds since 1970, in place of what Redis's clock says.
        self.now: int | None = None
        self._link = Link(
            endpoint,
            clock,
            self,
            scripts=(_PUBLISH, _READ, _RENEW, REPLACE),
            user=user,
            password=password,
            database=database,
        )
        self._sink: ISink | None = None
        self._generation = b""
        self._ready = False
        self._trouble: str | None = "Redis is not connected yet"
        self._logged: str | None = None
        self._rooms: dict[str, _Room] = {}
        self._tags = count()
        self._tag = secrets.token_urlsafe(6)
        # What this turn wants of Redis.
        self._turn: IDelayedCall | None = None
        self._queue: list[_Sending] = []
        self._to_hear: list[str] = []
        # All that is waited for, in the order of the calls.
        self._sendings: deque[_Sending] = deque()
        self._characters = 0
        self._impatience: IDelayedCall | None = None
        self._asking: IDelayedCall | None = None
        # Sent, and the connection was lost.
        self._unsure: list[_Sending] = []
        self._last_stored: tuple[str, int, bytes] | None = None
        self._sweeper = LoopingCall(lambda: Deferred.fromCoroutine(self._sweep()))
        self._sweeper.clock = clock
        self._roster: Roster | None = None
        self._shelves: dict[str, Shelf] = {}
        self._beating = LoopingCall(lambda: Deferred.fromCoroutine(self._beat()))
        self._beating.clock = clock
        self._stopping = False

    def start(self, sink: ISink, census: Callable[[], Report]) -> None:
        self._sink = sink
        self._roster = Roster(self._link, self._clock, census)
        self._link.start()
        self._sweeper.start(SWEEP_EVERY, now=False)
        self._beating.start(BEAT_EVERY, now=False)

    def shelf(self, name: str) -> Shelf:
        if name not in self._shelves:
            self._shelves[name] = Shelf(self._link, _CONTROL, name)
        return self._shelves[name]

    def trouble(self) -> str | None:
        return self._trouble

    def reports(self) -> Deferred[Sequence[Report]]:
        assert self._roster is not None
        return Deferred.fromCoroutine(self._roster.reports())

    def subscribe(self, room: str) -> Deferred[None]:
        there = self._rooms.get(room)
        if there is None:
            if not self._ready or self._stopping:
                return fail(self._away("The room cannot be entered"))
            there = self._rooms[room] = _Room(room)
            self._to_hear.append(room)
            self._at_end_of_turn()
        elif there.linger is not None:
            there.linger.cancel()
            there.linger = None
        if there.stream is not None:
            return succeed(None)
        entered: Deferred[None] = Deferred(there.waiting.remove)
        there.waiting.append(entered)
        self._tend(there)
        too_late = Failure(self._away("The room cannot be entered"))
        return entered.addTimeout(PATIENCE, self._clock, lambda *_: too_late)

    def unsubscribe(self, room: str) -> None:
        there = self._rooms.get(room)
        if there is not None and there.linger is None:
            there.linger = self._clock.callLater(LINGER, self._leave, there)

    def _leave(self, room: _Room) -> None:
        room.linger = None
        if room.waiting or room.unseen:
            room.linger = self._clock.callLater(LINGER, self._leave, room)
            return
        del self._rooms[room.name]
        if room.hole is not None:
            room.hole.cancel()
        self._link.unsubscribe([_channel(room.name)])

    def publish(self, draft: Draft) -> Deferred[Message]:
        if self._stopping or not self._ready:
            return fail(self._away("The message could not be stored"))
        try:
            text = draft.message.encode()
        except UnicodeEncodeError:
            return fail(ChatError(Kind.BAD_MESSAGE, "This text cannot be stored."))
        if len(self._sendings) >= QUEUE or self._characters + len(text) > QUEUE_CHARACTERS:
            return fail(ChatError(Kind.OVERLOADED, "Too many messages are waiting to be stored."))
        tag = f"{self._tag}{next(self._tags):x}".encode()
        sending = _Sending(draft, text, tag, self._clock.seconds() + PATIENCE)
        answer = sending.answer
        assert answer is not None
        self._characters += len(text)
        self._sendings.append(sending)
        if self._impatience is None:
            self._impatience = self._clock.callLater(PATIENCE, self._lose_patience)
        self._queue.append(sending)
        self._at_end_of_turn()
        return answer

    def read(self, room: str, after: int, limit: int) -> Deferred[Page]:
        return Deferred.fromCoroutine(self._in_time(self._read_page(room, after, limit)))

    async def _read_page(self, room: str, after: int, limit: int) -> Page:
        epoch = self._epoch(room)
        top, oldest, entries = await self._read(room, after, limit, PAGE_CHARACTERS)
        messages = tuple(entry.message() for entry in entries)
        return Page(Position(epoch, top, oldest), messages)

    def newest(self, rooms: Sequence[str]) -> Deferred[Mapping[str, Newest]]:
        return Deferred.fromCoroutine(self._in_time(self._newest(rooms)))

    async def _newest(self, rooms: Sequence[str]) -> Mapping[str, Newest]:
        found: dict[str, Newest] = {}
        async for name, (top, time, _) in self._states(rooms):
            if top:
                found[name] = Newest(top, time)
        return found

    async def _in_time(self, reading: Coroutine[Any, Any, Any]) -> Any:
        """What *reading* returns, or why people cannot have it."""
        if self._stopping or not self._ready:
            reading.close()
            raise self._away("The history cannot be read")
        try:
            return await Deferred.fromCoroutine(reading)
        except (LinkError, RefusedError) as reason:
            self._log.error("The history cannot be read: {reason}", reason=str(reason))
            raise self._away("The history cannot be read") from None

    def _away(self, what: str) -> ChatError:
        reason = "the server is stopping" if self._stopping else "try again soon"
        return ChatError(Kind.UNAVAILABLE, f"{what} just now: {reason}.")

    # What is sent.

    def _at_end_of_turn(self) -> None:
        if self._turn is None:
            self._turn = self._clock.callLater(0, self._flush)

    def _flush(self) -> None:
        """Give Redis what gathered in this turn of the reactor."""
        self._turn = None
        rooms, self._to_hear = self._to_hear, []
        self._link.subscribe([_channel(room) for room in rooms if room in self._rooms])
        queue, self._queue = self._queue, []
        self._send(queue)

    def _send(self, sendings: Iterable[_Sending], *, again: bool = False) -> None:
        by_room: dict[str, list[_Sending]] = {}
        for sending in sendings:
            by_room.setdefault(sending.draft.room, []).append(sending)
        for room, all_of_it in by_room.items():
            group: list[_Sending] = []
            size = 0
            for sending in all_of_it:
                if len(group) == GROUP or (group and size + len(sending.text) > GROUP_CHARACTERS):
                    self._send_group(room, group, again=again)
                    group, size = [], 0
                group.append(sending)
                size += len(sending.text)
            self._send_group(room, group, again=again)

    def _send_group(self, room: str, group: Sequence[_Sending], *, again: bool) -> None:
        # What is in time for the first one is for all.
        deadline = self._link.time(group[0].deadline)
        args = [
            self._generation,
            b"%d" % deadline,
            *self._what_is_kept(),
            b"1" if again else b"0",
        ]
        for sending in group:
            args += (sending.tag, sending.text)
        keys = [_stream(room), _state(room), _channel(room)]
        self._link.call(_PUBLISH, keys, args).addCallbacks(
            self._stored, self._not_stored, callbackArgs=(room, group), errbackArgs=(group,)
        ).addErrback(self._broken, group)

    def _stored(self, answer: Sequence[int], room: str, group: Sequence[_Sending]) -> None:
        self._trouble_ended()
        self._forget_answered()
        if not answer:
            self._refuse(group, self._away("The message could not be stored in time"))
            return
        there = self._rooms.get(room)
        numbers = zip(answer[::2], answer[1::2], strict=True)
        entries = []
        for sending, (seq, time) in zip(group, numbers, strict=True):
            entry = Entry(seq, time, sending.tag, sending.draft.message)
            entries.append(entry)
            if there is None or (there.stream is not None and seq <= there.stream.position):
                sending.stored(entry.message())
            else:
                there.unseen[entry.tag] = sending, entry.message()
        self._last_stored = room, entries[-1].seq, entries[-1].tag
        if there is not None:
            self._hear(there, entries)

    def _not_stored(self, failure: Failure, group: Sequence[_Sending]) -> None:
        reason = failure.value
        if not isinstance(reason, LinkError | RefusedError):
            self._broken(failure, group)
            return
        if isinstance(reason, LinkError):
            if reason.sent:
                self._unsure += (each for each in group if each.answer is not None)
            else:
                self._refuse(group, self._away("The message could not be stored"))
            return
        self._trouble_began(str(reason))
        self._refuse(group, self._away("The message could not be stored"))
        if reason.code in _ELSEWHERE:
            self._link.drop(str(reason))

    def _broken(self, failure: Failure, group: Sequence[_Sending]) -> None:
        """A bug: nobody must wait for ever because of it."""
        self._log.failure("Messages could not be stored or delivered.", failure)
        self._refuse(group, ChatError(Kind.UNKNOWN, "The message may have been stored."))

    @staticmethod
    def _refuse(group: Iterable[_Sending], reason: ChatError) -> None:
        for sending in group:
            sending.refused(reason)

    def _forget_answered(self) -> None:
        while self._sendings and self._sendings[0].answer is None:
            self._characters -= len(self._sendings.popleft().text)

    def _lose_patience(self) -> None:
        """Answer those who have waited long enough; who came first is so first."""
        self._impatience = None
        now = self._clock.seconds()
        self._forget_answered()
        while self._sendings and self._sendings[0].deadline <= now:
            # It is with Redis, which may store it still: within the deadline that it knows.
            self._sendings[0].refused(ChatError(Kind.UNKNOWN, "The message may have been stored."))
            self._forget_answered()
        self._unsure = [each for each in self._unsure if each.answer is not None]
        if self._sendings:
            left = max(0.0, self._sendings[0].deadline - now)
            self._impatience = self._clock.callLater(left, self._lose_patience)

    # What is heard.

    def told(self, channel: bytes, payload: bytes) -> None:
        if channel == _CONTROL:
            self._controlled(payload)
            return
        room = self._rooms.get(_room_of(channel))
        if room is None:
            return
        generation, seq, time, tag, text = payload.split(b" ", 4)
        if generation != self._generation:
            # Whoever sent it knows an older one, or we do.
            Deferred.fromCoroutine(self._look_at_generation())
        self._hear(room, [Entry(int(seq), int(time), tag, text.decode())])

    def _controlled(self, news: bytes) -> None:
        for shelf in self._shelves.values():
            if news == shelf.news:
                shelf.changed()
                return
        word, _, generation = news.partition(b" ")
        if word == b"generation":
            self._adopt(generation)

    def _hear(self, room: _Room, entries: Sequence[Entry]) -> None:
        room.quiet = False
        if room.stream is None:
            if len(room.early) < MOST_AHEAD:
                room.early += entries
            else:
                room.check = True
            return
        news: list[Entry] = []
        for entry in entries:
            if entry.seq == room.stream.position and room.stream.tag not in (entry.tag, b""):
                # Another message has the number of the newest one.
                room.check = True
                self._tend(room)
            news += room.stream.take(entry)
        self._deliver(room, news)
        if room.stream.hole and room.hole is None:
            room.hole = self._clock.callLater(HOLE, self._look_at_hole, room)

    def _look_at_hole(self, room: _Room) -> None:
        room.hole = None
        if room.stream is not None and room.stream.hole:
            room.check = True
            self._tend(room)

    def _deliver(self, room: _Room, news: Sequence[Entry]) -> None:
        assert self._sink is not None
        assert room.stream is not None
        if news:
            messages = [entry.message() for entry in news]
            self._sink.deliver(room.name, self._epoch(room.name), messages)
        for entry in news:
            if entry.tag in room.unseen:
                room.unseen.pop(entry.tag)[0].stored(entry.message())

    def subscribed(self, channel: bytes) -> None:
        room = self._rooms.get(_room_of(channel))
        if room is not None:
            room.listening = True
            room.check = True
            self._tend(room)

    # Finding out where a room stands, and what is missing.

    def _tend(self, room: _Room) -> None:
        if not room.tended and self._ready and room.listening:
            room.tended = True
            Deferred.fromCoroutine(self._attend(room)).addErrback(
                lambda failure: self._log.failure("A room could not be read.", failure)
            )

    async def _attend(self, room: _Room) -> None:
        try:
            while self._rooms.get(room.name) is room:
                generation = self._generation
                if room.stream is None:
                    await self._open(room)
                elif room.check:
                    room.check = False
                    await self._check(room, room.stream)
                else:
                    return
                if generation != self._generation and room.stream is not None:
                    self._reopen(room)
        except (LinkError, RefusedError):
            # When the connection is there again, it is looked at again.
            room.check = True
        finally:
            room.tended = False

    async def _open(self, room: _Room) -> None:
        """Begin to deliver: from what is stored from now on, or after what was seen."""
        room.check = False
        later = room.later
        found: list[Entry] = []
        if later is None:
            ((top, time, tag),) = [state async for _, state in self._states([room.name])]
        else:
            top, tag, time, after = 0, b"", later, 0
            while True:
                top, _, entries = await self._read(
                    room.name, after, HEAL_PAGE, PAGE_CHARACTERS, later=later
                )
                found += entries
                if not entries or entries[-1].seq >= top:
                    break
                after = entries[-1].seq
        first = found[0].seq - 1 if found else top
        room.stream = Stream(first, b"" if found else tag, time)
        room.later = None
        early, room.early = room.early, []
        self._deliver(room, room.stream.read(found, top))
        self._hear(room, early)
        waiting, room.waiting = room.waiting, []
        for entered in waiting:
            entered.callback(None)

    async def _check(self, room: _Room, stream: Stream) -> None:
        """See whether Redis has what it had, and read what is missing."""
        position, tag = stream.position, stream.tag
        ((top, _, newest),) = [state async for _, state in self._states([room.name])]
        if stream is not room.stream:
            return
        if not Stream.fits(position, tag, top, newest):
            await self._begin_anew()
            return
        stream.top = max(stream.top, top)
        while stream.hole and stream is room.stream:
            position, tag = stream.position, stream.tag
            top, oldest, entries = await self._read(
                room.name, max(0, position - 1), HEAL_PAGE, PAGE_CHARACTERS
            )
            if stream is not room.stream:
                return
            here = [entry.tag for entry in entries if entry.seq == position]
            if top < position or (here and tag and here != [tag]):
                await self._begin_anew()
                return
            if stream.position < oldest - 1:
                self._log.warn(
                    "Messages of {room} were trimmed before they could be delivered.",
                    room=room.name,
                )
                self._deliver(room, stream.pass_over(oldest - 1))
                self._answer_passed_over(room, stream)
            news = stream.read(entries, top)
            self._deliver(room, news)
            if not news and stream.position == position:
                # What was heard of is not there: the next check finds out why.
                stream.top = stream.position

    @staticmethod
    def _answer_passed_over(room: _Room, stream: Stream) -> None:
        for tag, (sending, message) in tuple(room.unseen.items()):
            if message.seq <= stream.position:
                del room.unseen[tag]
                sending.stored(message)

    async def _sweep(self) -> None:
        """Look at the rooms in which nothing was heard since the last time."""
        quiet = [room for room in self._rooms.values() if room.quiet]
        for room in self._rooms.values():
            room.quiet = True
        stood = {
            room.name: (room.stream.position, room.stream.tag)
            for room in quiet
            if room.stream is not None
        }
        for room in self._rooms.values():
            if room.stream is None or room.check:
                self._tend(room)
        try:
            if self._ready:
                await self._look_at_generation()
                async for name, (top, _, newest) in self._states(list(stood)):
                    there = self._rooms.get(name)
                    position, tag = stood[name]
                    fits = Stream.fits(position, tag, top, newest)
                    if there is not None and (top > position or not fits):
                        there.check = True
                        self._tend(there)
        except (LinkError, RefusedError):
            pass  # it is looked at again when the connection is there

    async def _beat(self) -> None:
        """Tell the others that this process is there; and see whether Redis takes anything."""
        if not self._ready or self._roster is None:
            return
        try:
            await self._roster.beat()
        except LinkError:
            return
        except RefusedError as reason:
            self._trouble_began(str(reason))
        else:
            self._trouble_ended()

    # The connections.

    def commands_made(self) -> None:
        Deferred.fromCoroutine(self._prepare()).addErrback(
            lambda failure: self._log.failure("Redis cannot be used.", failure)
        )

    async def _prepare(self) -> None:
        try:
            await self._look_at_redis()
        except LinkError:
            return
        except RefusedError as reason:
            self._trouble_began(str(reason))
            self._asking = self._clock.callLater(AGAIN, self._link.drop, str(reason))
            return
        if not self._stopping:
            self._ready = True
            self._trouble_ended()
            Deferred.fromCoroutine(self._beat())
            for shelf in self._shelves.values():
                shelf.changed()
            unsure, self._unsure = self._unsure, []
            self._send((each for each in unsure if each.answer is not None), again=True)
            for room in tuple(self._rooms.values()):
                room.check = True
                self._tend(room)

    async def _look_at_redis(self) -> None:
        """Whether it is one that can be used, and the one that it was."""
        if b"role:slave" in await self._link.command(b"INFO", b"replication"):
            raise RefusedError("READONLY it is a replica")
        await self._link.load_scripts()
        await self._link.ask_time()
        await self._look_at_generation()
        if self._last_stored is not None:
            room, seq, tag = self._last_stored
            top, oldest, entries = await self._read(room, seq - 1, 1, 1)
            here = [entry.tag for entry in entries if entry.seq == seq]
            if top < seq or (seq >= oldest and here != [tag]):
                await self._begin_anew()

    def unreachable(self, reason: str) -> None:
        if not self._ready:
            self._trouble_began(reason)

    def commands_lost(self, reason: str) -> None:
        self._ready = False
        self._trouble_began(reason)

    def subscriptions_made(self) -> None:
        self._link.subscribe([_CONTROL, *map(_channel, self._rooms)])

    def subscriptions_lost(self, reason: str) -> None:
        for room in self._rooms.values():
            room.listening = False

    def _trouble_began(self, reason: str) -> None:
        if not self._stopping:
            if self._logged is None:
                self._logged = reason
                self._log.error(
                    "{name} cannot be used: {reason}", name=self.description, reason=reason
                )
            self._trouble = f"Redis is away: {reason}"

    def _trouble_ended(self) -> None:
        if self._trouble is not None:
            self._log.info("{name} can be used.", name=self.description)
            self._trouble = self._logged = None

    # Generations.

    async def _look_at_generation(self) -> None:
        found: bytes = await self._link.command(b"GET", _GENERATION) or b""
        if not found:
            found = await self._renew(b"")
        self._adopt(found)

    async def _begin_anew(self) -> None:
        """Redis has lost messages that somebody has seen."""
        self._log.error("{name} has lost messages: rooms begin anew.", name=self.description)
        self._adopt(await self._renew(self._generation))

    async def _renew(self, before: bytes) -> bytes:
        new = secrets.token_urlsafe(12).encode()
        found: bytes = await self._link.call(_RENEW, [_GENERATION, _CONTROL], [before, new])
        return found

    def _adopt(self, generation: bytes) -> None:
        if generation == self._generation:
            return
        before, self._generation = self._generation, generation
        # Whoever began this one has found that messages are lost.
        self._last_stored = None
        if before:
            for room in tuple(self._rooms.values()):
                self._reopen(room)

    def _reopen(self, room: _Room) -> None:
        """Under a new epoch; from where its members have seen it."""
        if room.stream is not None:
            room.later = room.stream.time
            room.stream = None
        self._tend(room)

    def _epoch(self, room: str) -> str:
        """Names the numbering of *room*; a room that has none yet has its epoch too."""
        return blake2b(room.encode(), key=self._generation, digest_size=8).hexdigest()

    # What is asked of Redis.

    def _what_is_kept(self) -> tuple[bytes, bytes, bytes]:
        now = b"" if self.now is None else b"%d" % self.now
        return now, b"%d" % self._limits.messages, b"%d" % (1000 * self._limits.seconds)

    async def _read(
        self, room: str, after: int, limit: int, characters: int, *, later: int | None = None
    ) -> tuple[int, int, list[Entry]]:
        """The newest number, the oldest one kept, and what follows *after*."""
        args = [
            b"%d" % after,
            b"" if later is None else b"%d" % later,
            b"%d" % limit,
            b"%d" % characters,
            *self._what_is_kept(),
        ]
        top, oldest, found = await self._link.call(_READ, [_stream(room), _state(room)], args)
        entries = [
            Entry(int(number.partition(b"-")[0]), int(values[1]), values[3], values[5].decode())
            for number, values in found
        ]
        return top, oldest, entries

    async def _states(self, rooms: Sequence[str]) -> Any:
        """Of each room its name, and number, time and tag of its newest message."""
        for start in range(0, len(rooms), SWEEP_STEP):
            some = rooms[start : start + SWEEP_STEP]
            asked = [self._link.command(b"HMGET", _state(room), b"s", b"t", b"i") for room in some]
            found = await answers(asked)
            for room, (top, time, tag) in zip(some, found, strict=True):
                yield room, (int(top or 0), int(time or 0), tag or b"")

    # The end.

    def stop(self) -> Deferred[None]:
        if self._stopping:
            return succeed(None)
        self._stopping = True
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for looping in (self._sweeper, self._beating):
            if looping.running:
                looping.stop()
        waiting = [each.answer for each in self._sendings if each.answer is not None]
        for answer in waiting:
            done: Deferred[None] = Deferred()
            answer.addBoth(_and_tell, done)
            await done
        for room in self._rooms.values():
            for entered in tuple(room.waiting):
                entered.errback(self._away("The room cannot be entered"))
        timers = [self._turn, self._impatience, self._asking]
        for room in self._rooms.values():
            timers += (room.hole, room.linger)
        for timer in timers:
            if timer is not None and timer.active():
                timer.cancel()
        self._rooms.clear()
        if self._ready and self._roster is not None:
            with suppress(LinkError, RefusedError):
                await self._roster.leave()
        self._ready = False
        await self._link.stop()


def _and_tell(result: Any, done: Deferred[None]) -> Any:
    done.callback(None)
    return result


# Names go into keys as they are: they have no braces (`livechat.names`).


def _stream(room: str) -> bytes:
    return f"lc:{{{room}}}:s".encode()


def _state(room: str) -> bytes:
    return f"lc:{{{room}}}:m".encode()


def _channel(room: str) -> bytes:
    return f"lc:{{{room}}}".encode()


def _room_of(channel: bytes) -> str:
    return channel[4:-1].decode()
