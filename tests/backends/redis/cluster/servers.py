"""A real cluster of one's own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from livechat.backends.redis.cluster.slots import SLOTS
from tests.backends.redis.server import RedisServer, server_version
from tests.live.daemon import PATIENCE, eventually
from tests.support.ports import free_port

#: Milliseconds after which nodes call another one dead.
TIMEOUT = 2_000


class RedisCluster:
    """
    Masters with the slots evenly between them, and replicas.

    @ivar nodes: masters first, then a replica for each.
    """

    def __init__(
        self,
        directory: Path,
        masters: int = 1,
        *options: str,
        replicas: bool = False,
        tls: bool = False,
    ) -> None:
        """
        @param tls: nodes have no port without.
        """
        directory.mkdir(exist_ok=True)
        self.masters = masters
        # 6.2 can neither choose the port of its bus, nor be told of ranges.
        self._modern = server_version() >= (7,)
        self.nodes = [
            RedisServer(
                directory / str(number),
                *("--cluster-enabled", "yes", "--cluster-node-timeout", str(TIMEOUT)),
                *("--cluster-config-file", "nodes.conf"),
                *(("--cluster-port", str(free_port())) if self._modern else ()),
                *("--appendfsync", "no", "--repl-diskless-sync-delay", "0"),
                *("--repl-ping-replica-period", "1"),
                *options,
                **{"tls_port" if tls else "port": free_port()},
            )
            for number in range(masters * (1 + replicas))
        ]
        self._make()

    def _make(self) -> None:
        first = self.nodes[0]
        for number, node in enumerate(self.nodes[: self.masters]):
            begin, end = (SLOTS * at // self.masters for at in (number, number + 1))
            slots: tuple[str, ...] = ("ADDSLOTSRANGE", f"{begin}", f"{end - 1}")
            if not self._modern:
                slots = ("ADDSLOTS", *map(str, range(begin, end)))
            assert node.ask("CLUSTER", *slots) == "OK"
            assert node.ask("CLUSTER", "SET-CONFIG-EPOCH", f"{number + 1}") == "OK"
        for node in self.nodes[1:]:
            bus = self.bus_port(node)
            port = node.tls_port or node.port
            assert first.ask("CLUSTER", "MEET", "127.0.0.1", f"{port}", bus) == "OK"
        many = len(self.nodes)
        for node in self.nodes:
            eventually(lambda node=node: self._knows(node, many))  # type: ignore[misc]
        for replica, master in zip(self.nodes[self.masters :], self.nodes, strict=False):
            assert replica.ask("CLUSTER", "REPLICATE", self.id(master)) == "OK"
        self.wait()

    def bus_port(self, node: RedisServer) -> str:
        return node.option("--cluster-port") if self._modern else f"{node.port + 10_000}"

    @staticmethod
    def _knows(node: RedisServer, many: int) -> bool:
        nodes = node.ask("CLUSTER", "NODES").splitlines()
        return len(nodes) == many and not any("handshake" in line for line in nodes)

    def wait(self) -> None:
        """Until all slots are served, and replicas have what their masters have."""
        for node in self.nodes:
            eventually(lambda node=node: "cluster_state:ok" in node.ask("CLUSTER", "INFO"))  # type: ignore[misc]
        for node in self.nodes[self.masters :]:
            eventually(lambda node=node: "link_status:up" in node.ask("INFO", "replication"))  # type: ignore[misc]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.kill()

    @staticmethod
    def id(node: RedisServer) -> str:
        return node.ask("CLUSTER", "MYID")

    @property
    def url(self) -> str:
        return f"redis+cluster://127.0.0.1:{self.nodes[0].port}"

    def slots(self, node: RedisServer) -> set[int]:
        """The slots that *node* says it has; none if it does not answer."""
        found: set[int] = set()
        for line in node.ask("CLUSTER", "NODES").splitlines():
            if "myself" in line:
                for part in line.split()[8:]:
                    first, _, last = part.partition("-")
                    if first.isdigit():
                        found.update(range(int(first), int(last or first) + 1))
        return found

    def has(self, node: RedisServer, slot: int) -> bool:
        return slot in self.slots(node)

    def flush(self) -> None:
        for node in self.nodes[: self.masters]:
            node.ask("FLUSHALL")

    def move(self, slot: int, source: RedisServer, target: RedisServer) -> None:
        """Move a slot, as redis-cli does it."""
        self.begin_move(slot, source, target)
        self.move_keys(slot, source, target)
        self.end_move(slot, source, target)

    def begin_move(self, slot: int, source: RedisServer, target: RedisServer) -> None:
        target.ask("CLUSTER", "SETSLOT", f"{slot}", "IMPORTING", self.id(source))
        source.ask("CLUSTER", "SETSLOT", f"{slot}", "MIGRATING", self.id(target))

    def move_keys(
        self, slot: int, source: RedisServer, target: RedisServer, keys: Sequence[str] = ()
    ) -> None:
        until = time.monotonic() + PATIENCE
        while keys or (found := source.ask("CLUSTER", "GETKEYSINSLOT", f"{slot}", "100").split()):
            some = list(keys) or found
            where = "127.0.0.1", f"{target.port}"
            moved = source.ask("MIGRATE", *where, "", "0", "5000", "KEYS", *some)
            if moved not in {"OK", "NOKEY"}:
                # The other node does not know yet, or the cluster is down.
                assert time.monotonic() < until, moved
                time.sleep(0.05)
            elif keys:
                return

    def end_move(self, slot: int, source: RedisServer, target: RedisServer) -> None:
        for node in (target, source):
            node.ask("CLUSTER", "SETSLOT", f"{slot}", "NODE", self.id(target))
