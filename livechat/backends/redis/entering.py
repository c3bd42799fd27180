"""
Rooms that have something for receivers outside.

A process enters a room in a set before it stores something there, at most once in `AGAIN` seconds:
so a reader of the set misses none.  A room is taken out when nothing waits there for anybody, and
no process has entered it for `STAYS` seconds by the clock of the reader, which is longer than any
write takes.  The mark beside it, which each entering changes, says whether one has.

What was stored is told on a channel, too, for as long as there are receivers.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from livechat.backends.redis.connection import (
    Commands,
    RefusedError,
    Script,
    UnansweredError,
    answers,
)
from livechat.backends.redis.keys import Keys

LEAVE: Final = Script("leave")
#: Seconds for which a process does not enter a room again.
AGAIN: Final = 10.0
#: Seconds after which a room without waiting entries is taken out.
STAYS: Final = 60.0
#: Seconds between two announcements of a process.
TELL_EVERY: Final = 0.1
#: Rooms that are remembered, and that are announced together.
MOST: Final = 10_000
MOST_TOLD: Final = 1_000


class Entering:
    """The rooms in which one process stores."""

    def __init__(
        self, connection: Commands, keys: Keys, clock: IReactorTime, *, ordered: bool
    ) -> None:
        """
        @param ordered: true if commands run in the order in which they are given, for any keys.
        """
        self._connection = connection
        self._keys = keys
        self._clock = clock
        self._ordered = ordered
        self._mark = secrets.token_urlsafe(6)
        self._marks = count()
        # The time at which each room was entered, and the word of its numbering if known.
        self._entered: dict[str, tuple[float, bytes]] = {}
        # Rooms that are being entered, with the calls that wait for them.
        self._entering: dict[str, list[Deferred[None]]] = {}
        # Rooms that may have entries without being entered.
        self._missing: set[str] = set()
        self._news: set[str] = set()
        self._timer: IDelayedCall | None = None
        self._told_at = float("-inf")

    def enter(self, room: str) -> Deferred[None] | None:
        """
        Enter *room*, in which something is about to be stored.

        @return: None if it can be stored now; what fires when it can, and fails as
            `Commands.command` if it cannot.
        """
        known = self._entered.get(room)
        if known is not None and self._clock.seconds() < known[0] + AGAIN:
            return None
        if self._ordered:
            self._remember(room)
            self.write([room]).addErrback(self._not_entered, [room])
            return None
        waiting: Deferred[None] = Deferred()
        if room in self._entering:
            self._entering[room].append(waiting)
        else:
            self._entering[room] = [waiting]
            self.write([room]).addBoth(self._answered, room)
        return waiting

    def _answered(self, result: Failure | None, room: str) -> None:
        if result is None:
            self._remember(room)
        for each in self._entering.pop(room):
            if result is None:
                each.callback(None)
            else:
                each.errback(result)

    def _remember(self, room: str, word: bytes = b"") -> None:
        self._entered.pop(room, None)
        while len(self._entered) >= MOST:
            del self._entered[next(iter(self._entered))]
        self._entered[room] = self._clock.seconds(), word

    def write(self, rooms: Sequence[str]) -> Deferred[None]:
        """Enter *rooms*, of which something may wait.  Fails as `Commands.command`."""
        marks: list[bytes] = []
        members: list[bytes] = []
        for room in rooms:
            marks += room.encode(), f"{self._mark}{next(self._marks):x}".encode()
            members += b"0", room.encode()
        command = self._connection.command
        # The mark is first: a process that has seen the old one no longer takes the room out.
        written = (
            command(b"HSET", self._keys.marks, *marks),
            command(b"ZADD", self._keys.entered, *members),
        )
        return answers(written).addCallback(lambda _: None)

    def _not_entered(self, failure: Failure, rooms: Iterable[str]) -> None:
        failure.trap(UnansweredError, RefusedError)
        for room in rooms:
            self._entered.pop(room, None)
            if len(self._missing) < MOST:
                self._missing.add(room)

    def doubt(self) -> None:
        """Enter all rooms again: Redis may have lost some."""
        rooms = self._entered
        self._entered = {}
        self._missing.update(rooms if len(self._missing) < MOST else ())

    def enter_missing(self) -> None:
        """Enter rooms that could not be entered, or that Redis may have lost; no-op without any."""
        rooms, self._missing = sorted(self._missing), set()
        for start in range(0, len(rooms), MOST_TOLD):
            some = rooms[start : start + MOST_TOLD]
            self.write(some).addErrback(self._not_entered, some)

    def stored(self, room: str, word: bytes) -> None:
        """
        Tell that an entry was stored in *room*.

        @param word: of its numbering.  Where it is another one, Redis has lost what it had.
        """
        at, known = self._entered.get(room, (0.0, b""))
        if known and known != word:
            self._missing.add(room)
            self.enter_missing()
        if known != word and room in self._entered:
            self._entered[room] = at, word
        if len(self._news) < MOST_TOLD:
            self._news.add(room)
            if self._timer is None:
                wait = max(0.0, self._told_at + TELL_EVERY - self._clock.seconds())
                self._timer = self._clock.callLater(wait, self._tell)

    def _tell(self) -> None:
        self._timer, self._told_at = None, self._clock.seconds()
        news, self._news = " ".join(sorted(self._news)).encode(), set()
        told = self._connection.command(b"PUBLISH", self._keys.outbox, news)
        told.addErrback(lambda failure: failure.trap(UnansweredError, RefusedError) and None)

    def stop(self) -> None:
        """Tell of the rooms that were not told of yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._tell()


class Entered:
    """The rooms that any process has entered, as one reads them."""

    def __init__(self, connection: Commands, keys: Keys, clock: IReactorTime) -> None:
        self._connection = connection
        self._keys = keys
        self._clock = clock
        # Rooms without waiting entries: the mark of the last entering, and the time of finding it.
        self._quiet: dict[str, tuple[bytes, float]] = {}

    async def behind(self, after: str, limit: int) -> dict[str, bytes]:
        """
        Return rooms behind the name *after*, by name, with their marks.  Fails as
        `Commands.command`.
        """
        command = self._connection.command
        begin = b"(" + after.encode("utf-8", "replace") if after else b"-"
        names = await command(
            b"ZRANGEBYLEX", self._keys.entered, begin, b"+", b"LIMIT", b"0", b"%d" % limit
        )
        marks = await command(b"HMGET", self._keys.marks, *names) if names else []
        return {name.decode(): mark or b"" for name, mark in zip(names, marks, strict=True)}

    async def leave(self, quiet: Mapping[str, bytes], others: Collection[str]) -> None:
        """
        Take rooms out that were quiet for long.  Fails as `Commands.command`.

        @param quiet: rooms in which nothing waits for anybody, with the marks that were read
            before that was seen.
        @param others: rooms in which something does.
        """
        now = self._clock.seconds()
        for room in others:
            self._quiet.pop(room, None)
        gone: list[bytes] = []
        for room, mark in quiet.items():
            known, since = self._quiet.get(room, (None, now))
            if known != mark:
                if len(self._quiet) < MOST:
                    self._quiet[room] = mark, now
            elif now >= since + STAYS:
                gone += room.encode(), mark
                del self._quiet[room]
        if gone:
            await self._connection.call(LEAVE, [self._keys.entered, self._keys.marks], gone)
