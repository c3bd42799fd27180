"""
The connections to all masters of a cluster as one.

A command goes to the master of its key's slot.  Where that answers that the slot is elsewhere, or
about to be, the command was not carried out: it is given again
(`livechat.backends.redis.cluster.held`).  As with one Redis, nothing waits for a master that is
not connected.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import count
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, fail, gatherResults, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from livechat import metrics
from livechat.backends.redis.base import ELSEWHERE as UNFIT
from livechat.backends.redis.cluster.channels import Channels
from livechat.backends.redis.cluster.held import Give, Held, Queue, until
from livechat.backends.redis.cluster.node import Node
from livechat.backends.redis.cluster.slots import (
    ELSEWHERE,
    SLOTS,
    Master,
    Place,
    View,
    redirection,
    slot_of,
)
from livechat.backends.redis.cluster.topology import Topology
from livechat.backends.redis.connection import RefusedError, Script, UnansweredError

#: Seconds between two checks of unconfirmed subscriptions.
CONFIRM_EVERY: Final = 0.5


class ClusterListener(Protocol):
    """Callbacks of the connections.  None of them raises."""

    def node_made(self, node: Node) -> None:
        """The connection to *node* is made.  Until it is ready, it takes only commands for that."""

    def node_lost(self, node: Node) -> None:
        """The connection to *node* was lost, its unanswered commands with it; or was not made."""

    def deaf(self, node: Node) -> None:
        """All subscriptions at *node* were lost."""

    def subscribed(self, channel: bytes) -> None:
        """The subscription holds: `published` gets every message of the channel."""

    def unsubscribed(self, channel: bytes) -> None:
        """The subscription has ended, asked for or not."""

    def slots_moved(self, slots: Collection[int]) -> None:
        """Slots have other masters."""

    def published(self, channel: bytes, payload: bytes) -> None:
        """A message was published."""


class ClusterConnection:
    """
    Gives commands to masters; `livechat.backends.redis.connection.Commands`.

    @ivar nodes: the masters, by their names.
    """

    def __init__(
        self,
        clock: IReactorTime,
        listener: ClusterListener,
        make_node: Callable[[Master, ClusterConnection], Node],
        make_topology: Callable[[ClusterConnection], Topology],
    ) -> None:
        self.clock = clock
        self._listener = listener
        self._make_node = make_node
        self.nodes: dict[str, Node] = {}
        self._slots: list[Node | None] = [None] * SLOTS
        self.uncovered = SLOTS
        self._numbers = count()
        self._held: dict[int, Queue] = {}
        self._channels = Channels(clock, self.node_of_slot)
        self.topology = make_topology(self)
        self._confirming = LoopingCall(self._channels.ask_again)
        self._confirming.clock = clock
        self._leaving: set[Deferred[Any]] = set()

    def start(self) -> None:
        self.topology.start()
        self._confirming.start(CONFIRM_EVERY, now=False)

    async def stop(self) -> None:
        if self._confirming.running:
            self._confirming.stop()
        await self.topology.stop()
        await gatherResults([queue.stop() for queue in tuple(self._held.values())])
        await gatherResults([node.stop() for node in self.nodes.values()])
        await gatherResults(list(self._leaving))

    # Commands.

    def command(self, *words: bytes) -> Deferred[Any]:
        return self._give(
            slot_of(words[1]), lambda node, asking: node.command(words, asking=asking)
        )

    def call(self, script: Script, keys: Sequence[bytes], args: Sequence[bytes]) -> Deferred[Any]:
        return self._give(
            slot_of(keys[0]), lambda node, asking: node.call(script, keys, args, asking=asking)
        )

    def _give(self, slot: int, give: Give) -> Deferred[Any]:
        number = next(self._numbers)
        if (queue := self._held.get(slot)) is not None:
            return queue.add(Held(number, give, until(self.clock)))
        node = self._slots[slot]
        if node is None:
            return fail(UnansweredError("its slot has no master", sent=False))
        return give(node, False).addErrback(self._not_done, node, slot, number, give)

    def _not_done(self, failure: Failure, node: Node, slot: int, number: int, give: Give) -> Any:
        error = failure.value
        if not isinstance(error, RefusedError):
            return failure
        if error.code in ELSEWHERE:
            metrics.redirected(error.code)
            self._where(slot, node, error)
            asks = error if error.code == "ASK" else None
            return self._hold(slot, [node]).add(Held(number, give, until(self.clock), asks))
        if error.code in UNFIT:
            node.connection.drop(str(error))
            self.topology.hurry()
        return failure

    def _hold(self, slot: int, nodes: Iterable[Node]) -> Queue:
        """
        Have commands of *slot* wait.

        @param nodes: nodes that may still have unanswered commands of the slot.
        """
        queue = self._held.get(slot)
        if queue is None:
            asked = [self._slots[slot]]

            def where(error: RefusedError | None) -> tuple[Node | None, bool]:
                node, asking = self._where(slot, asked[0], error)
                asked[0] = node
                return node, asking

            queue = Queue(self.clock, where, lambda: self._release(slot))
            self._held[slot] = queue
            queue.begin(gatherResults([_answered(node) for node in nodes]))
        return queue

    def _release(self, slot: int) -> None:
        del self._held[slot]

    def _where(
        self, slot: int, asked: Node | None, error: RefusedError | None
    ) -> tuple[Node | None, bool]:
        """
        Choose the node for a command of *slot*, and if it needs ASKING.

        @param error: the error that *asked* has answered with, if any.
        """
        if error is not None and asked is not None:
            self.topology.hurry()
            found = redirection(error, asked.place)
            if found is not None:
                node = self._at(found.place)
                if found.asks:
                    return node, True
                if node is not None:
                    self._move({slot: node})
        return self._slots[slot], False

    def _at(self, place: Place) -> Node | None:
        return next((node for node in self.nodes.values() if node.place == place), None)

    def time(self, seconds: float, key: bytes) -> int:
        node = self._slots[slot_of(key)]
        return int(1000 * seconds) if node is None else node.connection.time(seconds)

    def node_of_slot(self, slot: int) -> Node | None:
        return self._slots[slot]

    def subscribe(self, channels: Sequence[bytes]) -> None:
        self._channels.add(channels)

    def unsubscribe(self, channels: Sequence[bytes]) -> None:
        self._channels.remove(channels)

    # Knowledge of the cluster.

    def connected(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.connection.connected]

    def adopt(self, view: View) -> None:
        """Connect to the masters of *view*, and leave others alone."""
        changed: dict[int, Node | None] = {}
        there: dict[str, Node] = {}
        covered = 0
        for master, slots in view.masters.items():
            name = master.id or str(master.place)
            node = self.nodes.get(name)
            if node is None or node.place != master.place:
                node = self._make_node(master, self)
                node.start()
            there[name] = node
            covered += len(slots)
            changed |= {slot: node for slot in slots if self._slots[slot] is not node}
        gone = [node for name, node in self.nodes.items() if there.get(name) is not node]
        self.nodes = there
        self.uncovered = SLOTS - covered
        if self.uncovered:
            lost = set(gone)
            none = (slot for slot in range(SLOTS) if self._slots[slot] in lost)
            changed = {**dict.fromkeys(none), **changed}
        self._move(changed)
        for node in gone:
            self._leave(node)

    def _leave(self, node: Node) -> None:
        self._channels.lost(node)
        leaving = node.stop()
        self._leaving.add(leaving)
        leaving.addBoth(lambda _: self._leaving.discard(leaving))

    def _move(self, changed: Mapping[int, Node | None]) -> None:
        """Move slots to other nodes; earlier commands of these slots finish first."""
        before: dict[Node, list[int]] = {}
        for slot, node in changed.items():
            old = self._slots[slot]
            if old is node:
                continue
            self._slots[slot] = node
            if node is not None:
                node.slots.add(slot)
            if old is not None:
                old.slots.discard(slot)
                before.setdefault(old, []).append(slot)
        if not changed:
            return
        for old, slots in before.items():
            if old.connection.waits:
                for slot in slots:
                    self._hold(slot, [old])
        self._channels.moved(changed.keys())
        self._listener.slots_moved(changed.keys())

    # As the owner of nodes.

    def commands_made(self, node: Node) -> None:
        self._listener.node_made(node)

    def commands_lost(self, node: Node) -> None:
        self.topology.hurry()
        self._listener.node_lost(node)

    def prepared(self, node: Node) -> None:
        """*node* is known: it can be told what to listen to."""
        self._channels.hears(node)

    def subscriptions_made(self, node: Node) -> None:
        if node.sharded is not None:
            self._channels.hears(node)

    def subscriptions_lost(self, node: Node) -> None:
        self._channels.lost(node)
        self._listener.deaf(node)

    def subscribed(self, node: Node, channel: bytes) -> None:
        if self._channels.confirmed(node, channel):
            self._listener.subscribed(channel)

    def unsubscribed(self, node: Node, channel: bytes) -> None:
        if self._channels.ended(node, channel):
            self.topology.hurry()
            self._listener.unsubscribed(channel)

    def not_subscribed(self, node: Node) -> None:
        self.topology.hurry()

    def published(self, channel: bytes, payload: bytes) -> None:
        self._listener.published(channel, payload)


def _answered(node: Node) -> Deferred[Any]:
    """Return a Deferred that fires when *node* has answered all commands, or is lost."""
    if not node.connection.waits:
        return succeed(None)
    return node.connection.command(b"PING").addErrback(lambda _: None)
