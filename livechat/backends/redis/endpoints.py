"""Endpoints for the Redis that an `Address` means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import txredisapi
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from zope.interface import implementer

from livechat.backends.redis.address import Address
from livechat.backends.redis.tls import TLS, TLSFiles
from livechat.errors import StartError

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

#: Seconds for a connection to be made.
CONNECT: Final = 2.0
#: Seconds for Sentinel's answer.
ASK: Final = 1.0


def endpoint(address: Address, reactor: PosixReactorBase, files: TLSFiles) -> IStreamClientEndpoint:
    """
    Make the endpoint of *address*.

    @param files: for TLS, where *address* asks for it.
    @raise StartError: a file cannot be used, or it is a cluster, which has many endpoints.
    """
    if address.cluster:
        raise StartError(f"--redis: {address.name} is a cluster, which cannot be used for this yet")
    if address.path:
        unix: IStreamClientEndpoint = UNIXClientEndpoint(reactor, address.path, timeout=CONNECT)
        return unix
    tls = TLS(files) if address.tls else None
    if address.service:
        return SentinelEndpoint(reactor, address, tls)
    (place,) = address.hosts
    return host_endpoint(reactor, *place, tls)


def host_endpoint(
    reactor: PosixReactorBase, host: str, port: int, tls: TLS | None, timeout: float = CONNECT
) -> IStreamClientEndpoint:
    """A host and a port, with TLS or without."""
    plain: IStreamClientEndpoint = HostnameEndpoint(reactor, host, port, timeout=timeout)
    return plain if tls is None else tls.to(host, plain)


@implementer(IStreamClientEndpoint)
class SentinelEndpoint:
    """
    Connects to the master, for which it asks one Sentinel after the other, anew each time.

    A server that Sentinel names may be no master any more: its user has to ask it.
    """

    def __init__(self, reactor: PosixReactorBase, address: Address, tls: TLS | None) -> None:
        """
        @param tls: the TLS of connections to Sentinels and to the master.
        """
        self._reactor = reactor
        # The host that has answered last is asked first.
        self._hosts = list(address.hosts)
        self._service = address.service
        self._login = address.sentinel
        self._tls = tls

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        return Deferred.fromCoroutine(self._connect(factory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        place = await self._master()
        return await host_endpoint(self._reactor, *place, self._tls).connect(factory)

    async def _master(self) -> tuple[str, int]:
        reasons = []
        for place in tuple(self._hosts):
            host, port = place
            try:
                found = await self._ask(host, port)
            except Exception as reason:  # noqa: BLE001 - whatever it is, another may answer
                reasons.append(f"{host}:{port}: {reason}")
                continue
            if found is not None:
                self._hosts.remove(place)
                self._hosts.insert(0, place)
                return found
            reasons.append(f"{host}:{port} does not know it")
        raise ConnectError(f"no Sentinel says where {self._service} is: {'; '.join(reasons)}")

    async def _ask(self, host: str, port: int) -> tuple[str, int] | None:
        where = host_endpoint(self._reactor, host, port, self._tls, ASK)
        asked: Any = await where.connect(_Asking())
        try:
            asking = Deferred.fromCoroutine(self._ask_signed_in(asked))
            answer = await asking.addTimeout(ASK, self._reactor)
        finally:
            asked.transport.abortConnection()
        if answer is None:
            return None
        if not isinstance(answer, list):
            raise ConnectError(f"it is no Sentinel: it answers {answer!r:.100}")
        master, its_port = answer
        return master.decode(), int(its_port)

    async def _ask_signed_in(self, asked: Any) -> Any:
        if self._login.password is not None:
            user = () if self._login.user is None else (self._login.user,)
            await asked.execute_command("AUTH", *user, self._login.password)
        asking = "SENTINEL", "get-master-addr-by-name", self._service
        return await asked.execute_command(*asking)


class _Asking(Factory):
    """Makes a connection to Sentinel."""

    noisy = False

    def buildProtocol(self, _: object) -> Any:
        return _Sentinel(charset=None, convertNumbers=False)


class _Sentinel(txredisapi.RedisProtocol):  # type: ignore[misc]
    """A connection to a Sentinel, or to another server at its address."""

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        try:
            super().dataReceived(data, unpause)
        except txredisapi.InvalidData:
            self.transport.abortConnection()
