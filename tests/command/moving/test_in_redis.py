"""`livechat.command.moving.in_redis`, on real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor as installed
from twisted.trial.unittest import TestCase

from livechat.backends.redis.moving import Rooms
from livechat.command.configured import config_of
from livechat.command.moving.in_redis import called
from livechat.command.output import CommandError
from tests.backends.redis.server import RedisServer

reactor: Any = installed


async def prepared(rooms: Rooms) -> bytes:
    await rooms.prepare(None)
    await rooms.prepare(b"s" * 32)
    return await rooms.secret()


class CalledTest(TestCase):
    """Calls with the rooms of a configuration."""

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> Iterator[None]:
        with RedisServer(tmp_path / "one") as self.one, RedisServer(tmp_path / "two") as self.two:
            yield

    async def run_on(self, *urls: str, prefix: str = "x") -> bytes:
        options = [f"--redis={' '.join(urls)}", f"--redis-prefix={prefix}"]
        config = config_of(options, {}, None)
        return await called(reactor, config, prepared)

    async def test_several_servers_become_one_installation(self) -> None:
        """Each Redis becomes part of the installation; the first has the data of all rooms."""
        assert await self.run_on(self.one.url, self.two.url) == b"s" * 32
        for each in (self.one, self.two):
            assert each.ask("EXISTS", "x:{!}:format", "x:{!}:generation", "x:{!}:clock") == "3"
        assert self.two.ask("EXISTS", "x:{!}:secret") == "0"

    async def test_servers_that_cannot_be_used(self) -> None:
        for urls in (("redis://127.0.0.1:1",), (self.one.url, "redis://127.0.0.1:1")):
            with pytest.raises(CommandError, match=r"^Redis: "):
                await self.run_on(*urls)
        self.one.ask("ACL", "SETUSER", "poor", "on", ">x", "~*", "&*", "+@all", "-xadd")
        with pytest.raises(CommandError, match=r"^Redis: NOPERM"):
            await self.run_on(f"unix://poor:x@{self.one.socket}")
