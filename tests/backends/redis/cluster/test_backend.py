"""`livechat.backends.redis.cluster.backend`, with real clusters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from livechat.backends.redis import connect_cluster
from livechat.backends.redis.cluster.slots import slot_of, slot_of_room
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.publisher import WAIT
from livechat.backends.retention import Retention
from livechat.errors import Kind
from livechat.protocol.messages import Draft
from tests.backends.redis.cluster.contract import ClusterContract
from tests.backends.redis.cluster.processes import SLOT, ClusterProcessesTest
from tests.backends.redis.processes import ahead_of, until
from tests.backends.redis.server import RedisServer
from tests.map_contract import REPORT
from tests.support import RecordingSink
from tests.support.outcomes import publish
from tests.support.ports import free_port


class ThreeNodesContractTest(ClusterContract, TestCase):
    """Three masters."""

    masters = 3


class MovesTest(ClusterProcessesTest):
    """Slots that move from one master to another, while their rooms talk."""

    async def test_a_slot_that_moves_delivers_once(self) -> None:
        """All is delivered once, in order, and refused to nobody; again and again."""
        source, target = self.server, self.others()[0]
        for _ in range(6):
            await self.talk_while(self.cluster.move, SLOT, source, target)
            source, target = target, source
        self.nobody_was_refused()
        assert len(await self.all_is_well()) >= len(self.answered)
        assert len(self.here.epochs()) == 1

    async def test_acts_wait_while_a_slot_is_half_moved(self) -> None:
        """Acts wait while some keys are there and some here."""
        target = self.others()[0]
        await self.traffic(10)
        self.cluster.begin_move(SLOT, self.server, target)
        self.cluster.move_keys(SLOT, self.server, target, ["lc:{r}:m"])
        sent = [self.send(self.here, f"waits{number}") for number in range(20)]
        await deferLater(self.reactor, 0.3)
        assert len(self.answered) == 10
        await self.in_thread(self.cluster.move_keys, SLOT, self.server, target)
        self.cluster.end_move(SLOT, self.server, target)
        await gatherResults(sent)
        self.nobody_was_refused()
        waited = [text for text in await self.all_is_well() if text.startswith("waits")]
        assert waited == sorted(waited, key=lambda text: int(text[5:]))
        assert len(waited) >= 20 - len(self.refused)

    async def test_a_slot_that_never_moves_fails_its_senders(self) -> None:
        """A sender that waits too long is told that nothing is stored; other rooms are as ever."""
        target = self.others()[0]
        await self.traffic(10)
        self.cluster.begin_move(SLOT, self.server, target)
        self.cluster.move_keys(SLOT, self.server, target, ["lc:{r}:m"])
        with ahead_of(WAIT):
            await self.send(self.here, "no")
        assert self.refused == [Kind.UNAVAILABLE]
        other = next(f"x{n}" for n in range(99) if self.cluster.has(target, slot_of_room(f"x{n}")))
        await publish(self.here.backend.messages, Draft(other, "yes"))
        await self.in_thread(self.cluster.move_keys, SLOT, self.server, target)
        self.cluster.end_move(SLOT, self.server, target)
        await self.traffic(10)
        assert "no" not in await self.all_is_well()

    async def test_the_home_slot_moves(self) -> None:
        """Keys that are no room's move, too: maps, processes, the generation."""
        home = slot_of(Keys().control)
        source = next(node for node in self.cluster.nodes if self.cluster.has(node, home))
        target = next(node for node in self.cluster.nodes if node is not source)
        shared = [
            each.backend.shared_map("x", most=9, largest=9) for each in (self.here, self.there)
        ]
        await shared[0].put("a", b"1")
        await self.in_thread(self.cluster.move, home, source, target)
        await shared[1].put("b", b"2")
        await until(lambda: all(each.get("a") == b"1" and each.get("b") == b"2" for each in shared))
        await self.traffic(10)
        await self.all_is_well()
        assert len(self.here.epochs()) == 1

    async def test_a_master_that_is_away_takes_only_its_rooms(self) -> None:
        """A master takes its own rooms with it, and no others."""
        for node in self.cluster.nodes:
            node.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
        other = next(
            f"x{n}" for n in range(99) if self.cluster.has(self.others()[0], slot_of_room(f"x{n}"))
        )
        await self.traffic(10)
        await self.kill()
        assert "of 3 masters, 1 cannot be used: 127.0.0.1:" in str(self.here.backend.trouble())
        await publish(self.here.backend.messages, Draft(other, "there"))
        await self.send(self.here, "away")
        assert self.refused == [Kind.UNAVAILABLE]
        self.server.start()
        await self.usable()
        await self.traffic(10)
        assert len(await self.all_is_well()) == 20


