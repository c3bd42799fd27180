"""The connections to a cluster for commands that are given once, as a tool gives them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred, TimeoutError  # noqa: A004

from livechat.backends.redis.address import Address
from livechat.backends.redis.cluster.connection import ClusterConnection
from livechat.backends.redis.cluster.joining import Joining
from livechat.backends.redis.cluster.node import Node
from livechat.backends.redis.cluster.slots import ClusterKeys
from livechat.backends.redis.connection import RefusedError, UnansweredError
from livechat.backends.redis.health import SLOTS, Health
from livechat.backends.redis.tls import TLS, TLSFiles

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

#: Seconds until all masters can be used.
WITHIN: Final = 20.0


@asynccontextmanager
async def connected_cluster(
    address: Address, reactor: PosixReactorBase, files: TLSFiles, keys: ClusterKeys
) -> AsyncIterator[ClusterConnection]:
    """
    Connect to all masters, and disconnect at the end.

    @param files: for TLS, where *address* asks for it.
    @raise UnansweredError: a master cannot be reached, or slots have none.
    @raise RefusedError: one lets us do too little.
    @raise livechat.errors.StartError: a file cannot be used.
    """
    health = Health(address.name, reactor, parts=(SLOTS,))
    joining = Joining(address, TLS(files) if address.tls else None, reactor, health)
    listener = _Listener(keys)
    connection = ClusterConnection(reactor, listener, joining.node, joining.topology)
    listener.connection = connection
    connection.start()
    try:
        await listener.usable.addTimeout(WITHIN, reactor)
        yield connection
    except TimeoutError:
        why = health.reason() or listener.reason or "not all of its slots have a master"
        raise UnansweredError(why, sent=False) from None
    finally:
        await connection.stop()


class _Listener:
    """Prepares masters, and waits until all can be used."""

    connection: ClusterConnection

    def __init__(self, keys: ClusterKeys) -> None:
        self._keys = keys
        self.usable: Deferred[None] = Deferred()
        self.reason = ""

    def node_made(self, node: Node) -> None:
        Deferred.fromCoroutine(self._prepare(node))

    async def _prepare(self, node: Node) -> None:
        try:
            await node.prepare(self._keys)
        except UnansweredError as reason:
            self.reason = f"{node.place}: {reason}"
            return
        except RefusedError as reason:
            self._fail(reason)
            return
        node.ready = True
        node.connection.usable()
        self._look()

    def _look(self) -> None:
        nodes = self.connection.nodes.values()
        covered = nodes and not self.connection.uncovered
        if covered and all(node.ready for node in nodes) and not self.usable.called:
            self.usable.callback(None)

    def _fail(self, reason: RefusedError) -> None:
        if not self.usable.called:
            self.usable.errback(reason)

    def slots_moved(self, slots: Collection[int]) -> None:
        """Slots have other masters, so all may be covered now."""
        self._look()

    def node_lost(self, node: Node) -> None:
        """No-op: commands fail by themselves."""

    def deaf(self, node: Node) -> None:
        """No-op: nothing is subscribed."""

    def subscribed(self, channel: bytes) -> None:
        """No-op, as above."""

    def unsubscribed(self, channel: bytes) -> None:
        """No-op, as above."""

    def published(self, channel: bytes, payload: bytes) -> None:
        """No-op, as above."""
