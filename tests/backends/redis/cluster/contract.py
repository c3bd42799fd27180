"""The contract of backends, kept in a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from livechat.backends.redis import connect_cluster
from livechat.backends.redis.cluster.backend import ClusterBackend
from livechat.backends.retention import Retention
from tests.backends.redis.cluster.servers import RedisCluster
from tests.backends.redis.processes import RedisContract


class ClusterContract(RedisContract):
    """
    Rooms in a cluster keep the contract.

    @cvar masters: how many it has.
    @cvar replicas: each has a replica.
    """

    timeout = 60
    masters = 1
    replicas = False
    _cluster: RedisCluster

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _started(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        directory = tmp_path_factory.mktemp("cluster")
        with RedisCluster(directory, cls.masters, replicas=cls.replicas) as cls._cluster:
            yield

    @pytest.fixture(autouse=True)
    def _given(self) -> None:
        self.begin_at(*self._cluster.nodes[: self.masters])

    def make(
        self, *, history_limit: int = 0, history_age: int = 0, audit_age: int = 0
    ) -> ClusterBackend:
        from twisted.internet import reactor  # noqa: PLC0415

        real: Any = reactor
        retention = Retention(history_limit, history_age, audit_age)
        made = connect_cluster(self._cluster.url, real, retention)
        made.wall._wall = lambda: 1_790_000_000 + self._later + self._ahead
        made.wall._elapsed = lambda: self._later
        return made