class PlainTest(ClusterProcessesTest):
    """Servers that do not know SPUBLISH, as before 7.0."""

    masters = 2
    options = ("--rename-command", "SPUBLISH", "", "--rename-command", "SSUBSCRIBE", "")

    async def test_a_slot_moves_without_sharded_channels(self) -> None:
        source, target = self.server, self.others()[0]
        for _ in range(3):
            await self.talk_while(self.cluster.move, SLOT, source, target)
            source, target = target, source
        self.nobody_was_refused()
        assert len(await self.all_is_well()) >= len(self.answered)
        assert {node.sharded for node in self.nodes()} == {False}

    async def test_a_missing_master_is_logged_once(self) -> None:
        """Once, whatever the number of masters, and of connections."""
        with capturedLogs() as events:
            third = self.process()
            await third.usable()
            for node in self.nodes():
                node.connection.drop("a test")
            await third.usable()
        assert len([event for event in events if "SPUBLISH" in event["log_format"]]) == 1


class FailoverTest(ClusterProcessesTest):
    """Masters that die, and the replicas that are promoted."""

    replicas = True

    def replica(self) -> RedisServer:
        """The server of the room's master."""
        name = self.cluster.id(self.server)
        return next(
            node
            for node in self.cluster.nodes
            if any(
                "myself" in line and line.split()[3] == name
                for line in node.ask("CLUSTER", "NODES").splitlines()
            )
        )

    async def test_a_replica_that_has_all(self) -> None:
        """Nothing is lost, and the numbering goes on."""
        replica = self.replica()
        await self.traffic(100)
        await until(lambda: replica.ask("XLEN", "lc:{r}:s") != "" and caught_up(self.server))
        await self.kill()
        await self.usable()
        await self.traffic(100)
        assert len(await self.all_is_well()) == 100 + len(self.answered) - 100
        assert len(self.here.epochs()) == 1

    async def test_a_replica_that_has_not(self) -> None:
        """Entries that it never got are lost: a new epoch says so, and nothing more is lost."""
        await self.traffic(100)
        await until(lambda: caught_up(self.server))
        # The replica cannot connect again.
        self.server.ask("CONFIG", "SET", "requirepass", "secret")
        self.server.ask("-a", "secret", "CLIENT", "KILL", "TYPE", "replica")
        await self.traffic(20)
        await self.all_is_well()
        self.server.kill()
        await self.troubled_both()
        await self.usable()
        before = len(self.answered)
        await self.traffic(50)
        stored = await self.stored()
        assert set(stored[100:]) == set(self.answered[before:])
        for process in (self.here, self.there):
            await self.hears(process, 20 + len(stored))
            assert process.heard()[120:] == stored[100:]
            assert len(process.epochs()) == 2
        assert self.here.epochs() == self.there.epochs()


def caught_up(master: RedisServer) -> bool:
    """Return True once the replicas have everything that *master* has."""
    told = master.ask("INFO", "replication")
    offset = re.findall(r"master_repl_offset:(\d+)", told)
    return re.findall(r"offset=(\d+),", told) == offset


class AnnouncedTest(ClusterProcessesTest):
    """A cluster that says it is where nobody can reach it."""

    masters = 1
    options = ("--cluster-announce-ip", "127.0.0.9", "--cluster-announce-port", "1")

    async def test_the_address_of_the_url(self) -> None:
        """The seed's address is used in place of the other one, after that was tried."""
        await self.traffic(10)
        assert len(await self.all_is_well()) == 10


class NamedTest(ClusterProcessesTest):
    """A cluster that says a name."""

    masters = 1
    options = (
        *("--cluster-announce-hostname", "localhost"),
        *("--cluster-preferred-endpoint-type", "hostname"),
    )

    async def test_the_announced_name_is_used(self) -> None:
        await self.traffic(10)
        assert len(await self.all_is_well()) == 10
        (node,) = self.nodes()
        assert node.place.host == "localhost"


class NoClusterTest(TestCase):
    """A server that is in no cluster, or not yet, is refused."""

    timeout = 30

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> None:
        self.directory = tmp_path / "redis"

    async def trouble(self, url: str, said: str) -> None:
        from twisted.internet import reactor  # noqa: PLC0415

        real: Any = reactor
        backend = connect_cluster(url, real, Retention())
        backend.start(RecordingSink(), lambda: REPORT)
        try:
            await until(lambda: said in str(backend.trouble()))
        finally:
            await backend.stop()

    async def test_a_lone_redis_is_no_cluster(self) -> None:
        with RedisServer(self.directory, port=free_port()) as server:
            url = f"redis+cluster://127.0.0.1:{server.port}"
            await self.trouble(url, "cluster support disabled")

    async def test_a_node_without_slots(self) -> None:
        options = ("--cluster-enabled", "yes", "--cluster-port", f"{free_port()}")
        with RedisServer(self.directory, *options, port=free_port()) as server:
            url = f"redis+cluster://127.0.0.1:{server.port}"
            await self.trouble(url, "the cluster is not made yet")

    async def test_no_seed_answers(self) -> None:
        await self.trouble("redis+cluster://127.0.0.1:1,127.0.0.1:2", "127.0.0.1:2: Connection was")
