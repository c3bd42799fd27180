"""`livechat.backends.redis.backend`, with a real Redis."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from livechat.backends.redis.backend import RedisBackend
from livechat.backends.retention import Retention
from livechat.errors import Kind
from tests.backends.redis.processes import ProcessesTest, RedisContract, until
from tests.backends.redis.server import RedisServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    started = RedisServer(tmp_path_factory.mktemp("redis"))
    yield started
    started.kill()


class RedisContractTest(RedisContract, TestCase):
    """Rooms in Redis keep the contract."""

    timeout = 30

    @pytest.fixture(autouse=True)
    def _given(self, server: RedisServer) -> None:
        self.begin_at(server)

    def make(
        self, *, history_limit: int = 0, history_age: int = 0, audit_age: int = 0
    ) -> RedisBackend:
        (made,) = self.connected(Retention(history_limit, history_age, audit_age))
        return made


class RedisFaultsTest(ProcessesTest):
    """Faults of a Redis, and their effect on members of its rooms."""

    async def test_members_at_two_processes_hear_the_same(self) -> None:
        """Members of a room hear the same at both processes."""
        await self.traffic(500)
        assert len(self.answered) == 500
        assert len(await self.all_is_well()) == 500
        assert self.here.seqs() == self.there.seqs() == list(range(1, 501))
        assert self.here.epochs() == self.there.epochs()
        assert len(self.here.epochs()) == 1

    async def test_garbage_on_a_channel_is_ignored(self) -> None:
        """Garbage that others publish on a room's channel is ignored."""
        with capturedLogs() as events:
            for said in ("", "nonsense", "a b c d e", "x " * 9, "g w 1e3 2 t x", "g w 1 2 t"):
                self.server.ask("PUBLISH", "lc:0:{r}", said)
            self.server.ask("PUBLISH", "lc:0:{!}", "nonsense")
            await self.traffic(10)
            assert len(await self.all_is_well()) == 10
        assert any("is not livechat's" in event["log_format"] for event in events)
        assert not any(event["log_level"].name == "critical" for event in events)

    async def test_senders_are_told_while_redis_is_away(self) -> None:
        """While it is away, who sends is told so; when it is back, all goes on."""
        await self.traffic(100)
        await self.kill()
        await self.traffic(20)
        assert self.refused == [Kind.UNAVAILABLE] * 20
        for call in (
            self.here.backend.messages.read("r", 0, 1),
            self.here.backend.messages.subscribe("other"),
        ):
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

    async def test_redis_has_lost_everything(self) -> None:
        """Rooms begin anew, under another epoch; nothing that is said then is lost."""
        await self.traffic(10)
        await self.all_is_well()
        self.server.ask("FLUSHALL")
        await self.send(self.here, "new")
        for process in (self.here, self.there):
            await self.hears(process, 11)
            assert process.heard()[10:] == ["new"]
            assert process.seqs() == [*range(1, 11), 1]
            assert len(process.epochs()) == 2
        assert self.here.epochs() == self.there.epochs()
        page = await self.here.backend.messages.read("r", 0, 10)
        assert page.position.epoch == self.here.epochs()[1]

    async def test_redis_has_lost_the_end(self) -> None:
        """The same where older messages are still there, and others have their numbers."""
        await self.traffic(10)
        saved = (self.server.directory / "saved").absolute()
        shutil.copytree(self.server.directory / "appendonlydir", saved)
        await self.traffic(10)
        # A message lost before it was heard would be heard by nobody.
        await self.all_is_well()
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


class WarningsTest(ProcessesTest):
    """The same, of a real one."""

    options = ("--appendonly", "no", "--maxmemory-policy", "volatile-ttl")

    async def test_the_warning_of_settings_comes_once(self) -> None:
        """The warning comes once, and not again after each new connection."""
        with capturedLogs() as events:
            third = self.process()
            await third.usable()
            await until(lambda: len(warned(events)) == 2)
            third.backend._connection.drop("a test")
            await third.troubled("a test")
            await third.usable()
            await third.backend.beat()
        assert len(warned(events)) == 2


def warned(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event["warning"] for event in events if "warning" in event]
