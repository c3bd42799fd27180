"""`livechat.backends.redis.backend`, with a real Redis."""

from __future__ import annotations

import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from livechat.backends.redis import connect
from livechat.backends.redis.backend import PATIENCE, Limits, RedisBackend
from livechat.errors import Kind
from livechat.wire import Draft
from tests.backends.redis.processes import ProcessesTest, until
from tests.backends.redis.server import RedisServer
from tests.contract import BackendContract


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    started = RedisServer(tmp_path_factory.mktemp("redis"))
    yield started
    started.kill()


class RedisContractTest(BackendContract, TestCase):
    """Rooms in Redis keep the contract."""

    timeout = 30

    @pytest.fixture(autouse=True)
    def _given(self, server: RedisServer) -> None:
        server.ask("FLUSHALL")
        self._server = server
        self._now = 1_790_000_000_000
        self._made: list[RedisBackend] = []

    def set_time(self, seconds: float) -> None:
        self._now = 1_790_000_000_000 + int(1000 * seconds)
        for backend in self._made:
            backend.now = self._now

    async def ready(self, backend: RedisBackend) -> None:
        from twisted.internet import reactor  # noqa: PLC0415

        while backend.trouble() is not None:
            await deferLater(reactor, 0.005)

    def make(self, *, history_limit: int = 0, history_age: int = 0) -> RedisBackend:
        from twisted.internet import reactor  # noqa: PLC0415

        real: Any = reactor
        backend = connect(self._server.url, real, Limits(history_limit, history_age))
        backend.now = self._now
        self._made.append(backend)
        return backend


class RedisFaultsTest(ProcessesTest):
    """
    What goes wrong with a Redis, and what those in its rooms notice of it.

    Two processes, both with members in the room `r`.
    """

    timeout = 60

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> Iterator[None]:
        self.server = RedisServer(tmp_path / "redis")
        self.url = self.server.url
        yield
        self.server.kill()

    async def test_two_processes(self) -> None:
        """Who is in the same room hears the same, whoever says it where."""
        await self.traffic(500)
        assert len(self.answered) == 500
        assert len(await self.all_is_well()) == 500
        assert self.here.seqs() == self.there.seqs() == list(range(1, 501))
        assert self.here.epochs() == self.there.epochs()
        assert len(self.here.epochs()) == 1

    async def test_lost_pushes(self) -> None:
        """What Redis tells and nobody hears is read back, without that anybody notices."""
        told = self.there.backend.told
        counts = Counter[bytes]()

        def lossy(channel: bytes, payload: bytes) -> None:
            counts[channel] += 1
            if counts[channel] % 7 not in (0, 3, 4):
                told(channel, payload)

        self.there.backend.told = lossy  # type: ignore[method-assign]
        await self.traffic(200)
        assert len(await self.all_is_well()) == 200

    async def test_the_last_push_is_lost(self) -> None:
        """After it nothing comes that would show the hole: it is found by looking."""
        self.there.backend.told = lambda *_: None  # type: ignore[method-assign]
        await self.send(self.here, "hello")
        while not self.there.heard():
            await self.there.backend._sweep()
            await deferLater(self.reactor, 0)
        await self.all_is_well()

    async def test_subscriptions_are_cut(self) -> None:
        """Connections that are cut in mid-traffic are made again, and what was missed is read."""

        def cut(number: int) -> None:
            if number in (50, 120):
                self.server.ask("CLIENT", "KILL", "TYPE", "pubsub")

        await self.traffic(200, cut)
        assert len(self.answered) == 200
        assert len(await self.all_is_well()) == 200

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

    async def test_redis_is_killed(self) -> None:
        """While it is away, who sends is told so; when it is back, all goes on."""
        await self.traffic(100)
        await self.kill()
        await self.traffic(20)
        assert self.refused == [Kind.UNAVAILABLE] * 20
        for call in (self.here.backend.read("r", 0, 1), self.here.backend.subscribe("other")):
            error = await call.addCallbacks(lambda _: None, lambda failure: failure.value)
            assert error.kind is Kind.UNAVAILABLE
        self.server.start()
        await self.usable()
        await self.traffic(100)
        assert len(await self.all_is_well()) == 200
        assert len(self.here.epochs()) == 1

    async def test_redis_is_killed_in_mid_traffic(self) -> None:
        """The same, in the middle."""

        def kill(number: int) -> None:
            if number == 100:
                self.server.kill()
            if number == 150:
                self.server.start()

        await self.traffic(300, kill)
        await self.usable()
        assert len(self.answered) + len(self.refused) == 300
        assert set(self.refused) <= {Kind.UNAVAILABLE, Kind.UNKNOWN}
        await self.traffic(20)
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

    async def test_redis_has_lost_everything(self) -> None:
        """Rooms begin anew, under another epoch; nothing that is said then is lost."""
        await self.traffic(10)
        self.server.ask("FLUSHALL")
        await self.send(self.here, "new")
        for process in (self.here, self.there):
            await self.hears(process, 11)
            assert process.heard()[10:] == ["new"]
            assert process.seqs() == [*range(1, 11), 1]
            assert len(process.epochs()) == 2
        assert self.here.epochs() == self.there.epochs()
        page = await self.here.backend.read("r", 0, 10)
        assert page.position.epoch == self.here.epochs()[1]

    async def test_redis_has_lost_the_end(self) -> None:
        """The same where older messages are still there, and others have their numbers."""
        await self.traffic(10)
        saved = (self.server.directory / "saved").absolute()
        shutil.copytree(self.server.directory / "appendonlydir", saved)
        await self.traffic(10)
        await self.kill()
        shutil.rmtree(self.server.directory / "appendonlydir")
        saved.rename(self.server.directory / "appendonlydir")
        self.server.start()
        await self.usable()
        self.answered.clear()
        await self.traffic(30)
        assert self.refused == []
        stored = await self.stored()
        assert len(stored) == 40
        assert set(stored[10:]) == set(self.answered)
        for process in (self.here, self.there):
            await self.hears(process, 50)
            assert process.heard()[20:] == stored[10:]
            assert process.seqs() == [*range(1, 21), *range(11, 41)]
            assert len(process.epochs()) == 2
        assert self.here.epochs() == self.there.epochs()

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

    async def test_trimmed_before_it_came(self) -> None:
        """What the history has no more cannot be delivered; the rest is, and senders are told."""
        small = self.process(messages=5)
        await until(lambda: small.backend.trouble() is None)
        await small.backend.subscribe("r")
        told = small.backend.told
        small.backend.told = lambda *_: None  # type: ignore[method-assign]
        await gatherResults([small.backend.publish(Draft("r", str(n))) for n in range(3)])
        small.sink.delivered.clear()
        for number in range(3, 20):
            await self.send(self.here, str(number))
        await small.backend.publish(Draft("r", "20"))
        small.backend.told = told  # type: ignore[method-assign]
        await until(lambda: small.heard()[-1:] == ["20"])
        assert small.heard() == ["16", "17", "18", "19", "20"]
