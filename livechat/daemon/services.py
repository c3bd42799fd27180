"""The parts of the daemon as services, each of which starts and stops one."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from twisted.application.service import MultiService, Service
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    TimeoutError,  # noqa: A004
    maybeDeferred,
)
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.logger import Logger

from livechat import __version__
from livechat.config import Config
from livechat.daemon.departure import RECONNECT_ALONE, Departure, one_by_one
from livechat.daemon.renewal import log_warnings, warnings
from livechat.http.connection import Channel
from livechat.http.site import Site
from livechat.identity.passwords import Password
from livechat.interfaces import IBackend
from livechat.members.base import reconnect_ms
from livechat.members.event_stream import Feeds
from livechat.members.websocket import Socket, SocketFactory
from livechat.net import fast
from livechat.net.certificates import Certificate
from livechat.net.tls_port import TLSPort
from livechat.protocol.cluster import Report
from livechat.rooms.chat import Chat
from livechat.rooms.hub import Hub
from livechat.rooms.removal import Removal

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

_log = Logger(namespace="livechat")

#: Seconds for connections to close by themselves when the daemon stops.
DRAIN: Final = 3.0
#: Seconds for which connections wait at the start for a store that is not there yet, and between
#: two looks at it.
OPEN_WITHIN: Final = 2.0
LOOK_EVERY: Final = 0.05


class OrderedService(MultiService):
    """Starts its children in order; stops them in reverse, each when the last is done."""

    def startService(self) -> None:
        Service.startService(self)
        for child in self:
            child.startService()

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for child in reversed(list(self)):
            try:
                stopped = child.stopService()
                if stopped is not None:
                    await stopped
            except Exception:  # noqa: BLE001 - the others must be stopped all the same
                _log.failure("{child} did not stop as it should.", child=child.name)


class Storage(Service):
    """The backend, delivering to the hub."""

    name = "storage"

    def __init__(
        self, backend: IBackend, hub: Hub, census: Callable[[], Report], chat: Chat
    ) -> None:
        self._backend = backend
        self._hub = hub
        self._census = census
        self._chat = chat

    def startService(self) -> None:
        super().startService()
        self._backend.start(self._hub, self._census, self._chat.presence, self._chat.record)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return self._backend.stop()


class Removals(Service):
    """Goes on with removals that were interrupted."""

    name = "removals"

    def __init__(self, removal: Removal) -> None:
        self._removal = removal

    def startService(self) -> None:
        super().startService()
        self._removal.start()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._removal.stop())


class Port(Service):
    """The TLS port and its connections."""

    name = "port"

    def __init__(
        self,
        reactor: PosixReactorBase,
        listening: Sequence[socket.socket],
        tls: TLSPort,
        http: Site,
        *,
        hub: Hub,
        sockets: SocketFactory,
        feeds: Feeds,
        departure: Departure,
        usable: Callable[[], bool] = lambda: True,
        patience: float = OPEN_WITHIN,
    ) -> None:
        """
        @param usable: whether messages can be taken.
        @param patience: the most seconds that connections wait for that; else they are told.
        """
        self._usable = usable
        self._patience = patience
        self._opening: Deferred[None] | None = None
        self._reactor = reactor
        self._sockets = sockets
        self._feeds = feeds
        self._departure = departure
        self._listening = listening
        self._tls = tls
        self._http = http
        self._hub = hub
        self._ports: list[IListeningPort] = []

    def startService(self) -> None:
        super().startService()
        self._opening = Deferred.fromCoroutine(self._open())
        self._opening.addErrback(lambda failure: failure.trap(CancelledError) and None)

    @property
    def is_open(self) -> bool:
        """Whether connections are accepted."""
        return bool(self._ports)

    async def _open(self) -> None:
        """Accept connections as soon as they can be served; they wait at the socket meanwhile."""
        until = self._reactor.seconds() + self._patience
        while not self._usable() and self._reactor.seconds() < until:
            await deferLater(self._reactor, LOOK_EVERY, lambda: None)
        for each in self._listening:
            self._ports.append(self._tls.listen(each))
            each.close()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        """Take no more connections, say goodbye to the open ones, wait a little."""
        # From now on: to close the ports takes a turn.
        self._http.stopping = True
        if self._opening is not None and not self.is_open:
            self._opening.cancel()
            for unopened in self._listening:
                unopened.close()
        for port in self._ports:
            try:
                await maybeDeferred(port.stopListening)
            except Exception:  # noqa: BLE001 - the members must be told all the same
                _log.failure("The port did not close as it should.")
        drain = self._departure.drain
        feeding = [each for each in self._http.channels if each.feeding and drain]
        for channel in set(self._http.channels).difference(feeding):
            channel.retire()
        self._hub.flush()
        if drain:
            await self._drain(drain, feeding)
        members = tuple(self._sockets.sockets)
        for member in members:
            member.restart(reconnect_ms(len(members)))
        try:
            await self._http.connections.emptied().addTimeout(DRAIN, self._reactor)
        except TimeoutError:
            _log.info(
                "{count} connections did not close in time.", count=len(self._http.connections)
            )
            remaining: list[Channel | Socket] = [*self._http.channels, *self._sockets.sockets]
            for each in remaining:
                each.transport.abortConnection()

    async def _drain(self, seconds: float, feeding: Sequence[Channel]) -> None:
        """Ask members to come back, who find others at their place, one by one."""
        self._feeds.back_in = lambda: RECONNECT_ALONE
        members = tuple(self._sockets.sockets)
        _log.info(
            "{count} clients are told to come back, over {seconds:g} seconds.",
            count=len(members) + len(feeding),
            seconds=seconds,
        )
        acts: list[Callable[[], None]] = [each.retire for each in feeding]
        acts += (partial(self._send_away, member) for member in members)
        await one_by_one(self._reactor, seconds, acts)

    def _send_away(self, member: Socket) -> None:
        if member in self._sockets.sockets:
            member.restart(RECONNECT_ALONE)


class Announcement(Service):
    """Logs, in plain words, the addresses and the state of what was started."""

    name = "announcement"

    def __init__(
        self,
        config: Config,
        certificate: Certificate,
        password: Password,
        listening: Sequence[socket.socket],
        backend: str,
        *,
        extensions: Sequence[str] = (),
        kept: bool = False,
    ) -> None:
        """
        @param extensions: where they were found.
        @param kept: systemd keeps the sockets.
        """
        self._config = config
        self._extensions = extensions
        self._backend = backend
        self._certificate = certificate
        self._password = password
        self._kept = kept
        self._address, self._port = listening[0].getsockname()[:2]

    def startService(self) -> None:
        super().startService()
        config, certificate = self._config, self._certificate
        self._introduce()
        for name in self._extensions:
            _log.info("Loaded {name}.", name=name)
        _log.info("The fast path is {described}.", described=fast.described())
        _log.info(
            "The certificate {path} is for {names}, until {end:%Y-%m-%d}.",
            path=str(certificate.chain),
            names=", ".join(certificate.names),
            end=certificate.expires,
        )
        if certificate.self_signed:
            _log.info("It is self-signed: clients must be told to accept it.")
        log_warnings(warnings(config, certificate))
        if self._kept:
            _log.info("systemd keeps the port; --port and --interface do not count.")
        elif config.interface == "loopback":
            _log.info("Only this machine can connect; --interface opens it to others.")
        if config.workers == 1:
            _log.info("livechat {version} is ready.", version=__version__)

    def _introduce(self) -> None:
        """Log the first line: all that one needs to find the server and what it keeps."""
        config = self._config
        here = ip_address(self._address).is_loopback
        # An address of the loopback that was asked for by its number is called by it.
        known = here and (self._kept or config.interface == "loopback")
        where = "localhost" if known else _in_url(self._address)
        alone = "" if config.redis or config.backend else ", by this process alone"
        _log.info(
            "livechat {version} at {url}, rooms at {rooms}, the admin page at {admin} with the"
            " password in {password}; rooms are kept in {backend}{alone}; state: {state};"
            " workers: {workers}.",
            version=__version__,
            url=f"https://{where}:{self._port}/",
            rooms=f"wss://{where}:{self._port}/ws/chat/{{room}}/",
            admin=f"https://{where}:{self._port}/admin/",
            password=self._password.source,
            backend=self._backend,
            alone=alone,
            state=str(config.state),
            workers=config.workers,
        )

    def stopService(self) -> None:
        super().stopService()
        _log.info("livechat is stopping.")


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address
