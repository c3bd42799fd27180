"""Two processes in the same rooms of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from livechat.backends.redis import connect_cluster
from livechat.backends.redis.cluster.backend import ClusterBackend
from livechat.backends.redis.cluster.node import Node
from livechat.backends.redis.cluster.slots import slot_of_room
from livechat.backends.retention import Retention
from tests.backends.redis.cluster.servers import RedisCluster
from tests.backends.redis.processes import Process, ProcessesTest, until
from tests.backends.redis.server import RedisServer

#: The slot of the room that both are in.
SLOT = slot_of_room("r")


class ClusterProcessesTest(ProcessesTest):
    """
    Two processes with members in the room `r`.

    @cvar masters: how many masters the cluster has.
    @cvar replicas: each has a replica.
    @ivar server: the master of that room, at first.
    """

    timeout = 90
    masters = 3
    replicas = False

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> Iterator[None]:
        with RedisCluster(
            tmp_path / "cluster", self.masters, *self.options, replicas=self.replicas
        ) as self.cluster:
            self.url = self.cluster.url
            self.server = self.master_of_room()
            yield

    def master_of_room(self) -> RedisServer:
        """The master that has the room's slot."""
        for node in self.cluster.nodes:
            if self.cluster.has(node, SLOT):
                return node
        raise AssertionError("nobody has it")

    def others(self) -> list[RedisServer]:
        """The other masters."""
        return [node for node in self.cluster.nodes[: self.masters] if node is not self.server]

    def process(self, **options: int) -> Process:
        made = Process(self.connect(self.url, **options))  # type: ignore[arg-type]
        self.addCleanup(made.backend.stop)
        return made

    def connect(self, url: str, **options: int) -> ClusterBackend:
        return connect_cluster(url, self.reactor, Retention(**options))

    async def troubled_both(self) -> None:
        both = (self.here, self.there)
        await until(lambda: all(each.backend.trouble() is not None for each in both))

    async def in_thread(self, call: Any, *args: Any) -> Any:
        """While *call* blocks, all goes on."""
        return await deferToThread(call, *args)

    async def talk_while(self, call: Any, *args: Any) -> None:
        """Both talk until *call*, which blocks, is done, and a little longer."""
        done = self.in_thread(call, *args)
        doing = Deferred.fromCoroutine(done)
        while not doing.called:
            await self.traffic(10)
        await doing
        await self.traffic(10)

    def nobody_was_refused(self) -> None:
        """Assert that nothing was refused, unless a busy machine cost a connection."""
        for each in (self.here, self.there):
            backend: Any = each.backend
            if any(node.made > 1 for node in backend._connection.nodes.values()):
                return
        assert self.refused == []

    def nodes(self) -> list[Node]:
        """The masters that one of them is connected to."""
        backend: Any = self.here.backend
        return list(backend._connection.nodes.values())
