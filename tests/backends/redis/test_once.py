"""`livechat.backends.redis.once`, on a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor as installed
from twisted.trial.unittest import TestCase

from livechat.backends.redis.address import parse
from livechat.backends.redis.connection import UnansweredError
from livechat.backends.redis.once import connected
from livechat.backends.redis.tls import TLSFiles
from tests.backends.redis.server import RedisServer

reactor: Any = installed


class ConnectedTest(TestCase):
    """A connection, as a tool makes it."""

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> Iterator[None]:
        with RedisServer(tmp_path / "redis") as self.server:
            yield

    async def test_a_command_has_its_answer_and_leaves_no_connection(self) -> None:
        """An answer; and nothing is connected afterwards."""
        async with connected(parse(self.server.url), reactor, TLSFiles()) as connection:
            assert await connection.command(b"PING") == b"PONG"
        with pytest.raises(UnansweredError):
            await connection.command(b"PING")

    async def test_no_redis_answers(self) -> None:
        with pytest.raises(UnansweredError):
            async with connected(parse("redis://127.0.0.1:1"), reactor, TLSFiles()):
                self.fail("it is connected")
