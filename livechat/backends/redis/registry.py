"""
The registry of processes and of their reports.

A process writes its report every `BEAT_EVERY` seconds under a key that ends by itself
after `LEASE` seconds: so one that was killed is forgotten, members and all, and nothing
is ever written for a member.  A set has the names of the keys, by when they end.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from livechat.backends.redis.connection import Commands, RefusedError, UnansweredError, answers
from livechat.backends.redis.keys import Keys
from livechat.errors import ChatError, Kind
from livechat.interfaces import IProcessRegistry
from livechat.protocol.cluster import Report

#: Seconds between two reports of a process.
BEAT_EVERY: Final = 3.0
#: Seconds for which a report holds.
LEASE: Final = 12.0
#: Seconds for which the members of a stopped process still count as present.
FAREWELL: Final = 10.0
#: Seconds for which the reports of others are cached.
FRESH: Final = 1.0

_decoder: Final = msgspec.msgpack.Decoder(Report)


@implementer(IProcessRegistry)
class ProcessRegistry:
    """
    The processes of one Redis.

    @ivar name: that of this one, which no other has.
    @ivar known_secret: the common secret; empty until Redis was asked for it.
    """

    _log = Logger()

    def __init__(self, connection: Commands, keys: Keys, clock: IReactorTime) -> None:
        self._connection = connection
        self._keys = keys
        self._processes = keys.processes
        self._prefix = keys.process(b"")
        self._clock = clock
        self._census: Callable[[], Report] | None = None
        self.known_secret = b""
        self.name = secrets.token_hex(8).encode()
        self._key = self._prefix + self.name
        self._left = False
        self._others: list[Report] = []
        self._asked_at = float("-inf")

    def start(self, census: Callable[[], Report]) -> None:
        self._census = census

    def secret(self) -> Deferred[bytes]:
        if self.known_secret:
            return succeed(self.known_secret)
        return fail(ChatError(Kind.UNAVAILABLE, "Guests cannot be recognized just now."))

    async def find_secret(self) -> None:
        """
        Learn the secret.  A Redis that has lost it gets the one back by which users are known here.

        @raise UnansweredError: as `Commands.command`.
        @raise RefusedError: as `Commands.command`.
        """
        command, key = self._connection.command, self._keys.secret
        await command(b"SET", key, self.known_secret or secrets.token_bytes(32), b"NX")
        self.known_secret = await command(b"GET", key)

    async def beat(self) -> None:
        """
        Report that this process is there; no-op once it has left.

        @raise UnansweredError: as `Commands.command`.
        @raise RefusedError: as `Commands.command`.
        """
        if self._left:
            # This beat was due earlier, and would bring the process back for a lease.
            return
        assert self._census is not None
        report = msgspec.msgpack.encode(self._census())
        now, lease = self._now(), int(1000 * LEASE)
        command = self._connection.command
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

        @raise UnansweredError: as `Commands.command`.
        @raise RefusedError: as `Commands.command`.
        """
        self._left = True
        command = self._connection.command
        until = b"%d" % (self._now() + int(1000 * FAREWELL))
        left = command(b"DEL", self._key), command(b"ZADD", self._processes, until, self._key)
        await answers(left)

    async def alive(self) -> list[bytes]:
        """The names of the processes that are there, or were just now.  As `beat`."""
        now = self._now()
        keys = await self._connection.command(
            b"ZRANGEBYSCORE", self._processes, b"%d" % now, b"+inf"
        )
        return [key.removeprefix(self._prefix) for key in keys]

    def _now(self) -> int:
        return self._connection.time(self._clock.seconds(), self._processes)

    def reports(self) -> Deferred[Sequence[Report]]:
        return Deferred.fromCoroutine(self._reports())

    async def _reports(self) -> Sequence[Report]:
        """Return this process's report, and the last reports of the others."""
        assert self._census is not None
        if self._clock.seconds() >= self._asked_at + FRESH:
            self._asked_at = self._clock.seconds()
            try:
                self._others = await self._read()
            except (UnansweredError, RefusedError):
                self._others = []
        return [self._census(), *self._others]

    async def _read(self) -> list[Report]:
        keys = await self._connection.command(b"ZRANGE", self._processes, b"0", b"-1")
        others = [key for key in keys if key != self._key]
        found = []
        for data in await self._connection.command(b"MGET", *others) if others else ():
            if data is not None:
                try:
                    found.append(_decoder.decode(data))
                except msgspec.MsgspecError as reason:
                    # The report is another version's.
                    self._log.warn(
                        "The report of another process cannot be read: {reason}", reason=str(reason)
                    )
        return found
