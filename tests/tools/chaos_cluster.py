"""
Chaos in a cluster of three masters and three replicas: a master is killed every 20 seconds,
its replica is promoted, and slots of rooms are moved from one master to another meanwhile.

Redis replicates without waiting, so a promoted replica may lack what was acknowledged last.
All that the replica has, as read from it once it is a master, every client has in the end, once,
in order.  The rest is counted, and every client of the room was told of a gap.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

from livechat.backends.redis.cluster.slots import slot_of_room
from tests.backends.redis.cluster.servers import RedisCluster
from tests.backends.redis.server import RedisServer
from tests.live.daemon import Daemon
from tests.tools.chaos import PATIENCE, Chaos, Client

#: Seconds after a fault that the others go on undisturbed.
EVERY = 20.0
#: Seconds between two moves of a slot.
MOVE_EVERY = 1.0
#: Seconds within which a replica is promoted.
PROMOTED = 15.0

_TEXT = re.compile(r"^c\d+-\d+\.$", re.MULTILINE)


class ClusterClient(Client):
    """A client that only sends: messages that were lost can be neither edited nor taken back."""

    changes = 0.0

    def _acknowledged(self, frame: Any) -> None:
        # A message that a failover lost, and that was sent again, is stored under two numbers.
        if frame["nonce"] not in self._outbox and self._acked[frame["nonce"]] != frame["seq"]:
            self.counts["stored again after a loss"] += 1
            return
        super()._acknowledged(frame)


class ClusterChaos(Chaos):
    """
    The daemon, its cluster and its clients, and the faults that hit them.

    @ivar dumps: all texts that promoted replicas had, by room.
    """

    client = ClusterClient
    redis: RedisCluster

    def __init__(self, directory: Path, clients: int, rooms: int) -> None:
        super().__init__(directory, clients, rooms)
        self.dumps: dict[str, set[str]] = {}
        self._truth: dict[str, list[str]] = {}
        self._busy = asyncio.Lock()

    def start_redis(self, directory: Path) -> RedisCluster:
        return RedisCluster(directory, 3, replicas=True)

    def _names(self) -> list[str]:
        return [f"room{number}" for number in range(self._rooms)]

    def _stored(self, node: RedisServer, room: str) -> list[str]:
        return _TEXT.findall(node.ask("XRANGE", f"lc:{{{room}}}:s", "-", "+"))

    async def _break(self, daemon: Daemon, until: float, every: float) -> None:
        moving = asyncio.create_task(self._move(until))
        while time.monotonic() + every < until:
            await asyncio.sleep(every)
            async with self._busy:
                # A slot on its way to a node that dies is for its operator to mend.
                victim, slots = await asyncio.to_thread(self._kill_master)
            await asyncio.to_thread(self._await_replica, victim, slots)
        await moving

    def _kill_master(self) -> tuple[RedisServer, set[int]]:
        masters = [node for node in self.redis.nodes if self.redis.slots(node)]
        victim = random.choice(masters)
        slots = self.redis.slots(victim)
        victim.kill()
        return victim, slots

    def _await_replica(self, victim: RedisServer, slots: set[int]) -> None:
        until = time.monotonic() + PROMOTED
        while True:
            others = [node for node in self.redis.nodes if node is not victim]
            found = [node for node in others if slots & self.redis.slots(node)]
            if found:
                break
            assert time.monotonic() < until, "no replica was promoted"
            time.sleep(0.02)
        has = self.redis.slots(found[0])
        for room in self._names():
            if slot_of_room(room) in has:
                self.dumps.setdefault(room, set()).update(self._stored(found[0], room))
        self.faults.append("a master")
        time.sleep(random.uniform(0, 3))
        victim.start()

    async def _move(self, until: float) -> None:
        while time.monotonic() + MOVE_EVERY < until:
            await asyncio.sleep(MOVE_EVERY)
            async with self._busy:
                await asyncio.to_thread(self._move_one)

    def _move_one(self) -> None:
        slot = slot_of_room(random.choice(self._names()))
        masters = {node: self.redis.slots(node) for node in self.redis.nodes}
        sources = [node for node, slots in masters.items() if slot in slots]
        targets = [node for node, slots in masters.items() if slots and slot not in slots]
        if len(sources) == 1 and targets:
            self.redis.move(slot, sources[0], random.choice(targets))
            self.faults.append("a slot moved")

    async def _settle(self, lives: list[asyncio.Task[None]]) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            for life in lives:
                if life.done():
                    life.result()
            waiting = [client.name for client in self.clients if client.waits]
            if not waiting:
                await asyncio.to_thread(self._read_truth)
                waiting = [each.name for each in self.clients if self._lacks(each)]
            if not waiting:
                return
            assert time.monotonic() < until, f"not whole after {PATIENCE} seconds: {waiting}"
            for client in self.clients:
                await client.act_again()
            await asyncio.sleep(0.5)

    def _read_truth(self) -> None:
        for room in self._names():
            for node in self.redis.nodes:
                if slot_of_room(room) in self.redis.slots(node):
                    self._truth[room] = self._stored(node, room)

    def _lacks(self, client: Client) -> set[str]:
        return {*self._truth[client.room]} - {*client.transcript.texts}

    def _count(self, late: Any) -> dict[str, Any]:
        del late
        counts = sum((client.counts for client in self.clients), Counter[str]())
        lost = doubled = again = disordered = unlabelled = 0
        gone = self._gone()
        for client in self.clients:
            texts, gaps = client.transcript.texts, client.transcript.gaps
            truth = self._truth[client.room]
            lost += len(self._lacks(client))
            lost += len(self.dumps.get(client.room, set()) - {*texts})
            more = len(texts) - len({*texts})
            # Messages may come again only in a room that has lost some.
            again, doubled = (again + more, doubled) if gaps else (again, doubled + more)
            place = {text: at for at, text in enumerate(texts)}
            heard = [place[text] for text in truth if text in place]
            disordered += heard != sorted(heard)
            unlabelled += bool(gone[client.room]) and not gaps
        found = {
            "clients": len(self.clients),
            "rooms": self._rooms,
            "faults": dict(Counter(self.faults)),
            "stored": sum(map(len, self._truth.values())),
            "in dumps of promoted replicas": sum(map(len, self.dumps.values())),
            "delivered": sum(len(client.transcript.texts) for client in self.clients),
            "gaps": dict(Counter(gap for each in self.clients for gap in each.transcript.gaps)),
            **counts,
            "acknowledged, and not in the promoted replica": sum(map(len, gone.values())),
            "heard again after a loss that was told": again,
            "lost": lost,
            "doubled": doubled,
            "out of order": disordered,
            "losses that were not told": unlabelled,
        }
        assert lost == doubled == disordered == unlabelled == 0, found
        assert not any(self.dumps[room] - {*self._truth[room]} for room in self.dumps), found
        return found

    def _gone(self) -> dict[str, set[str]]:
        """Messages that were acknowledged and are not stored, by room."""
        gone: dict[str, set[str]] = {room: set() for room in self._names()}
        for client in self.clients:
            said = {text for text in client.said.values() if text is not None}
            gone[client.room] |= said - {*self._truth[client.room]}
        return gone
