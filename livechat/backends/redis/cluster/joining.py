"""Connections to the masters of a cluster, and to the nodes that tell of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from livechat.backends.redis.address import Address, Login
from livechat.backends.redis.cluster.connection import ClusterConnection
from livechat.backends.redis.cluster.node import Node
from livechat.backends.redis.cluster.slots import Master, Place
from livechat.backends.redis.cluster.topology import Seed, Topology
from livechat.backends.redis.endpoints import host_endpoint
from livechat.backends.redis.health import Health
from livechat.backends.redis.tls import TLS

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase


class Joining:
    """Makes the parts of a `ClusterConnection`."""

    def __init__(
        self, address: Address, tls: TLS | None, reactor: PosixReactorBase, health: Health
    ) -> None:
        """
        @param tls: the TLS of connections to all nodes.
        @param health: is told if the topology is known.
        """
        self._reactor = reactor
        self._tls = tls
        self._health = health
        self._login = Login(address.user, address.password)
        self._seeds = [Place(*place) for place in address.hosts]

    def node(self, master: Master, connection: ClusterConnection) -> Node:
        """Make the connections to *master*."""
        where = NodeEndpoint(self._reactor, master, self._tls, connection.topology.find)
        return Node(master, where, self._reactor, connection, self._login)

    def topology(self, connection: ClusterConnection) -> Topology:
        """Make what finds the masters."""

        def seed(place: Place) -> Seed:
            where = host_endpoint(self._reactor, *place, self._tls)
            return Seed(where, self._reactor, self._login)

        return Topology(
            self._reactor,
            self._seeds,
            seed,
            connected=connection.connected,
            adopt=connection.adopt,
            health=self._health,
        )


@implementer(IStreamClientEndpoint)
class NodeEndpoint:
    """
    Connects to a master where it says that it is; or, if it cannot be reached there, where the URL
    leads to it: a cluster may announce addresses that only its nodes can use.
    """

    def __init__(
        self,
        reactor: PosixReactorBase,
        master: Master,
        tls: TLS | None,
        find: Callable[[str], Deferred[Place | None]],
    ) -> None:
        """
        @param find: finds the address of a node of this name by the URL.
        """
        self._reactor = reactor
        self._master = master
        self._tls = tls
        self._find = find

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        return Deferred.fromCoroutine(self._connect(factory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        place, name = self._master
        try:
            return await host_endpoint(self._reactor, *place, self._tls).connect(factory)
        except Exception:
            other = await self._find(name) if name else None
            if other is None or other == place:
                raise
        return await host_endpoint(self._reactor, *other, self._tls).connect(factory)
