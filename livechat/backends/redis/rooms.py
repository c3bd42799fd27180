"""
The rooms that a process listens to: where they stand, and what is missing.

A room is *tended* by one coroutine at a time.  It opens the room, by reading where its
stream stands after it is listened to, and looks for what is missing whenever there is a
reason to: a hole, a new connection, a quiet room whose newest number has changed.  What
is heard meanwhile waits.  When a new generation begins the room is opened again, from
the last thing that its members have seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat import metrics
from livechat.backends.redis.history import History, channel_of, room_of
from livechat.backends.redis.link import Link, LinkError, RefusedError
from livechat.backends.redis.outbox import Sending
from livechat.backends.redis.stream import MOST_AHEAD, Entry, Stream
from livechat.errors import ChatError, Kind
from livechat.interfaces import ISink

#: Seconds after which a room that cannot be entered is not waited for any longer.
PATIENCE: Final = 2.0
#: Seconds for which a room is listened to when its last member has left.
LINGER: Final = 5.0
#: Seconds in which what seems to be missing may still come by itself.
HOLE: Final = 0.1
#: Seconds between two looks at all rooms.
SWEEP_EVERY: Final = 5.0
#: Messages that are read at a time where something is missing.
PAGE: Final = 200


class Owner(Protocol):
    """Whom the rooms ask, and tell."""

    async def see_company(self, room: str) -> None:
        """Find out who is in *room* elsewhere; as `Link.command`."""

    def forget_company(self, room: str) -> None:
        """It does not matter any more."""

    @property
    def ready(self) -> bool:
        """Whether Redis can be asked."""

    @property
    def generation(self) -> bytes:
        """That of what is delivered now."""

    def epoch(self, room: str) -> str:
        """That of *room* in this generation."""

    async def look_at_generation(self) -> None:
        """See whether it is still the same; as `Link.command`."""

    async def begin_anew(self) -> None:
        """Redis has lost what it had; as `Link.command`."""


class _Room:
    """
    @ivar stream: None until it is known where it stands.
    @ivar early: what was heard before that.
    @ivar entering: who waits until then.
    @ivar unseen: what was stored from here and is not delivered yet, by its tag.
    @ivar later: in a new generation, what is later than this has not been seen.
    @ivar listening: Redis has confirmed that it tells of it.
    @ivar informed: what other processes say of it has been heard since then.
    @ivar check: there is a reason to look for what is missing.
    @ivar quiet: nothing was heard since the last sweep.
    """

    __slots__ = (
        "check", "early", "entering", "hole", "informed", "later", "linger", "listening", "name",
        "quiet", "stream", "tended", "unseen",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.stream: Stream | None = None
        self.early: list[Entry] = []
        self.entering: list[Deferred[None]] = []
        self.unseen: dict[bytes, tuple[Sending, Entry]] = {}
        self.later: int | None = None
        self.listening = False
        self.informed = False
        self.tended = False
        self.check = False
        self.quiet = True
        self.hole: IDelayedCall | None = None
        self.linger: IDelayedCall | None = None

    def forget_answered(self) -> None:
        """Those who would wait for what never comes have been told that nobody knows."""
        if self.unseen:
            self.unseen = {
                tag: (sending, entry)
                for tag, (sending, entry) in self.unseen.items()
                if sending.answer is not None
            }


class Rooms:
    """Those of one process."""

    _log = Logger()

    def __init__(self, link: Link, clock: IReactorTime, history: History, owner: Owner) -> None:
        self._link = link
        self._clock = clock
        self._history = history
        self._owner = owner
        self._sink: ISink | None = None
        self._rooms: dict[str, _Room] = {}
        self._to_hear: list[str] = []
        self._turn: IDelayedCall | None = None
        self._sweeper = LoopingCall(lambda: Deferred.fromCoroutine(self.sweep()))
        self._sweeper.clock = clock

    def start(self, sink: ISink) -> None:
        self._sink = sink
        self._sweeper.start(SWEEP_EVERY, now=False)

    def enter(self, name: str) -> Deferred[None]:
        """As `livechat.interfaces.IBackend.subscribe`."""
        room = self._rooms.get(name)
        if room is None:
            if not self._owner.ready:
                return fail(_not_entered())
            room = self._rooms[name] = _Room(name)
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
        return entered.addTimeout(PATIENCE, self._clock, lambda *_: Failure(_not_entered()))

    def _flush(self) -> None:
        """Listen to the rooms that were entered in this turn of the reactor."""
        self._turn = None
        names, self._to_hear = self._to_hear, []
        self._link.subscribe([channel_of(name) for name in names if name in self._rooms])

    def leave(self, name: str) -> None:
        """As `livechat.interfaces.IBackend.unsubscribe`."""
        room = self._rooms.get(name)
        if room is not None and room.linger is None:
            room.linger = self._clock.callLater(LINGER, self._end, room)

    def _end(self, room: _Room) -> None:
        room.linger = None
        room.forget_answered()
        if room.entering or room.unseen:
            room.linger = self._clock.callLater(LINGER, self._end, room)
            return
        del self._rooms[room.name]
        self._owner.forget_company(room.name)
        if room.hole is not None:
            room.hole.cancel()
        self._link.unsubscribe([channel_of(room.name)])

    def channels(self) -> list[bytes]:
        """What is to be listened to."""
        return [channel_of(name) for name in self._rooms]

    def deaf(self) -> None:
        """Redis does not tell of anything any more."""
        for room in self._rooms.values():
            room.listening = room.informed = False

    def listening(self, channel: bytes) -> None:
        """From now on Redis tells of this one."""
        room = self._rooms.get(room_of(channel))
        if room is not None:
            room.listening = True
            self._check_soon(room)

    def told(self, channel: bytes, entry: Entry) -> None:
        """Redis tells of a message."""
        room = self._rooms.get(room_of(channel))
        if room is not None:
            self._hear(room, [entry])

    def stored(self, name: str, stored: Sequence[tuple[Sending, Entry]]) -> None:
        """Messages of this process are stored; their senders are told when the room has them."""
        room = self._rooms.get(name)
        if room is None:
            for sending, entry in stored:
                sending.stored(entry)
            return
        for sending, entry in stored:
            if room.stream is not None and entry.seq <= room.stream.position:
                sending.stored(entry)
            else:
                room.unseen[entry.tag] = sending, entry
        self._hear(room, [entry for _, entry in stored])

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
                self._check_soon(room)
            news += room.stream.take(entry)
        self._deliver(room, news)
        if room.stream.hole and room.hole is None:
            room.hole = self._clock.callLater(HOLE, self._look_at_hole, room)

    def _look_at_hole(self, room: _Room) -> None:
        room.hole = None
        if room.stream is not None and room.stream.hole:
            self._check_soon(room)

    def _deliver(self, room: _Room, news: Sequence[Entry]) -> None:
        assert self._sink is not None
        if news:
            messages = [entry.message() for entry in news]
            self._sink.deliver(room.name, self._owner.epoch(room.name), messages)
        for entry in news:
            if entry.tag in room.unseen:
                room.unseen.pop(entry.tag)[0].stored(entry)

    def check_all(self) -> None:
        """Look for what is missing in all rooms: it was not possible for a while."""
        for room in tuple(self._rooms.values()):
            self._check_soon(room)

    def open_all_again(self) -> None:
        """A new generation has begun."""
        for room in tuple(self._rooms.values()):
            self._open_again(room)

    def _open_again(self, room: _Room) -> None:
        if room.stream is not None:
            room.later = room.stream.time
            room.stream = None
        self._tend(room)

    def _check_soon(self, room: _Room) -> None:
        room.check = True
        self._tend(room)

    def _tend(self, room: _Room) -> None:
        if not room.tended and self._owner.ready and room.listening:
            room.tended = True
            Deferred.fromCoroutine(self._attend(room)).addErrback(
                lambda failure: self._log.failure("A room could not be read.", failure)
            )

    async def _attend(self, room: _Room) -> None:
        try:
            while self._rooms.get(room.name) is room:
                generation = self._owner.generation
                if room.stream is None:
                    await self._open(room)
                elif room.check:
                    room.check = False
                    if not room.informed:
                        await self._owner.see_company(room.name)
                        room.informed = True
                    await self._check(room, room.stream)
                else:
                    return
                if generation != self._owner.generation:
                    self._open_again(room)
        except (LinkError, RefusedError):
            # When the connection is there again, and at each sweep, it is tried again.
            room.check = True
        finally:
            room.tended = False

    async def _open(self, room: _Room) -> None:
        """Begin to deliver: what is stored from now on, or after what was seen."""
        room.check = False
        found: list[Entry] = []
        if room.later is None:
            seq, time, tag = await self._history.state(room.name)
        else:
            found, seq = await self._all_later(room.name, room.later)
            time, tag = room.later, b""
        await self._owner.see_company(room.name)
        room.informed = True
        room.stream = Stream(found[0].seq - 1 if found else seq, b"" if found else tag, time)
        room.later = None
        early, room.early = room.early, []
        self._deliver(room, room.stream.read(found, seq))
        self._hear(room, early)
        self._answer_passed(room, room.stream)
        entering, room.entering = room.entering, []
        for entered in entering:
            entered.callback(None)

    async def _all_later(self, name: str, time: int) -> tuple[list[Entry], int]:
        """What was stored after *time*, and the newest number."""
        found: list[Entry] = []
        after = 0
        while True:
            part = await self._history.read(name, after, PAGE, later=time)
            found += part.entries
            if not part.entries or part.entries[-1].seq >= part.top:
                return found, part.top
            after = part.entries[-1].seq

    async def _check(self, room: _Room, stream: Stream) -> None:
        """See whether Redis has what it had, and read what is missing."""
        position, tag = stream.position, stream.tag
        seq, _, newest = await self._history.state(room.name)
        if stream is room.stream and not Stream.fits(position, tag, seq, newest):
            await self._owner.begin_anew()
        stream.top = max(stream.top, seq)
        while stream is room.stream and stream.hole:
            await self._fill(room, stream)

    async def _fill(self, room: _Room, stream: Stream) -> None:
        """Read the beginning of what is missing."""
        position, tag = stream.position, stream.tag
        # From the newest one that was delivered, to see that it is the same.
        part = await self._history.read(room.name, max(0, position - 1), PAGE)
        if stream is not room.stream:
            return
        if part.top < position or (tag and part.tag_of(position) not in (tag, None)):
            await self._owner.begin_anew()
            return
        if stream.position < part.oldest - 1:
            self._pass_over(room, stream, part.oldest - 1)
        news = stream.read(part.entries, part.top)
        metrics.healed.inc(len(news))
        self._deliver(room, news)
        if not news and stream.position == position:
            # What was heard of is not there: the next check finds out why.
            stream.top = stream.position

    def _pass_over(self, room: _Room, stream: Stream, seq: int) -> None:
        self._log.warn(
            "Messages of {room} were trimmed before they could be delivered.", room=room.name
        )
        self._deliver(room, stream.pass_over(seq))
        self._answer_passed(room, stream)

    @staticmethod
    def _answer_passed(room: _Room, stream: Stream) -> None:
        """Those whose messages will not be delivered, since they are behind where it stands."""
        for tag, (sending, entry) in tuple(room.unseen.items()):
            if entry.seq <= stream.position:
                del room.unseen[tag]
                sending.stored(entry)

    async def sweep(self) -> None:
        """Look at the rooms in which nothing was heard since the last time."""
        stood: dict[str, tuple[int, bytes]] = {}
        for room in self._rooms.values():
            room.forget_answered()
            if room.stream is None or room.check:
                self._tend(room)
            elif room.quiet:
                stood[room.name] = room.stream.position, room.stream.tag
            room.quiet = True
        if self._owner.ready:
            try:
                await self._owner.look_at_generation()
                await self._look_at(stood)
            except (LinkError, RefusedError):
                pass  # it is looked at again when the connection is there

    async def _look_at(self, stood: Mapping[str, tuple[int, bytes]]) -> None:
        async for name, (seq, _, newest) in self._history.states(list(stood)):
            room = self._rooms.get(name)
            position, tag = stood[name]
            grown = seq > position or not Stream.fits(position, tag, seq, newest)
            if room is not None and grown:
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
