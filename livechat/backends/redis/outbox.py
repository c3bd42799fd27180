"""
Entries that receivers outside wait for, in Redis.

A room's own stream is the log, and beside it stands how far each receiver was told.  Storing an
entry looks at nothing of that: the script knows from the room's state up to where entries are held
(`holding.lua`), and that is moved by what is told here.

    publisher ──enter──> rooms that may have something ──> waiting ──> read ──> advance
        └──────────────> the room's stream <──────────────────────────┘          │
                         state: what is held <──────────── cursors <─────────────┘

A numbering that was lost has its cursors no more.  After a failover that has lost the end of a
stream a cursor is good if it stands on the same entry as before; otherwise all that is there is
told again, under another epoch.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from twisted.internet.defer import Deferred, DeferredList, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from livechat.backends.outbox import bounded, check_receivers, check_room, unknown_receiver
from livechat.backends.redis.acts import Nodes
from livechat.backends.redis.connection import (
    Commands,
    RefusedError,
    Script,
    UnansweredError,
    answers,
)
from livechat.backends.redis.entering import Entered, Entering
from livechat.backends.redis.entries import Unsent, stored_entry
from livechat.backends.redis.excess import Excess, give_up
from livechat.backends.redis.generation import Generation, epoch_of
from livechat.backends.redis.history import CHARACTERS, READ_WORD_LASTS
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.receivers import Receivers
from livechat.backends.redis.sweep import LEAD
from livechat.backends.retention import RoomRetention
from livechat.errors import ChatError, Kind
from livechat.interfaces import IOutbox, Waiting
from livechat.limits.rates import LogLimit, Rate
from livechat.protocol.counts import counted
from livechat.protocol.messages import Page, Position
from livechat.protocol.names import EVENTS_ROOM
from livechat.system.wallclock import WallClock

UNSENT: Final = Script("unsent", "holding", "telling")
TOLD: Final = Script("told", "holding", "telling")
REWIND: Final = Script("rewind", "holding", "telling")
ERASE: Final = Script("erase", "holding", "changing")
#: Seconds of a lease to lead; a process renews it in time.
LEASE: Final = 10.0
#: Seconds between two checks of the held entries of all rooms.
LOOK_EVERY: Final = 5.0
#: Rooms that are asked for together.
STEP: Final = 200
#: Rooms that are read at the same time.
READ_AT_ONCE: Final = 32
#: Entries that one call looks at to erase some.
ERASED: Final = 500
#: The largest number that goes into a script: it is exact there, and in JavaScript.
_LARGEST: Final = (1 << 53) - 1
#: Rate of log lines on refusals by Redis.
REFUSALS: Final = Rate(per_second=1 / 60, burst=3)

_T = TypeVar("_T")


class Host(Protocol):
    """The backend, as its outbox sees it."""

    @property
    def ready(self) -> bool:
        """Tell whether Redis takes commands."""

    @property
    def stopping(self) -> bool:
        """Tell whether the backend is stopping."""


@implementer(IOutbox)
class RedisOutbox:
    """
    The receivers of the rooms in one Redis, or in one cluster.

    @ivar excess: the bound of all entries held there.
    """

    _log = Logger()

    def __init__(
        self,
        connection: Commands,
        keys: Keys,
        clock: IReactorTime,
        host: Host,
        *,
        generation: Generation,
        receivers: Receivers,
        entering: Entering,
        retention: RoomRetention,
        wall: WallClock,
        streams: Callable[[], AsyncIterator[Sequence[bytes]]],
        nodes: Callable[[], Nodes],
    ) -> None:
        """
        @param streams: finds all streams, some at a time; fails as `Commands.command`.
        @param nodes: returns the bounds of a stream's nodes.
        """
        self._connection = connection
        self._keys = keys
        self._clock = clock
        self._host = host
        self._generation = generation
        self._receivers = receivers
        self._entering = entering
        self._retention = retention
        self._wall = wall
        self._streams = streams
        self._nodes = nodes
        self._process = secrets.token_hex(8).encode()
        self._entered = Entered(connection, keys, clock)
        self.excess = Excess(connection, keys, self._entered)
        self._next_look = float("-inf")
        self._leads = False
        self._changed: Callable[[Collection[str]], None] | None = None
        self._refusals = LogLimit(REFUSALS)

    def keep(self, receivers: Collection[str]) -> Deferred[None]:
        return self._asking(self._receivers.keep(check_receivers(receivers)))

    # The lead.

    def lead(self) -> Deferred[float]:
        return self._asking(self._lead())

    async def _lead(self) -> float:
        leads = await self._take_the_lead()
        if leads:
            await self.give_up_excess([self])
        return leads

    def take_the_lead(self) -> Deferred[float]:
        """Lead as `lead`, and look at nothing."""
        return self._asking(self._take_the_lead())

    async def _take_the_lead(self) -> float:
        lease = b"%d" % int(1000 * LEASE)
        asked = [self._process, lease]
        leads = await self._connection.call(LEAD, [self._keys.teller], asked)
        self.listen(on=bool(leads))
        return LEASE if leads else 0.0

    def listen(self, *, on: bool) -> None:
        """Note whether this process leads."""
        if on and not self._leads:
            self._connection.subscribe([self._keys.outbox])
        elif self._leads and not on:
            self._connection.unsubscribe([self._keys.outbox])
        self._leads = on

    def channels(self) -> list[bytes]:
        """Return the channels that this process has to listen to."""
        return [self._keys.outbox] if self._leads else []

    def watch(self, changed: Callable[[Collection[str]], None]) -> None:
        self._changed = changed

    def published(self, payload: bytes) -> None:
        """A process has stored something."""
        if self._leads and self._changed is not None and payload:
            self._changed(payload.decode("utf-8", "replace").split(" "))

    async def give_up_excess(self, boxes: Sequence[RedisOutbox], *, now: bool = False) -> None:
        """
        Have no more held at all of *boxes* together than may be.

        @param now: otherwise only where it is time to look.
        """
        if not self._receivers.any or (self._clock.seconds() < self._next_look and not now):
            return
        self._next_look = self._clock.seconds() + LOOK_EVERY
        dropped = await give_up([each.excess for each in boxes])
        if dropped:
            self._log.warn(
                "Webhooks lag: {entries} dropped, the oldest that waited for them.",
                entries=counted(dropped, "entry was", "entries were"),
            )

    async def stop(self) -> None:
        """Give up the lead.  Fails as `Commands.command`."""
        if self._leads and self._host.ready:
            self._leads = False
            await self._connection.call(LEAD, [self._keys.teller], [self._process, b"1"])

    # Entries that wait.

    def waiting(
        self, receiver: str, after: str = "", limit: int = 1000
    ) -> Deferred[Sequence[Waiting]]:
        return self._asking(self._waiting(receiver, after, bounded(limit)))

    async def _waiting(self, receiver: str, after: str, limit: int) -> Sequence[Waiting]:
        name = self._known(receiver)
        found: list[Waiting] = []
        while len(found) < limit:
            rooms = await self._entered.behind(after, STEP)
            generation = self._generation.name
            told = await self._look_at(rooms, name)
            if generation != self._generation.name:
                continue
            for room, each in told.items():
                if each.since:
                    epoch = self._generation.epoch(room, each.word)
                    before = _epoch_before(room, each.before)
                    found.append(Waiting(room, epoch, each.told, each.top, each.since, before))
            quiet = {room: rooms[room] for room, each in told.items() if each.quiet}
            await self._entered.leave(quiet, rooms.keys() - quiet.keys())
            if len(rooms) < STEP:
                break
            after = next(reversed(rooms))
        return found[:limit]

    async def _look_at(self, rooms: Collection[str], name: bytes) -> dict[str, Unsent]:
        """Look at *rooms*; those of masters that are away are left out, but not all."""
        told = await DeferredList([self._ask(room, name, 0) for room in rooms], consumeErrors=True)
        found: dict[str, Unsent] = {}
        for room, (done, answer) in zip(rooms, told, strict=True):
            if done:
                found[room] = Unsent(*answer)
            else:
                answer.trap(UnansweredError, RefusedError)
        if rooms and not found:
            told[0][1].raiseException()
        return found

    def _ask(self, room: str, name: bytes, limit: int) -> Deferred[Any]:
        args = [
            *self._receivers.holding(), name, b"%d" % limit, b"%d" % CHARACTERS,
            secrets.token_urlsafe(9).encode(), b"%d" % (1000 * READ_WORD_LASTS),
        ]  # fmt: skip
        return self._call(UNSENT, room, args)

    def _call(self, script: Script, room: str, args: Sequence[bytes]) -> Deferred[Any]:
        keys = [*self._keys.numbering(room), self._keys.cursors(room)]
        return self._connection.call(script, keys, args)

    def read(self, receiver: str, room: str, limit: int) -> Deferred[Page]:
        return self._asking(self._read(receiver, room, bounded(limit)))

    async def _read(self, receiver: str, room: str, limit: int) -> Page:
        name = self._known(receiver)
        check_room(room)
        while True:
            generation = self._generation.name
            told = Unsent(*await self._ask(room, name, limit))
            if generation == self._generation.name:
                break
        epoch = self._generation.epoch(room, told.word)
        entries = (stored_entry(number, kept, told.word).entry() for number, kept in told.entries)
        return Page(Position(epoch, told.top, told.oldest, told.event), tuple(entries))

    def pages(self, receiver: str, limits: Mapping[str, int]) -> Deferred[Mapping[str, Page]]:
        return self._asking(self._pages(receiver, limits))

    async def _pages(self, receiver: str, limits: Mapping[str, int]) -> Mapping[str, Page]:
        self._known(receiver)
        for room in limits:
            check_room(room)
        found: dict[str, Page] = {}
        rooms = [*limits]
        for start in range(0, len(rooms), READ_AT_ONCE):
            some = rooms[start : start + READ_AT_ONCE]
            pages = await answers(
                Deferred.fromCoroutine(self._read(receiver, room, bounded(limits[room])))
                for room in some
            )
            found |= zip(some, pages, strict=True)
        return found

    def advance(self, receiver: str, told: Mapping[str, tuple[str, int]]) -> Deferred[None]:
        return self._asking(self._advance(receiver, told))

    async def _advance(self, receiver: str, told: Mapping[str, tuple[str, int]]) -> None:
        name = self._known(receiver)
        rooms = [check_room(room) for room in told]
        for start in range(0, len(rooms), STEP):
            some = rooms[start : start + STEP]
            words = await answers(
                self._connection.command(b"HMGET", self._keys.state(room), b"w") for room in some
            )
            calls = []
            for room, (word,) in zip(some, words, strict=True):
                epoch, seq = told[room]
                if epoch == self._generation.epoch(room, word or b""):
                    seq = max(0, min(seq, _LARGEST))
                    args = [*self._receivers.holding(), name, word or b"", b"%d" % seq]
                    calls.append(self._call(TOLD, room, args))
            await answers(calls)

    def rewind(self, receiver: str, since: int) -> Deferred[int]:
        return self._asking(self._rewind(receiver, since))

    async def _rewind(self, receiver: str, since: int) -> int:
        name = self._known(receiver)
        since = max(0, min(since, _LARGEST))
        found = 0
        async for streams in self._streams():
            rooms = [self._keys.room_of_stream(each) for each in streams]
            some = [room for room in rooms if self._receivers.of(room)]
            if some:
                # Rooms are entered before entries wait there, as when entries are stored.
                await self._entering.write(some)
            args = [*self._receivers.holding(), name, b"%d" % since]
            again: list[int] = await answers([self._call(REWIND, room, args) for room in some])
            found += sum(again)
        return found

    def erase(self, room: str, subject: str | None = None, since: int = 0) -> Deferred[int]:
        return self._asking(self._erase(room, subject or "", since))

    async def _erase(self, room: str, subject: str, since: int) -> int:
        check_room(room)
        kept = self._retention.of(room)
        old = max(0, kept.first_time(self._wall.milliseconds()))
        nodes = self._nodes()
        every = b"1" if room == EVENTS_ROOM else b""
        start, count = 0, 0
        while True:
            erased, start = await self._call(
                ERASE,
                room,
                [
                    *self._receivers.holding(kept.messages), every, b"%d" % old,
                    b"%d" % start, b"%d" % ERASED, b"%d" % max(0, min(since, _LARGEST)),
                    subject.encode("utf-8", "replace"),
                    b"%d" % nodes.entries, b"%d" % nodes.size,
                ],
            )  # fmt: skip
            count += int(erased)
            if not start:
                return count

    # Words for callers.

    def _known(self, receiver: str) -> bytes:
        name = self._receivers.known_as(receiver)
        if name is None:
            raise unknown_receiver()
        return name

    def _asking(self, asked: Coroutine[Any, Any, _T]) -> Deferred[_T]:
        if self._host.stopping or not self._host.ready:
            asked.close()
            return fail(_away())
        return Deferred.fromCoroutine(asked).addErrback(self._refused)

    def _refused(self, failure: Failure) -> Any:
        reason = failure.value
        if isinstance(reason, RefusedError | UnansweredError):
            more = self._refusals.due(self._clock.seconds())
            if more is not None and not self._host.stopping:
                self._log.error(
                    "Webhooks cannot be told: {reason}{more}", reason=str(reason), more=more
                )
            raise _away() from None
        return failure


def _epoch_before(room: str, cursor: bytes) -> str:
    """Name the numbering of a cursor that was kept when another one began; empty without one."""
    if not cursor:
        return ""
    generation, word, _ = cursor.split(b" ", 2)
    return epoch_of(generation, room, word)


def _away() -> ChatError:
    return ChatError(Kind.UNAVAILABLE, "Receivers cannot be told just now.")
