"""What the daemon is made of, as services: each starts and stops a part of it."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from OpenSSL import SSL
from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred  # noqa: A004
from twisted.internet.interfaces import IListeningPort, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from livechat import __version__, metrics
from livechat.config import Config
from livechat.daemon.permissions import exposed
from livechat.daemon.renewal import find_certificate, operators_password, secure
from livechat.errors import StartError
from livechat.http.connection import Channel, HttpFactory
from livechat.identity.operators import Operators
from livechat.identity.passwords import Password
from livechat.interfaces import IBackend, ICompany
from livechat.limits.connections import Connections
from livechat.members.backpressure import Patience
from livechat.members.event_stream import Feeds
from livechat.members.session import back_in
from livechat.members.websocket import Socket, SocketFactory
from livechat.net.certificates import Certificate, Shown
from livechat.net.tls_port import TLSPort
from livechat.protocol.cluster import Report
from livechat.rooms.chat import Chat
from livechat.rooms.hub import Hub
from livechat.system.threads import Lane

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
        self, backend: IBackend, hub: Hub, census: Callable[[], Report], company: ICompany
    ) -> None:
        self._backend = backend
        self._hub = hub
        self._census = census
        self._company = company

    def startService(self) -> None:
        super().startService()
        self._backend.start(self._hub, self._census, self._company)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return self._backend.stop()


class Vitals(Service):
    """Looks, every second, at what the metrics show and nobody counts."""

    name = "vitals"

    def __init__(
        self,
        reactor: IReactorTime,
        chat: Chat,
        hub: Hub,
        *,
        connections: Connections,
        patience: Patience,
        sockets: SocketFactory,
        feeds: Feeds,
    ) -> None:
        self._reactor = reactor
        self._chat = chat
        self._hub = hub
        self._connections = connections
        self._patience = patience
        self._sockets = sockets
        self._feeds = feeds
        self._looking: LoopingCall | None = None

    def startService(self) -> None:
        super().startService()
        pulse = metrics.Pulse(self._reactor)
        self._looking = LoopingCall(self._look, pulse)
        self._looking.clock = self._reactor
        self._looking.start(metrics.LOOK_EVERY, now=False).addErrback(
            lambda failure: _log.failure("Figures are not looked at any more.", failure)
        )

    def stopService(self) -> None:
        super().stopService()
        if self._looking is not None and self._looking.running:
            self._looking.stop()

    def _look(self, pulse: metrics.Pulse) -> None:
        pulse.look()
        rooms = self._hub.rooms()
        metrics.connections.set(len(self._connections))
        metrics.rooms.set(len(rooms))
        metrics.members.set(sum(rooms.values()))
        metrics.unsent_bytes.set(self._sockets.unsent() + self._feeds.unsent())
        metrics.slow.set(len(self._patience))
        metrics.up.set(self._chat.trouble() is None)


class Port(Service):
    """The TLS port and its connections."""

    name = "port"

    def __init__(
        self,
        reactor: PosixReactorBase,
        listening: Sequence[socket.socket],
        tls: TLSPort,
        http: HttpFactory,
        hub: Hub,
    ) -> None:
        self._reactor = reactor
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
        """Take no more connections, say goodbye to those that are there, wait a little."""
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
        members = tuple(self._http.sockets.sockets)
        for member in members:
            member.restart(back_in(len(members)))
        try:
            await self._http.connections.emptied().addTimeout(DRAIN, self._reactor)
        except TimeoutError:
            _log.info(
                "{count} connections did not close in time.", count=len(self._http.connections)
            )
            remaining: list[Channel | Socket] = [*self._http.channels, *self._http.sockets.sockets]
            for each in remaining:
                each.transport.abortConnection()


class Renewal(Service):
    """
    What SIGHUP renews while everything goes on: the certificate, for the connections
    to come, and the operators' password.
    """

    name = "renewal"

    def __init__(
        self,
        config: Config,
        operators: Operators,
        *,
        shown: Shown,
        port: TLSPort,
        reactor: PosixReactorBase,
        files: Lane,
    ) -> None:
        """
        @param files: reads certificates.
        """
        self._config = config
        self._operators = operators
        self._shown = shown
        self._port = port
        self._reactor = reactor
        self._files = files
        self._before: Any = None
        self._renewing = self._again = False

    def startService(self) -> None:
        super().startService()
        self._files.start()
        self._operators.start()
        self._before = signal.signal(signal.SIGHUP, self._asked)

    def stopService(self) -> None:
        super().stopService()
        signal.signal(signal.SIGHUP, self._before)
        self._operators.stop()
        self._files.stop()

    def _asked(self, *_: object) -> None:
        self._reactor.callFromThread(self.ask)

    def ask(self) -> None:
        """
        Renew.  While that is under way, any number of calls renew once more: each renewal
        checks the password, which costs a core a moment.
        """
        self._again = True
        if not self._renewing:
            self._renewing = True
            Deferred.fromCoroutine(self._renew_as_asked())

    async def _renew_as_asked(self) -> None:
        try:
            while self._again:
                self._again = False
                await self.renew()
        finally:
            self._renewing = False

    async def renew(self) -> None:
        """Look whether there is a new certificate, or a new password."""
        await self._renew_certificate()
        await self._renew_password()
        # One worker says it for all.
        if self._config.worker <= 1:
            await self._warn()

    async def _warn(self) -> None:
        certificate = self._shown.certificate
        try:
            _say(await self._files.call(_warnings, self._config, certificate))
        except Exception:  # noqa: BLE001 - nobody waits for this
            _log.failure("The permissions of files could not be looked at.")

    async def _renew_certificate(self) -> None:
        try:
            certificate, secured = await self._files.call(self._look_for_certificate)
        except StartError as reason:
            _log.error("The certificate stays as it was: {reason}", reason=str(reason))
        except Exception:  # noqa: BLE001 - nobody waits for this
            _log.failure("The certificate could not be renewed.")
        else:
            self._port.context = secured
            self._shown.certificate = certificate
            _log.info(
                "The certificate of new connections is for {names}, until {end:%Y-%m-%d}.",
                names=", ".join(certificate.names),
                end=certificate.expires,
            )

    def _look_for_certificate(self) -> tuple[Certificate, SSL.Context]:
        certificate = find_certificate(self._config)
        return certificate, secure(certificate)

    async def _renew_password(self) -> None:
        try:
            new = await self._operators.renew(lambda: operators_password(self._config))
        except StartError as reason:
            _log.error("The operators' password stays as it was: {reason}", reason=str(reason))
        except Exception:  # noqa: BLE001 - nobody waits for this
            _log.failure("The operators' password could not be renewed.")
        else:
            found = "is new, and signs all out" if new else "is the same as before"
            _log.info("The operators' password {found}.", found=found)


class Announcement(Service):
    """Says in plain words what was started."""

    name = "announcement"

    def __init__(
        self,
        config: Config,
        certificate: Certificate,
        password: Password,
        listening: Sequence[socket.socket],
        backend: str,
    ) -> None:
        self._config = config
        self._backend = backend
        self._certificate = certificate
        self._password = password
        self._port = listening[0].getsockname()[1]

    def startService(self) -> None:
        super().startService()
        config, certificate = self._config, self._certificate
        where = "localhost" if config.interface == "loopback" else _in_url(config.interface)
        for scheme, path in (("https", ""), ("wss", "ws/chat/{room}/")):
            _log.info("{url}", url=f"{scheme}://{where}:{self._port}/{path}")
        _log.info(
            "The admin page is {url}; its password is in {source}.",
            url=f"https://{where}:{self._port}/admin/",
            source=self._password.source,
        )
        alone = "" if config.redis else ", by this process alone"
        _log.info("Rooms are kept in {backend}{alone}.", backend=self._backend, alone=alone)
        _log.info(
            "The certificate {path} is for {names}, until {end:%Y-%m-%d}.",
            path=str(certificate.chain),
            names=", ".join(certificate.names),
            end=certificate.expires,
        )
        if certificate.self_signed:
            _log.info("It is self-signed: clients must be told to accept it.")
        _say(_warnings(config, certificate))
        if config.interface == "loopback":
            _log.info("Only this machine can connect; --interface opens it to others.")
        if config.workers == 1:
            _log.info("livechat {version} is ready.", version=__version__)

    def stopService(self) -> None:
        super().stopService()
        _log.info("livechat is stopping.")


def _warnings(config: Config, certificate: Certificate) -> list[str]:
    """Faults that an operator should mend, a line for each.  Blocks."""
    ill = certificate.warning(datetime.now(UTC))
    return [*([] if ill is None else [ill]), *exposed(config, certificate)]


def _say(warnings: Sequence[str]) -> None:
    for warning in warnings:
        _log.warn("{warning}", warning=warning)


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address
