"""
The rooms that a process listens to: their positions, and gaps.

A room is *tended* by one coroutine at a time.  It opens the room, by reading where its
stream stands after it is listened to, and looks for what is missing whenever there is a
reason to: a hole, a new connection, a quiet room whose newest number has changed.  What
is heard meanwhile waits.

After a connection was lost a room is *doubted*: Redis may have lost messages, and given
their numbers to others.  Nothing more is delivered until the newest message that its
members have seen was found there again.

When a numbering begins anew, which another word or another generation says, the room is
opened again before anything of it is delivered.  It goes on after the newest message
that its members have seen, if that is still there.  If it is not, members get everything
of a numbering with another word, and what was stored later where the word is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat import metrics
from livechat.backends.redis.acts import Stored, conclude
from livechat.backends.redis.connection import Commands, RefusedError, UnansweredError
from livechat.backends.redis.entries import Entry, Part
from livechat.backends.redis.history import History
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.stream import Stream
from livechat.backends.redis.subscription import Rooms, Subscription, SubscriptionsHost, every
from livechat.errors import ChatError, Kind
from livechat.interfaces import ISink, Record

#: Seconds to wait until a room can be entered.
ENTER_WITHIN: Final = 2.0
#: Seconds for which a room stays subscribed after its last member has left.
LINGER: Final = 5.0
#: Seconds to wait for missing entries, which may still come by themselves.
HOLE: Final = 0.1
#: Seconds between two looks at all rooms.
SWEEP_EVERY: Final = 5.0
#: Missing entries that are read at a time.
READ_PAGE: Final = 200


class Subscriptions:
    """All rooms that a process listens to."""

    _log = Logger()

    def __init__(
        self,
        connection: Commands,
        keys: Keys,
        clock: IReactorTime,
        history: History,
        host: SubscriptionsHost,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._clock = clock
        self._history = history
        self._host = host
        self._sink: ISink | None = None
        self._record: Record | None = None
        self._rooms: dict[str, Subscription] = {}
        self._to_hear: list[str] = []
        self._turn: IDelayedCall | None = None
        self._sweeper = LoopingCall(lambda: Deferred.fromCoroutine(self.sweep()))
        self._sweeper.clock = clock

    def start(self, sink: ISink, record: Record | None = None) -> None:
        self._sink, self._record = sink, record
        self._sweeper.start(SWEEP_EVERY, now=False)

    def enter(self, name: str) -> Deferred[None]:
        """Implement `livechat.interfaces.IMessageLog.subscribe`."""
        room = self._rooms.get(name)
        if room is None:
            if not self._host.ready_for(name):
                return fail(_not_entered())
            room = self._rooms[name] = Subscription(name)
            self._to_hear.append(name)
            if self._turn is None:
                self._turn = self._clock.callLater(0, self._flush)
        elif room.linger is not None:
            room.linger.cancel()
            room.linger = None
        if room.stream is not None:
            return succeed(None)
        entered: Deferred[None] = Deferred(room.entering.remove)
        room.entering.append(entered)
        self._tend(room)
        return entered.addTimeout(ENTER_WITHIN, self._clock, lambda *_: Failure(_not_entered()))

    def _flush(self) -> None:
        """Subscribe to the rooms that were entered in this turn of the reactor."""
        self._turn = None
        names, self._to_hear = self._to_hear, []
        self._connection.subscribe(
            [self._keys.channel(name) for name in names if name in self._rooms]
        )

    def leave(self, name: str) -> None:
        """Implement `livechat.interfaces.IMessageLog.unsubscribe`."""
        room = self._rooms.get(name)
        if room is not None and room.linger is None:
            room.linger = self._clock.callLater(LINGER, self._end, room)

    def _end(self, room: Subscription) -> None:
        room.linger = None
        room.forget_answered()
        if room.entering or room.unseen:
            room.linger = self._clock.callLater(LINGER, self._end, room)
            return
        del self._rooms[room.name]
        self._host.forget_users(room.name)
        if room.hole is not None:
            room.hole.cancel()
        self._connection.unsubscribe([self._keys.channel(room.name)])

    def channels(self) -> list[bytes]:
        """The channels to listen to."""
        return [self._keys.channel(name) for name in self._rooms]

    def deaf(self, rooms: Rooms = every) -> None:
        """
        The subscriptions are lost: Redis tells of nothing.

        @param rooms: the rooms that are concerned, here and below.
        """
        for room in self._rooms.values():
            if rooms(room.name):
                self._deafen(room)

    def deaf_to(self, channel: bytes) -> None:
        """The subscription to *channel* is lost."""
        room = self._rooms.get(self._keys.room(channel))
        if room is not None:
            self._deafen(room)

    @staticmethod
    def _deafen(room: Subscription) -> None:
        room.listening = room.informed = False
        room.doubted = room.stream is not None

    def doubt(self, rooms: Rooms = every) -> None:
        """Deliver nothing until Redis is known to have lost no entries."""
        for room in self._rooms.values():
            if rooms(room.name):
                room.doubted = room.stream is not None

    def listening(self, channel: bytes) -> None:
        """The subscription to *channel* holds: check soon whether entries were missed."""
        room = self._rooms.get(self._keys.room(channel))
        if room is not None:
            room.listening = True
            self._check_soon(room)

    def published(self, channel: bytes, entry: Entry) -> None:
        """Redis has published a message."""
        room = self._rooms.get(self._keys.room(channel))
        if room is not None:
            self._hear(room, [entry])

    def stored(self, name: str, stored: Sequence[Stored], *, new: bool) -> None:
        """
        Entries of this process are stored; their receivers are told when the room has them.

        @param new: otherwise they are read back: they may be changed since.
        """
        room = self._rooms.get(name)
        if room is None:
            conclude(name, stored, self._record)
            return
        conclude(name, room.await_delivery(stored), self._record)
        if new:
            self._hear(room, [entry for _, entry, _ in stored])
        elif room.unseen:
            self._check_soon(room)

    def _hear(self, room: Subscription, entries: Sequence[Entry]) -> None:
        room.quiet = False
        if room.stream is None or room.doubted:
            room.wait(entries)
            return
        news: list[Entry] = []
        for number, entry in enumerate(entries):
            if entry.word != room.stream.word:
                self._deliver(room, news)
                self._open_again(room, entries[number:])
                return
            if entry.seq == room.stream.position and room.stream.tag not in (entry.tag, b""):
                # The number is that of the newest entry, but the entry is another one.
                self._deliver(room, news)
                room.doubted = True
                room.wait(entries[number + 1 :])
                self._check_soon(room)
                return
            news += room.stream.push(entry)
        self._deliver(room, news)
        if room.stream.hole and room.hole is None:
            room.hole = self._clock.callLater(HOLE, self._look_at_hole, room)

    def _look_at_hole(self, room: Subscription) -> None:
        room.hole = None
        if room.stream is not None and room.stream.hole:
            self._check_soon(room)

    def _deliver(self, room: Subscription, news: Sequence[Entry]) -> None:
        assert self._sink is not None
        if news:
            epoch = self._host.generation.epoch(room.name, news[0].word)
            self._sink.deliver(room.name, epoch, [entry.entry() for entry in news])
            conclude(room.name, room.take_delivered(news), self._record)

    def check_all(self, rooms: Rooms = every) -> None:
        """Look for missing entries, after a time in which that was impossible."""
        for room in tuple(self._rooms.values()):
            if rooms(room.name):
                self._check_soon(room)

    def open_all_again(self) -> None:
        """A new generation has begun."""
        for room in tuple(self._rooms.values()):
            self._open_again(room)

    def _open_again(self, room: Subscription, heard: Sequence[Entry] = ()) -> None:
        """
        Open the room again, since another numbering may have begun.

        @param heard: the first entries of the new numbering.
        """
        if room.stream is not None:
            room.before, room.stream = room.stream, None
            room.doubted = False
            room.wait(heard)
        self._tend(room)

    def _check_soon(self, room: Subscription) -> None:
        room.check = True
        self._tend(room)

    def _tend(self, room: Subscription) -> None:
        if not room.tended and self._host.ready_for(room.name) and room.listening:
            room.tended = True
            Deferred.fromCoroutine(self._attend(room)).addErrback(
                lambda failure: self._log.failure("A room could not be read.", failure)
            )

    async def _attend(self, room: Subscription) -> None:
        try:
            while self._rooms.get(room.name) is room:
                generation = self._host.generation.name
                # The room loses its stream if another generation begins during an await.
                stream = room.stream
                if stream is None:
                    await self._open(room)
                elif room.check:
                    room.check = False
                    if not room.informed:
                        await self._host.find_users(room.name)
                        room.informed = True
                    await self._check(room, stream)
                else:
                    return
                if generation != self._host.generation.name:
                    self._open_again(room)
        except (UnansweredError, RefusedError):
            # The next connection tries again, and so does each sweep.
            room.check = True
        finally:
            room.tended = False

    async def _open(self, room: Subscription) -> None:
        """Begin to deliver entries: new ones, or those after the last that was seen."""
        room.check = False
        before = room.before
        if before is None:
            newest = (await self._history.read(room.name, 0, 0)).newest
            stream, found = Stream(newest.seq, newest.tag, newest.time, newest.word), None
        else:
            stream, found = await self._follow(room.name, before)
        await self._host.find_users(room.name)
        room.informed = True
        room.stream, room.before = stream, None
        if found is not None:
            self._deliver(room, stream.read(found.entries, found.newest.seq))
            room.check = room.check or stream.hole
        self._hear(room, room.take_early(stream.word))
        conclude(room.name, room.take_passed(stream), self._record)
        entering, room.entering = room.entering, []
        for entered in entering:
            entered.callback(None)

    async def _follow(self, name: str, before: Stream) -> tuple[Stream, Part]:
        """Find where a room goes on, perhaps with other numbers, and the page to begin with."""
        position, tag = before.position, before.tag
        part = await self._history.read(name, max(0, position - 1), READ_PAGE)
        word = part.newest.word
        if tag and part.tag_of(position) == tag:
            return Stream(position, tag, before.time, word), part
        later = before.time if word == before.word else None
        part = await self._history.read(name, 0, READ_PAGE, later=later)
        first = part.entries[0].seq if part.entries else part.newest.seq + 1
        return Stream(first - 1, b"", before.time, part.newest.word), part

    async def _check(self, room: Subscription, stream: Stream) -> None:
        """Check that Redis has lost nothing, and read missing entries."""
        while True:
            position, tag = stream.position, stream.tag
            # The page begins with the newest delivered entry, which must be the same.
            part = await self._history.read(room.name, max(0, position - 1), READ_PAGE)
            if stream is not room.stream:
                return
            if part.newest.word != stream.word:
                self._open_again(room)
                return
            if not Stream.fits(position, tag, part):
                await self._host.begin_anew()
                return
            room.doubted = False
            if not self._fill(room, stream, part):
                break
        self._hear(room, room.take_early(stream.word))
        conclude(room.name, room.take_passed(stream), self._record)

    def _fill(self, room: Subscription, stream: Stream, part: Part) -> bool:
        """Deliver the first missing entries; return True if more are missing."""
        position = stream.position
        if position < part.oldest - 1:
            self._pass_over(room, stream, part.oldest - 1)
        news = stream.read(part.entries, part.newest.seq)
        metrics.healed(len(news))
        self._deliver(room, news)
        if stream.position == position:
            # Entries that were announced are not there: the next check finds the reason.
            stream.top = position
        return stream.hole

    def _pass_over(self, room: Subscription, stream: Stream, seq: int) -> None:
        self._log.warn(
            "Messages of {room} were trimmed before they could be delivered.", room=room.name
        )
        self._deliver(room, stream.pass_over(seq))
        conclude(room.name, room.take_passed(stream), self._record)

    async def sweep(self) -> None:
        """Look at the rooms in which nothing was heard since the last time."""
        stood: dict[str, Stream] = {}
        for room in self._rooms.values():
            room.forget_answered()
            if room.stream is None or room.check:
                self._tend(room)
            elif room.quiet:
                stood[room.name] = room.stream
            room.quiet = True
        if self._host.ready:
            await self._host.generation.refresh_if_possible()
        with suppress(UnansweredError, RefusedError):  # the next sweep looks again
            await self._look_at(stood)

    async def _look_at(self, stood: Mapping[str, Stream]) -> None:
        async for name, state in self._history.states(list(filter(self._host.ready_for, stood))):
            room = self._rooms.get(name)
            if room is not None and not stood[name].at(state):
                self._check_soon(room)

    def stop(self) -> None:
        if self._sweeper.running:
            self._sweeper.stop()
        timers = [self._turn]
        for room in self._rooms.values():
            for entered in tuple(room.entering):
                entered.errback(_not_entered())
            timers += (room.hole, room.linger)
        for timer in timers:
            if timer is not None and timer.active():
                timer.cancel()
        self._rooms.clear()


def _not_entered() -> ChatError:
    return ChatError(Kind.UNAVAILABLE, "The room cannot be entered just now.")
