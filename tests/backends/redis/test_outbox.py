"""`livechat.backends.redis.outbox`, with a real Redis."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.defer import gatherResults

from livechat.backends.redis import outbox
from livechat.backends.redis.outbox import PATIENCE
from livechat.errors import Kind
from tests.backends.redis.processes import ProcessesTest, until
from tests.backends.redis.server import RedisServer


class OutboxTest(ProcessesTest):
    """
    What is sent is stored once, or not at all, and its sender knows.

    Two processes, both with members in the room `r`.
    """

    timeout = 60

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> Iterator[None]:
        self.server = RedisServer(tmp_path / "redis")
        self.url = self.server.url
        yield
        self.server.kill()

    async def test_all_connections_are_cut(self) -> None:
        """What is under way then is stored once, or its sender is told that it may not be."""

        def cut(number: int) -> None:
            if number in (50, 120):
                self.server.ask("CLIENT", "KILL", "TYPE", "normal")
                self.server.ask("CLIENT", "KILL", "TYPE", "pubsub")

        await self.traffic(200, cut)
        assert set(self.refused) <= {Kind.UNAVAILABLE, Kind.UNKNOWN}
        await until(lambda: self.here.backend.trouble() is None)
        assert len(self.answered) + len(self.refused) == 200
        await self.all_is_well()
        await self.traffic(50)
        await self.all_is_well()

    async def test_redis_stands_still(self) -> None:
        """Nobody waits longer than two seconds, and what was refused is not stored later."""
        await self.traffic(20)
        self.server.signal(signal.SIGSTOP)
        before = self.reactor.seconds()
        sent = [self.send(self.here, f"still {number}") for number in range(20)]
        await gatherResults(sent)
        assert self.reactor.seconds() - before < PATIENCE + 0.5
        assert set(self.refused) == {Kind.UNKNOWN}
        assert len(self.refused) == 20
        await self.send(self.here, "no")
        assert self.refused[20:] == [Kind.UNAVAILABLE]
        self.server.signal(signal.SIGCONT)
        await self.usable()
        await self.traffic(20)
        stored = await self.all_is_well()
        assert len(stored) == 40, "something was stored behind its sender's back"

    async def test_no_memory(self) -> None:
        """A Redis that takes nothing is said to be in trouble, until it takes something."""
        self.server.ask("CONFIG", "SET", "maxmemory", "1")
        await self.send(self.here, "no")
        assert self.refused == [Kind.UNAVAILABLE]
        assert "OOM" in (self.here.backend.trouble() or "")
        self.server.ask("CONFIG", "SET", "maxmemory", "0")
        await self.send(self.here, "yes")
        assert self.here.backend.trouble() is None
        assert await self.all_is_well() == ["yes"]

    async def test_scripts_are_gone(self) -> None:
        """Somebody empties Redis's cache of scripts: nobody notices."""
        await self.traffic(10)
        self.server.ask("SCRIPT", "FLUSH")
        await self.traffic(10)
        assert len(self.answered) == 20
        await self.all_is_well()

    async def test_too_much(self) -> None:
        """More than may be under way is refused, and only that."""
        self.patch(outbox, "QUEUE", 10)
        sent = [self.send(self.here, f"{number}") for number in range(15)]
        await gatherResults(sent)
        assert self.refused == [Kind.OVERLOADED] * 5
        assert await self.all_is_well() == [f"{number}" for number in range(10)]
        self.patch(outbox, "QUEUE_CHARACTERS", 10)
        await self.send(self.here, "x" * 11)
        assert self.refused[5:] == [Kind.OVERLOADED]
        await self.send(self.here, "x" * 10)
        assert len(self.answered) == 11

    async def test_large_groups(self) -> None:
        """What is sent in one turn is stored in pieces that are not too large, in its order."""
        long = "x" * 20_000
        texts = [f"{number} {long if number % 3 else ''}" for number in range(300)]
        await gatherResults([self.send(self.here, text) for text in texts])
        assert await self.all_is_well() == texts
