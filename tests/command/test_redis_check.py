"""`livechat.command.redis_check`, on a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor as installed
from twisted.trial.unittest import TestCase

from livechat.backends.redis.tls import TLSFiles
from livechat.command import redis_check
from livechat.command.redis_check import Found, look_at
from tests.backends.redis.cluster.servers import RedisCluster
from tests.backends.redis.server import RedisServer

reactor: Any = installed


class LookTest(TestCase):
    """Checks of a single Redis."""

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        self.patching = monkeypatch
        with RedisServer(tmp_path / "redis") as self.server:
            yield

    async def look(self, url: str = "") -> Found:
        return await look_at(reactor, url or self.server.url, TLSFiles(), "lc")

    async def test_a_good_redis_has_no_findings(self) -> None:
        """The check finds the version, and leaves no keys behind."""
        found = await self.look()
        version = self.server.ask("INFO", "server").split("_version:")[1].split()[0]
        assert (found.wrong, found.warnings, found.version) == ("", (), version)
        assert abs(found.ahead) < 2
        assert self.server.ask("DBSIZE") == "0"

    async def test_unsafe_settings_are_told(self) -> None:
        self.server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        self.server.ask("CONFIG", "SET", "appendonly", "no")
        found = await self.look()
        assert [each.split()[0] for each in found.warnings] == ["may", "has"]

    async def test_missing_rights_are_told(self) -> None:
        """A user that may do too little is found out before a message is lost."""
        self.server.ask("ACL", "SETUSER", "poor", "on", ">x", "~lc:*", "&lc:*", "+@all", "-xadd")
        found = await self.look(f"unix://poor:x@{self.server.socket}")
        assert "NOPERM" in found.wrong
        assert "x@" not in str(found)

    async def test_a_wrong_password(self) -> None:
        found = await self.look(f"unix://livechat:wrong@{self.server.socket}")
        assert "cannot be used" in found.wrong

    async def test_a_redis_that_is_away_is_told(self) -> None:
        assert "cannot be used" in (await self.look("redis://127.0.0.1:1")).wrong
        assert "must be redis://" in (await self.look("http://x")).wrong

    async def test_a_redis_that_hangs_is_told(self) -> None:
        import signal  # noqa: PLC0415

        self.patching.setattr(redis_check, "WITHIN", 0.2)
        self.server.signal(signal.SIGSTOP)
        found = await self.look()
        assert found.wrong


class LookAtClusterTest(TestCase):
    """Checks of all masters of a cluster."""

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> Iterator[None]:
        with RedisCluster(tmp_path / "cluster", 2) as self.cluster:
            yield

    async def look(self, url: str = "") -> Found:
        return await look_at(reactor, url or self.cluster.url, TLSFiles(), "lc")

    async def test_a_good_cluster_has_no_findings(self) -> None:
        """Nothing is left behind at any of them."""
        found = await self.look()
        assert (found.wrong, found.warnings) == ("", ())
        assert found.version[0].isdigit()
        assert abs(found.ahead) < 2
        assert [node.ask("DBSIZE") for node in self.cluster.nodes] == ["0", "0"]

    async def test_one_master_that_is_wrong(self) -> None:
        """Errors and warnings name the master."""
        last = self.cluster.nodes[-1]
        last.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        assert f"({'127.0.0.1'}:{last.port})" in (await self.look()).warnings[0]
        rights = ("on", ">x", "~lc:*", "&lc:*", "+@all")
        for node in self.cluster.nodes:
            node.ask("ACL", "SETUSER", "poor", *rights)
        last.ask("ACL", "SETUSER", "poor", "-xadd")
        found = await self.look(self.cluster.url.replace("//", "//poor:x@"))
        assert f"has a master at 127.0.0.1:{last.port} that cannot be used: NOPERM" in found.wrong

    async def test_slots_without_a_master(self) -> None:
        self.cluster.nodes[0].ask("CLUSTER", "DELSLOTS", "7")
        assert "has no master for 1 of 16384 slots" in (await self.look()).wrong

    async def test_a_cluster_that_is_away_is_told(self) -> None:
        url = "redis+cluster://127.0.0.1:1,127.0.0.1:2"
        assert "cannot be used" in (await self.look(url)).wrong
