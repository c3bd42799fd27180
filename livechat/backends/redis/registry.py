"""
Which processes there are, and what they say of themselves.

A process writes its report every `BEAT_EVERY` seconds under a key that ends by itself
after `LEASE` seconds: so one that was killed is forgotten, members and all, and nothing
is ever written for a member.  A set has the names of the keys, by when they end.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from livechat.backends.redis.connection import Link, LinkError, RefusedError, answers
from livechat.backends.redis.keys import Keys
from livechat.protocol.cluster import Report

#: Seconds between two reports of a process.
BEAT_EVERY: Final = 3.0
#: Seconds for which a report holds.
LEASE: Final = 12.0
#: Seconds for which the people of a process that has stopped count as there.
FAREWELL: Final = 10.0
#: Seconds for which what others said is not asked for again.
FRESH: Final = 1.0

_decoder: Final = msgspec.msgpack.Decoder(Report)


class Roster:
    """
    The processes of one Redis.

    @ivar name: that of this one, which no other has.
    """

    _log = Logger()

    def __init__(
        self, link: Link, keys: Keys, clock: IReactorTime, census: Callable[[], Report]
    ) -> None:
        self._link = link
        self._processes = keys.processes
        self._prefix = keys.process(b"")
        self._clock = clock
        self._census = census
        self.name = secrets.token_hex(8).encode()
        self._key = self._prefix + self.name
        self._left = False
        self._others: list[Report] = []
        self._asked_at = float("-inf")

    async def beat(self) -> None:
        """
        Report that this process is there; no-op once it has left.

        @raise LinkError: as `Link.command`.
        @raise RefusedError: as `Link.command`.
        """
        if self._left:
            # A beat that had begun would bring the process back for the length of a lease.
            return
        report = msgspec.msgpack.encode(self._census())
        now, lease = self._link.time(self._clock.seconds()), int(1000 * LEASE)
        command = self._link.command
        await answers(
            (
                command(b"SET", self._key, report, b"PX", b"%d" % lease),
                command(b"ZADD", self._processes, b"%d" % (now + lease), self._key),
                command(b"ZREMRANGEBYSCORE", self._processes, b"-inf", b"%d" % now),
            )
        )

    async def leave(self) -> None:
        """
        Report no more.  The people of this process may be back elsewhere within `FAREWELL`.

        @raise LinkError: as `Link.command`.
        @raise RefusedError: as `Link.command`.
        """
        self._left = True
        command = self._link.command
        until = b"%d" % (self._link.time(self._clock.seconds()) + int(1000 * FAREWELL))
        left = command(b"DEL", self._key), command(b"ZADD", self._processes, until, self._key)
        await answers(left)

    async def alive(self) -> list[bytes]:
        """The names of the processes that are there, or were just now.  As `beat`."""
        now = self._link.time(self._clock.seconds())
        keys = await self._link.command(b"ZRANGEBYSCORE", self._processes, b"%d" % now, b"+inf")
        return [key.removeprefix(self._prefix) for key in keys]

    async def reports(self) -> Sequence[Report]:
        """What this process says, and what the others said last."""
        if self._clock.seconds() >= self._asked_at + FRESH:
            self._asked_at = self._clock.seconds()
            try:
                self._others = await self._read()
            except (LinkError, RefusedError):
                self._others = []
        return [self._census(), *self._others]

    async def _read(self) -> list[Report]:
        keys = await self._link.command(b"ZRANGE", self._processes, b"0", b"-1")
        others = [key for key in keys if key != self._key]
        found = []
        for data in await self._link.command(b"MGET", *others) if others else ():
            if data is not None:
                try:
                    found.append(_decoder.decode(data))
                except msgspec.MsgspecError as reason:
                    # Of another version.
                    self._log.warn("A process is not understood: {reason}", reason=str(reason))
        return found
