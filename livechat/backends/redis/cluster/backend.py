"""
All rooms of one installation, in a cluster.

Each room is at the master of its slot, and what is no room's at that of the slot of ``{!}``, the
*home*.  A master is used once it was prepared: it is a master, with scripts and rights, and has
what this process has stored there.  So a replica that was promoted is asked for the newest entry
of its slots before anything of them is stored, or delivered.  A master that is away takes its own
rooms with it; without the home processes do not hear of each other, and no map is changed, until
it is back.

A slot that moves is a small loss of the connection, for its rooms alone: they are listened to at
their new master, and what was missed meanwhile is read there.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from contextlib import suppress
from random import shuffle
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from zope.interface import implementer

from livechat import metrics
from livechat.backends.redis.acts import Nodes
from livechat.backends.redis.address import Address
from livechat.backends.redis.base import MAY_NOT, BackendInRedis
from livechat.backends.redis.cluster.archive import ClusterArchive
from livechat.backends.redis.cluster.connection import ClusterConnection
from livechat.backends.redis.cluster.joining import Joining
from livechat.backends.redis.cluster.node import Node
from livechat.backends.redis.cluster.slots import (
    ELSEWHERE,
    SLOTS,
    ClusterKeys,
    ranges,
    slot_of,
    slot_of_room,
)
from livechat.backends.redis.cluster.sweep import ClusterSweep
from livechat.backends.redis.connection import RefusedError, UnansweredError
from livechat.backends.redis.entries import Entry
from livechat.backends.redis.health import COMMANDS, Health
from livechat.backends.redis.health import SLOTS as TOPOLOGY
from livechat.backends.redis.layout import LayoutError, check_layout
from livechat.backends.redis.tls import TLS
from livechat.backends.retention import Retention, RoomRetention
from livechat.interfaces import IBackend

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase


@implementer(IBackend)
class ClusterBackend(BackendInRedis):
    """Rooms in a cluster."""

    ordered = False
    _keys: ClusterKeys

    def __init__(
        self,
        address: Address,
        tls: TLS | None,
        reactor: PosixReactorBase,
        retention: Retention,
        *,
        keys: ClusterKeys,
        refuse: Callable[[str], None] | None = None,
    ) -> None:
        """
        @param tls: the TLS of connections to all nodes.
        @param keys: the names of the installation.
        @param refuse: as for `livechat.backends.redis.backend.RedisBackend`.
        """
        self._name = address.name
        self.description = f"Redis Cluster at {address.name}"
        self._refuse = refuse
        self._home_slot = slot_of(keys.control)
        self._topology_health = Health(self.description, reactor, parts=(TOPOLOGY,))
        # The newest entry that this process has stored in each slot, the newest of all last.
        self._last_stored: dict[int, tuple[str, Entry]] = {}
        self._said_plain = False
        # Fire when the data that belongs to no room is known.
        self._waiting_for_home: list[Deferred[None]] = []
        joining = Joining(address, tls, reactor, self._topology_health)
        self._connection = ClusterConnection(reactor, self, joining.node, joining.topology)
        super().__init__(self._connection, keys, reactor, retention)

    def _make_sweep(self, retention: RoomRetention) -> ClusterSweep:
        return ClusterSweep(
            self._commands,
            self._keys,
            self._clock,
            self.wall,
            retention,
            receivers=self.receivers,
            process=secrets.token_hex(8).encode(),
            ready=lambda: self.ready,
            nodes=self._nodes,
        )

    def _make_archive(self) -> ClusterArchive:
        return ClusterArchive(self._commands, self._keys, self.messages)

    def _nodes(self) -> list[Node]:
        return list(self._connection.nodes.values())

    # Usable parts.

    @property
    def _home(self) -> Node | None:
        return self._connection.node_of_slot(self._home_slot)

    @property
    def ready(self) -> bool:
        return self._home is not None and self._home.ready

    @property
    def writable(self) -> bool:
        return self._home is not None and self._home.writable and not self.stopping

    def ready_for(self, room: str) -> bool:
        node = self._of(room)
        return node is not None and node.ready

    def writable_for(self, room: str) -> bool:
        node = self._of(room)
        return node is not None and node.writable and not self.stopping

    def _of(self, room: str) -> Node | None:
        return self._connection.node_of_slot(slot_of_room(room))

    def trouble(self) -> str | None:
        known = self._topology_health.trouble()
        nodes = self._nodes()
        if known is not None and not nodes:
            return known
        reasons = [f"{node.place}: {reason}" for node in nodes if (reason := node.health.reason())]
        if reasons:
            return f"of {len(nodes)} masters, {len(reasons)} cannot be used: {reasons[0]}"
        if self._connection.uncovered:
            none = [slot for slot in range(SLOTS) if self._connection.node_of_slot(slot) is None]
            return f"slots have no master: {ranges(none)}"
        return None

    def _connect(self) -> None:
        self._connection.start()
        self._connection.subscribe([self._keys.control, self.relay.channel])

    def _disconnect(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._connection.stop())

    def _note_stored(self, room: str, entry: Entry) -> None:
        slot = slot_of_room(room)
        self._last_stored.pop(slot, None)
        self._last_stored[slot] = room, entry

    def _forget_stored(self) -> None:
        self._last_stored.clear()

    def write_succeeded(self, room: str) -> None:
        if (node := self._of(room)) is not None:
            node.health.fine(COMMANDS)

    def write_refused(self, reason: RefusedError, room: str) -> None:
        if (node := self._of(room)) is not None:
            node.wrong(COMMANDS, str(reason))

    # As the listener of its connection.

    def node_made(self, node: Node) -> None:
        Deferred.fromCoroutine(self._prepare(node)).addErrback(
            lambda failure: self._log.failure("Redis cannot be used.", failure)
        )

    async def _prepare(self, node: Node) -> None:
        """Check the other end of a new connection."""
        made = node.made
        try:
            found = await node.prepare(self._keys)
            largest = map(max, self._publisher.nodes, found)
            self._publisher.nodes = Nodes(*largest)
            if node is self._home:
                await self._prepare_home()
            await self._home_known()
            await self._find_last_stored(node.slots)
        except UnansweredError as reason:
            if node.made == made and node.connection.connected:
                # The slot has moved to another node.
                node.connection.drop(str(reason))
            return
        except LayoutError as reason:
            if self._refuse is not None:
                self._refuse(f"{self.description}: {reason}")
            else:
                node.connection.drop(str(reason))
            return
        except RefusedError as reason:
            if reason.code in ELSEWHERE:
                self._connection.topology.hurry()
            node.connection.drop(str(reason))
            return
        except Exception as reason:  # noqa: BLE001 - any server may be there, and says anything
            node.connection.drop(f"it is no Redis, or not understood: {reason!r}")
            return
        if not self.stopping and node.made == made and node.connection.connected:
            await self._begin(node)

    async def _begin(self, node: Node) -> None:
        """Begin to use *node*."""
        node.ready = True
        self._measure()
        self._refuse = None
        node.connection.usable()
        node.health.fine(COMMANDS)
        node.check_listening(self._keys)
        self._connection.prepared(node)
        self._say_what_it_lacks(node)
        await node.health.warn(node.connection)
        self._publisher.send_again()
        self._subscriptions.check_all(lambda room: slot_of_room(room) in node.slots)
        if node is self._home:
            self._maps.recovered()
            self.presence.refresh(now=True)
            await self.beat()

    def _say_what_it_lacks(self, node: Node) -> None:
        if not node.sharded and not self._said_plain:
            self._said_plain = True
            self._log.warn(
                "Redis at {place} knows no SPUBLISH, as before 7.0: each message is passed on to "
                "all nodes of its cluster, and more nodes do not make it faster.",
                place=str(node.place),
            )

    async def _prepare_home(self) -> None:
        """Learn the data that belongs to no room.  Fails as `Commands.command`."""
        await check_layout(self._commands, self._keys)
        await self._sweep.begin()
        await self.generation.refresh()
        await self.processes.find_secret()
        await self._maps.refresh()
        await self._find_receivers()
        await self.processes.beat()
        waiting, self._waiting_for_home = self._waiting_for_home, []
        for each in waiting:
            each.callback(None)

    async def _home_known(self) -> None:
        if not self.generation.name or not self.processes.known_secret:
            known: Deferred[None] = Deferred()
            self._waiting_for_home.append(known)
            await known

    async def _find_last_stored(self, slots: Collection[int]) -> None:
        """Check that slots have the newest entries that this process has stored in them."""
        for slot in reversed(tuple(self._last_stored)):
            if slot in slots:
                if not await self._has(*self._last_stored[slot]):
                    await self.begin_anew()
                return

    def _measure(self) -> None:
        nodes = self._nodes()
        usable = sum(node.ready for node in nodes)
        metrics.measured(redis_nodes=len(nodes), redis_nodes_usable=usable)
        metrics.redis_usable(self._name, self.trouble() is None)

    def node_lost(self, node: Node) -> None:
        self._measure()
        if node is self._home:
            self.entering.doubt()
        self._subscriptions.doubt(lambda room: self._of(room) is node)

    def deaf(self, node: Node) -> None:
        self._subscriptions.deaf(lambda room: self._of(room) is node)

    def subscribed(self, channel: bytes) -> None:
        if channel == self._keys.control:
            self._maps.refresh_soon()
        elif channel not in self._news:
            self._subscriptions.listening(channel)

    def unsubscribed(self, channel: bytes) -> None:
        if channel not in self._news:
            self._subscriptions.deaf_to(channel)

    def slots_moved(self, slots: Collection[int]) -> None:
        self._measure()
        self._subscriptions.deaf(lambda room: slot_of_room(room) in slots)
        Deferred.fromCoroutine(self._look_at_moved(slots)).addErrback(
            lambda failure: self._log.failure("Slots that moved could not be read.", failure)
        )

    async def _look_at_moved(self, slots: Collection[int]) -> None:
        """Handle slots that moved between known masters."""
        there = [slot for slot in slots if (node := self._slot(slot)) is not None and node.ready]
        try:
            if self._home_slot in there:
                await self._prepare_home()
            if there:
                await self._find_last_stored(frozenset(there))
        except (UnansweredError, RefusedError):
            pass  # rooms are checked one by one, too, before anything of them is delivered

    def _slot(self, slot: int) -> Node | None:
        return self._connection.node_of_slot(slot)

    async def beat(self) -> None:
        self._measure()
        nodes = [node for node in self._nodes() if node.ready]
        shuffle(nodes)
        for node in nodes:
            try:
                node.check_listening(self._keys)
                await node.check_rights(self._keys)
            except UnansweredError:
                continue
            except RefusedError as reason:
                node.wrong(COMMANDS, str(reason))
                if reason.code in MAY_NOT:
                    node.connection.drop(str(reason))
            else:
                node.health.fine(COMMANDS)
        if self.ready:
            with suppress(UnansweredError, RefusedError):  # the next one may
                await self._beat()
