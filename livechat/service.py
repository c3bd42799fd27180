"""
The daemon: everything built from a `Config`, started in order, stopped in the
reverse order.

`makeService` does all that can fail for want of a port, a file or a permission,
so that twistd ends with one line before it has begun.  What it returns only
has to be set going.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from OpenSSL import SSL
from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred  # noqa: A004
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from livechat import __version__, backends, certificates, web
from livechat.certificates import EXPIRES_SOON, Certificate, Shown
from livechat.chat import Chat
from livechat.config import Config, Options
from livechat.errors import StartError
from livechat.hub import Hub
from livechat.interfaces import IBackend
from livechat.limits import Connections
from livechat.net.access import AccessLog
from livechat.net.http import Channel, HttpFactory
from livechat.net.listening import bind
from livechat.net.tls import TLSPort, context
from livechat.net.websocket import Socket, SocketFactory
from livechat.operators import Operators
from livechat.passwords import Password, find_password
from livechat.reports import Report
from livechat.threads import Lane, Threads
from livechat.web.server import Server, limits
from livechat.wire import wire_limit

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

_log = Logger(namespace="livechat")

#: File descriptors besides those of connections.
SPARE_FILES: Final = 64
#: Objects made after which Python looks for garbage in cycles, and how much less often
#: among those that it has left once or twice.
GARBAGE: Final = (50_000, 20, 100)
#: Seconds for connections to close by themselves when the daemon stops.
DRAIN: Final = 3.0


def makeService(options: Options, reactor: PosixReactorBase | None = None) -> MultiService:
    """
    The daemon that *options* ask for; for ``twistd livechat``.

    @raise SystemExit: it cannot run; the text says why, in one line.
    """
    if reactor is None:
        # Importing it installs it, which is for twistd to do.
        from twisted.internet import reactor as installed  # noqa: PLC0415

        reactor = cast("PosixReactorBase", installed)
    # Twisted's timers follow the wall clock: a step back by an hour would stop them
    # all for an hour.  Before the first of them is made, they can be given another.
    reactor.seconds = time.monotonic
    try:
        config = Config.of(options, os.environ, _working_directory(options))
        daemon = build(config, reactor)
    except StartError as reason:
        raise SystemExit(f"livechat: {reason}") from None
    _collect_seldom()
    return daemon


def build(config: Config, reactor: PosixReactorBase) -> MultiService:
    """
    The daemon, ready to be started.

    @raise StartError: the port is taken, a file cannot be used, ...
    """
    listening = bind(config.interface, config.port)
    try:
        return _assemble(config, reactor, listening)
    except BaseException:
        for each in listening:
            each.close()
        raise


def _assemble(
    config: Config, reactor: PosixReactorBase, listening: Sequence[socket.socket]
) -> MultiService:
    _allow_files(config.max_connections)
    shown = Shown(_certificate(config))
    secured = _context(shown.certificate)
    backend = backends.load(config, reactor)
    operators = _operators(config, reactor)
    password = _password(config)
    operators.load(password)

    hub = Hub(reactor)
    chat = Chat(
        backend,
        hub,
        reactor,
        max_message=config.max_message,
        default_room=config.default_room,
        rate=config.rate,
        rate_per_ip=config.rate_per_ip,
    )
    limit = wire_limit(config.max_message)
    connections = Connections(config.max_connections, config.max_connections_per_ip)
    access = AccessLog(config.access_log)
    process = f"{socket.gethostname()}/{os.getpid()}"
    started = int(1000 * time.time())
    server = Server(
        started=reactor.seconds(),
        backend=backend.description,
        shown=shown,
        connections=connections,
        limits=limits(config),
    )
    http = HttpFactory(
        reactor,
        tree=web.tree(
            chat,
            operators=operators,
            server=server,
            clock=reactor,
            now=time.time,
            origins=config.origin,
            promises=lambda: _promises(shown.certificate),
        ),
        sockets=SocketFactory(chat, reactor, max_frame=limit, max_unsent=config.max_unsent),
        chat=chat,
        connections=connections,
        max_body=limit,
        access=access,
    )
    port = TLSPort(reactor, http, secured)
    daemon = OrderedService()
    # First, and so stopped last: without it SIGHUP would kill.
    renewals = Threads(reactor, 1, "renewal")
    Renewal(
        config, operators, shown=shown, port=port, reactor=reactor, files=renewals
    ).setServiceParent(daemon)
    Storage(backend, hub, lambda: chat.report(process, started, len(connections))).setServiceParent(
        daemon
    )
    Port(reactor, listening, port, http, hub).setServiceParent(daemon)
    Announcement(
        config, shown.certificate, password, listening, backend.description
    ).setServiceParent(daemon)
    return daemon


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

    def __init__(self, backend: IBackend, hub: Hub, census: Callable[[], Report]) -> None:
        self._backend = backend
        self._hub = hub
        self._census = census

    def startService(self) -> None:
        super().startService()
        self._backend.start(self._hub, self._census)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return self._backend.stop()


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
        for port in self._ports:
            try:
                await maybeDeferred(port.stopListening)
            except Exception:  # noqa: BLE001 - the members must be told all the same
                _log.failure("The port did not close as it should.")
        for channel in tuple(self._http.channels):
            channel.retire()
        self._hub.flush()
        for member in tuple(self._http.sockets.sockets):
            member.restart()
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
        self._reactor.callFromThread(lambda: Deferred.fromCoroutine(self.renew()))

    async def renew(self) -> None:
        """Look whether there is a new certificate, or a new password."""
        await self._renew_certificate()
        await self._renew_password()

    async def _renew_certificate(self) -> None:
        try:
            certificate, secured = await self._files.call(self._find_certificate)
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
            _warn_of_expiry(certificate)

    def _find_certificate(self) -> tuple[Certificate, SSL.Context]:
        certificate = _certificate(self._config)
        return certificate, _context(certificate)

    async def _renew_password(self) -> None:
        try:
            new = await self._operators.renew(lambda: _password(self._config))
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
        _warn_of_expiry(certificate)
        if config.interface == "loopback":
            _log.info("Only this machine can connect; --interface opens it to others.")
        _log.info("livechat {version} is ready.", version=__version__)

    def stopService(self) -> None:
        super().stopService()
        _log.info("livechat is stopping.")


def _collect_seldom() -> None:
    """
    Have Python look for garbage in cycles less often, and not in what is there by now.

    There is little of it, and to look for it means to look at every connection.
    """
    gc.freeze()
    gc.set_threshold(*GARBAGE)


def _working_directory(options: Options) -> Path:
    """Where twistd will be: it changes there only after it has made the service."""
    twistd: Any = options.parent or {}
    directory = Path(twistd.get("rundir") or ".").absolute()
    if not directory.is_dir():
        raise StartError(f"--rundir: there is no directory {directory}")
    return directory


def _allow_files(connections: int) -> None:
    """Let this process have as many files open as its connections need, if it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE_FILES if connections else hard
    if hard != resource.RLIM_INFINITY and wanted > hard:
        _log.warn(
            "The system allows {hard} open files, too few for {connections} connections.",
            hard=hard,
            connections=connections,
        )
        wanted = hard
    if soft != resource.RLIM_INFINITY and wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _certificate(config: Config) -> Certificate:
    if config.certificate is None:
        return certificates.load_or_make(config.directory / "certs")
    return certificates.load(config.certificate, config.private_key or config.certificate)


def _context(certificate: Certificate) -> SSL.Context:
    try:
        return context(certificate.chain, certificate.key)
    except SSL.Error as reason:
        raise StartError(f"--certificate: OpenSSL refuses {certificate.chain}: {reason}") from None


def _password(config: Config) -> Password:
    return find_password(
        config.admin_password, config.admin_password_file, config.state / "admin-password"
    )


def _operators(config: Config, reactor: PosixReactorBase) -> Operators:
    return Operators(
        config.state / "operators.json",
        reactor,
        time.time,
        hashing=Threads(reactor, 1, "hashing"),
        saving=Threads(reactor, 1, "saving"),
        lasts=config.admin_session,
    )


def _promises(certificate: Certificate) -> tuple[tuple[str, str], ...]:
    """What every answer promises to browsers."""
    if certificate.self_signed:
        # A browser that was told so once would never again let anybody in.
        return ()
    return (("Strict-Transport-Security", "max-age=31536000"),)


def _warn_of_expiry(certificate: Certificate) -> None:
    left = certificate.expires - datetime.now(UTC)
    if left.total_seconds() < EXPIRES_SOON:
        _log.warn(
            "The certificate {path} expires in {days} days.",
            path=str(certificate.chain),
            days=left.days,
        )


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address
