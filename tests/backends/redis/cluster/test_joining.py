"""`livechat.backends.redis.cluster.joining`, with a real cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor as installed
from twisted.internet.defer import succeed
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from livechat.backends.redis.cluster.joining import NodeEndpoint
from livechat.backends.redis.cluster.slots import Master, Place
from tests.backends.redis.server import RedisServer
from tests.support.ports import free_port

reactor: Any = installed


class NodeEndpointTest(TestCase):
    """A master that may not be where it says."""

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> Iterator[None]:
        with RedisServer(tmp_path / "redis", port=free_port()) as self.server:
            yield

    async def reached(self, said: Place, found: Place | None) -> bool:
        asked: list[str] = []

        def find(name: str) -> Any:
            asked.append(name)
            return succeed(found)

        endpoint = NodeEndpoint(reactor, Master(said, "id"), None, find)
        protocol: Any = await endpoint.connect(Factory.forProtocol(Protocol))
        protocol.transport.abortConnection()
        return asked == []

    async def test_where_it_says(self) -> None:
        assert await self.reached(Place("127.0.0.1", self.server.port), None)

    async def test_where_the_url_leads(self) -> None:
        """Addresses may be such as only nodes can use."""
        there = Place("127.0.0.1", self.server.port)
        assert not await self.reached(Place("127.0.0.1", free_port()), there)

    async def test_a_seed_that_leads_nowhere_is_told(self) -> None:
        nowhere = Place("127.0.0.1", free_port())
        for found in (None, nowhere):
            with pytest.raises(Exception, match="refused"):
                await self.reached(nowhere, found)
