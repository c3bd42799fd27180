"""How to reach the Redis that an `Address` means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import txredisapi
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL.crypto import X509
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    UNIXClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from zope.interface import implementer

from livechat.backends.redis.address import Address
from livechat.backends.redis.trust import Trust
from livechat.errors import StartError

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

#: Seconds for a connection to be made.
CONNECT: Final = 2.0
#: Seconds for Sentinel's answer.
ASK: Final = 1.0


def endpoint(
    address: Address, reactor: PosixReactorBase, authorities: Path | None
) -> IStreamClientEndpoint:
    """
    @param authorities: PEM, who may vouch for a Redis with TLS; else those whom the system
        trusts.
    @raise StartError: the file cannot be read.
    """
    if address.path:
        unix: IStreamClientEndpoint = UNIXClientEndpoint(reactor, address.path, timeout=CONNECT)
        return unix
    if address.service:
        return SentinelEndpoint(reactor, address.hosts, address.service)
    ((host, port),) = address.hosts
    plain = HostnameEndpoint(reactor, host, port, timeout=CONNECT)
    if not address.tls:
        return plain
    trusted = None if authorities is None else _trusted(authorities)
    secured: IStreamClientEndpoint = wrapClientTLS(Trust(host, trusted), plain)
    return secured


def _trusted(path: Path) -> Any:
    try:
        found = load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as reason:
        raise StartError(f"--redis-ca: {path} cannot be used: {reason}") from None
    return trustRootFromCertificates([Certificate(X509.from_cryptography(each)) for each in found])


@implementer(IStreamClientEndpoint)
class SentinelEndpoint:
    """
    Asks one Sentinel after the other where the master is, each time anew, and connects there.

    Whether it is the master must be asked there: Sentinel may not know yet.
    """

    def __init__(
        self, reactor: PosixReactorBase, hosts: tuple[tuple[str, int], ...], service: str
    ) -> None:
        self._reactor = reactor
        # Who has answered last is asked first.
        self._hosts = list(hosts)
        self._service = service

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        return Deferred.fromCoroutine(self._connect(factory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        host, port = await self._master()
        there = HostnameEndpoint(self._reactor, host, port, timeout=CONNECT)
        return await there.connect(factory)

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
        where = HostnameEndpoint(self._reactor, host, port, timeout=ASK)
        asked: Any = await where.connect(_Asking())
        try:
            answer = await asked.execute_command(
                "SENTINEL", "get-master-addr-by-name", self._service
            ).addTimeout(ASK, self._reactor)
        finally:
            asked.transport.abortConnection()
        if answer is None:
            return None
        if not isinstance(answer, list):
            raise ConnectError(f"it is no Sentinel: it answers {answer!r:.100}")
        master, its_port = answer
        return master.decode(), int(its_port)


class _Asking(Factory):
    """Makes a connection to Sentinel."""

    noisy = False

    def buildProtocol(self, _: object) -> Any:
        return _Sentinel(charset=None, convertNumbers=False)


class _Sentinel(txredisapi.RedisProtocol):  # type: ignore[misc]
    """A connection to Sentinel, or to what may be none."""

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        try:
            super().dataReceived(data, unpause)
        except txredisapi.InvalidData:
            self.transport.abortConnection()
