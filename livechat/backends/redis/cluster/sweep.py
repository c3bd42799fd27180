"""
The removal of old entries in a cluster.

Each slot has a set of its streams of its own.  One process leads, as with one Redis, and looks at
some slots in each step; at all of them in about two minutes.  Slots whose master is away are
passed over.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredList

from livechat.backends.redis.cluster.node import Node
from livechat.backends.redis.cluster.slots import SLOTS, ClusterKeys
from livechat.backends.redis.connection import RefusedError, UnansweredError
from livechat.backends.redis.sweep import BATCH, BATCHES, SCANNED, SEARCH_EVERY, Sweep

#: Slots of a step.
SLOTS_PER_STEP: Final = 256


class ClusterSweep(Sweep):
    """The share of one process in it."""

    _keys: ClusterKeys

    def __init__(self, *args: Any, nodes: Callable[[], Iterable[Node]], **more: Any) -> None:
        """
        @param nodes: the masters.
        """
        super().__init__(*args, **more)
        self._nodes = nodes
        self._next_idle = self._next_walk = 0
        # Slots whose walk has begun, with their cursors.
        self._walks: list[tuple[int, bytes]] = []
        self._searches: list[tuple[Node, bytes]] = []

    async def _trim_idle(self, since: int) -> None:
        slots = range(self._next_idle, self._next_idle + SLOTS_PER_STEP)
        self._next_idle = (self._next_idle + SLOTS_PER_STEP) % SLOTS
        limit = (b"LIMIT", b"0", b"%d" % BATCH)
        found = await self._all(
            self._connection.command(
                b"ZRANGEBYSCORE", self._keys.idle_in(slot), b"-inf", b"(%d" % since, *limit
            )
            for slot in slots
        )
        await self._trim([stream for streams in found for stream in streams])

    async def _walk_on(self) -> None:
        if len(self._walks) < SLOTS_PER_STEP:
            slots = range(self._next_walk, self._next_walk + SLOTS_PER_STEP)
            self._next_walk = (self._next_walk + SLOTS_PER_STEP) % SLOTS
            self._walks += ((slot, b"0") for slot in slots)
        some, self._walks = self._walks[:SLOTS_PER_STEP], self._walks[SLOTS_PER_STEP:]
        trimmed = 0
        for at in range(0, len(some), BATCH):
            if trimmed >= BATCH * BATCHES:
                self._walks = some[at:] + self._walks
                return
            trimmed += await self._walk_through(some[at : at + BATCH])

    async def _walk_through(self, some: list[tuple[int, bytes]]) -> int:
        count = (b"COUNT", b"%d" % BATCH)
        found = await self._each(
            self._connection.command(b"ZSCAN", self._keys.idle_in(slot), cursor, *count)
            for slot, cursor in some
        )
        streams: list[bytes] = []
        for (slot, _), answer in zip(some, found, strict=True):
            if answer is not None:
                cursor, pairs = answer
                streams += pairs[::2]
                if cursor != b"0":
                    self._walks.append((slot, cursor))
        await self._trim(streams)
        return len(streams)

    async def streams(self) -> AsyncIterator[Sequence[bytes]]:
        # A scan needs fewer commands than all sets of all slots, unless keys are very many.
        asked = (b"MATCH", self._keys.streams, b"COUNT", b"%d" % SCANNED, b"TYPE", b"stream")
        for node in self._nodes():
            cursor = None
            while cursor != b"0":
                cursor, found = await node.connection.command(b"SCAN", cursor or b"0", *asked)
                yield found

    async def _search_streams(self) -> None:
        command = self._connection.command
        if not self._searches:
            if await command(b"EXISTS", self._keys.searched):
                return
            self._searches = [(node, b"0") for node in self._nodes()]
        for _ in range(BATCHES):
            if not self._searches:
                lasts = b"%d" % (1000 * SEARCH_EVERY)
                await command(b"SET", self._keys.searched, b"1", b"PX", lasts)
                return
            node, cursor = self._searches.pop()
            asked = (b"MATCH", self._keys.streams, b"COUNT", b"%d" % SCANNED, b"TYPE", b"stream")
            # The next search finds the streams of a master that does not answer now.
            ((done, answer),) = await DeferredList(
                [node.connection.command(b"SCAN", cursor, *asked)], consumeErrors=True
            )
            if done:
                cursor, streams = answer
                await self._take_over(streams)
                if cursor != b"0":
                    self._searches.append((node, cursor))

    async def _all(self, asked: Iterable[Deferred[Any]]) -> list[Any]:
        """Wait for all answers, and return those that came."""
        return [answer for answer in await self._each(asked) if answer is not None]

    async def _each(self, asked: Iterable[Deferred[Any]]) -> list[Any]:
        """Wait for all answers; None stands for a failure."""
        found: list[Any] = []
        for done, answer in await DeferredList(list(asked), consumeErrors=True):
            if not done:
                answer.trap(UnansweredError, RefusedError)
            found.append(answer if done else None)
        return found
