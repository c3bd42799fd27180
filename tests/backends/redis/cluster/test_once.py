"""`livechat.backends.redis.cluster.once`, with a real cluster."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor as installed
from twisted.trial.unittest import TestCase

from livechat.backends.exports import ADDED, Room, Said, Value, compact
from livechat.backends.redis.address import parse
from livechat.backends.redis.cluster import once
from livechat.backends.redis.cluster.once import connected_cluster
from livechat.backends.redis.cluster.slots import ClusterKeys
from livechat.backends.redis.connection import RefusedError, UnansweredError
from livechat.backends.redis.moving import Part, Rooms
from livechat.backends.redis.tls import TLSFiles
from tests.backends.redis.cluster.servers import RedisCluster
from tests.support.furnished import ANN

reactor: Any = installed
KEYS = ClusterKeys()


class ConnectedClusterTest(TestCase):
    """A cluster of two masters, as a tool uses it."""

    timeout = 60

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        self.patching = monkeypatch
        with RedisCluster(tmp_path / "cluster", 2) as self.cluster:
            yield

    def url(self, login: str = "") -> Any:
        return parse(f"redis+cluster://{login}127.0.0.1:{self.cluster.nodes[0].port}")

    async def test_rooms_land_on_the_masters_of_their_slots(self) -> None:
        """Rooms land on the masters of their slots, and are listed from all of them."""
        async with connected_cluster(self.url(), reactor, TLSFiles(), KEYS) as connection:
            masters = [node.connection for node in connection.nodes.values()]
            rooms = Rooms([Part(connection, KEYS, reactor, lambda: masters)])
            await rooms.prepare(b"s" * 32)
            entries = [Said(1, 40, "hi", ANN)]
            names = [f"r{number}" for number in range(20)]
            for name in names:
                room = Room(name, "brought", 1, 1, 40)
                assert await rooms.add_room(room, [entries], anew=False) == ADDED
            assert await rooms.add_value(Value("rooms", "r1", compact(b"{}"))) == ADDED
            found: set[str] = set()
            async for some in rooms.names():
                found.update(some)
            assert found == {*names}
            assert await rooms.read("r7", io.BytesIO()) == Room("r7", "brought", 1, 1, 40)
            assert [each.key async for each in rooms.values(["rooms"])] == ["r1"]
        counts = [node.ask("KEYS", "lc:{r*}:s").count("lc:") for node in self.cluster.nodes]
        assert sum(counts) == 20
        assert all(counts)

    async def test_a_master_is_away(self) -> None:
        self.patching.setattr(once, "WITHIN", 1.5)
        self.cluster.nodes[1].kill()
        with pytest.raises(UnansweredError):
            async with connected_cluster(self.url(), reactor, TLSFiles(), KEYS):
                self.fail("it is connected")

    async def test_a_missing_right_refuses_the_connection(self) -> None:
        for node in self.cluster.nodes:
            node.ask("ACL", "SETUSER", "poor", "on", ">x", "~*", "&*", "+@all", "-xadd")
        with pytest.raises(RefusedError, match="NOPERM"):
            async with connected_cluster(self.url("poor:x@"), reactor, TLSFiles(), KEYS):
                self.fail("it is connected")
