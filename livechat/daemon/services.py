"""The parts of the daemon as services, each of which starts and stops one."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred  # noqa: A004
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from livechat import __version__
from livechat.config import Config
from livechat.daemon.renewal import log_warnings, warnings
from livechat.http.connection import Channel
from livechat.http.site import Site
from livechat.identity.passwords import Password
from livechat.interfaces import IBackend
from livechat.members.base import reconnect_ms
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
    ) -> None:
        self._reactor = reactor
        self._sockets = sockets
        self._listening = listening
        self._tls = tls
        self._http = http
        self._hub = hub
        self._ports: list[IListeningPort] = []

    def startService(self) -> None:
        super().startService()
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
        for port in self._ports:
            try:
                await maybeDeferred(port.stopListening)
            except Exception:  # noqa: BLE001 - the members must be told all the same
                _log.failure("The port did not close as it should.")
        for channel in tuple(self._http.channels):
            channel.retire()
        self._hub.flush()
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
    ) -> None:
        """
        @param extensions: where they were found.
        """
        self._config = config
        self._extensions = extensions
        self._backend = backend
        self._certificate = certificate
        self._password = password
        self._port = listening[0].getsockname()[1]

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
        if config.interface == "loopback":
            _log.info("Only this machine can connect; --interface opens it to others.")
        if config.workers == 1:
            _log.info("livechat {version} is ready.", version=__version__)

    def _introduce(self) -> None:
        """Log the first line: all that one needs to find the server and what it keeps."""
        config = self._config
        where = "localhost" if config.interface == "loopback" else _in_url(config.interface)
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
