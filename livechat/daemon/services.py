"""The parts of the daemon as services, each of which starts and stops one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
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
from livechat.addresses import LOOPBACK, in_url
from livechat.config import Config
from livechat.daemon.departure import SETTLE, Departure, one_by_one
from livechat.daemon.renewal import log_warnings, warnings
from livechat.http.connection import Channel
from livechat.http.site import Site
from livechat.identity.passwords import Password
from livechat.members.base import reconnect_ms
from livechat.members.event_stream import Feeds
from livechat.members.websocket import Socket, SocketFactory
from livechat.net import fast
from livechat.net.certificates import Certificate
from livechat.net.listening import Listening
from livechat.protocol.counts import counted
from livechat.rooms.hub import Hub

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

_log = Logger(namespace="livechat")

#: Seconds for connections to close by themselves when the daemon stops.
DRAIN: Final = 3.0
#: Seconds for which connections wait at the start for a store that is not ready, and between two
#: checks of it.
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


class Port(Service):
    """The sockets that listen, and their connections."""

    name = "port"

    def __init__(
        self,
        reactor: PosixReactorBase,
        listening: Sequence[Listening],
        accept: Callable[[Listening], IListeningPort],
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
        @param usable: returns True if messages can be taken.
        @param patience: seconds for which connections wait for that; later they are told.
        """
        self._usable = usable
        self._patience = patience
        self._opening: Deferred[None] | None = None
        self._reactor = reactor
        self._sockets = sockets
        self._feeds = feeds
        self._departure = departure
        self._listening = listening
        self._accept = accept
        self._http = http
        self._hub = hub
        self._ports: list[IListeningPort] = []

    def startService(self) -> None:
        super().startService()
        self._opening = Deferred.fromCoroutine(self._open())
        self._opening.addErrback(lambda failure: failure.trap(CancelledError) and None)

    @property
    def is_open(self) -> bool:
        """Tell whether connections are accepted."""
        return bool(self._ports)

    async def _open(self) -> None:
        """Accept connections once they can be served; until then they wait at the socket."""
        until = self._reactor.seconds() + self._patience
        while not self._usable() and self._reactor.seconds() < until:
            await deferLater(self._reactor, LOOK_EVERY, lambda: None)
        for each in self._listening:
            self._ports.append(self._accept(each))
            each.socket.close()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        """Take no more connections, send goodbyes on the open ones, and wait for their ends."""
        drain = self._departure.drain
        # Set now, as closing the ports takes a turn.  During a drain new clients are served: the
        # port closes behind them, so they could not come back here.
        self._http.stopping = not drain
        if self._opening is not None and not self.is_open:
            self._opening.cancel()
        for each in self._listening:
            each.close()
        for port in self._ports:
            try:
                await maybeDeferred(port.stopListening)
            except Exception:  # noqa: BLE001 - the members must be told all the same
                _log.failure("The port did not close as it should.")
        if drain:
            await self._drain(drain)
            self._http.stopping = True
        for channel in tuple(self._http.channels):
            channel.retire()
        self._hub.flush()
        members = tuple(self._sockets.sockets)
        for member in members:
            member.restart(reconnect_ms(len(members), drain))
        try:
            await self._http.connections.emptied().addTimeout(DRAIN, self._reactor)
        except TimeoutError:
            _log.info(
                "{open} did not close in time.",
                open=counted(len(self._http.connections), "connection"),
            )
            remaining: list[Channel | Socket] = [*self._http.channels, *self._sockets.sockets]
            for one in remaining:
                one.transport.abortConnection()

    async def _drain(self, seconds: float) -> None:
        """Ask members one by one to come back; they find another process at this port."""
        feeding = [each for each in self._http.channels if each.feeding]
        for channel in set(self._http.channels).difference(feeding):
            channel.settle()
        members = tuple(self._sockets.sockets)
        count = len(members) + len(feeding)
        self._feeds.back_in = lambda: reconnect_ms(count, seconds)
        if count:
            _log.info(
                "{clients} told to come back, over {span}.",
                clients=counted(count, "client is", "clients are"),
                span=counted(seconds, "second"),
            )
        acts: list[Callable[[], None]] = [each.retire for each in feeding]
        acts += (
            partial(self._send_away, member, reconnect_ms(count, seconds)) for member in members
        )
        began = self._reactor.seconds()
        await one_by_one(self._reactor, seconds, acts)
        left = began + min(seconds, SETTLE) - self._reactor.seconds()
        if left > 0:
            with suppress(TimeoutError):
                await self._http.connections.emptied().addTimeout(left, self._reactor)

    def _send_away(self, member: Socket, retry_ms: int) -> None:
        if member in self._sockets.sockets:
            member.restart(retry_ms)


class Announcement(Service):
    """Logs, in plain words, the addresses and the state of what was started."""

    name = "announcement"

    def __init__(
        self,
        config: Config,
        certificate: Certificate | None,
        password: Password,
        listening: Sequence[Listening],
        backend: str,
        *,
        extensions: Sequence[str] = (),
        kept: bool = False,
    ) -> None:
        """
        @param extensions: the sources of the extensions.
        @param kept: true if systemd keeps the sockets.
        """
        self._config = config
        self._extensions = extensions
        self._backend = backend
        self._certificate = certificate
        self._password = password
        self._addresses = [each.address for each in listening]
        self._kept = kept

    def startService(self) -> None:
        super().startService()
        config = self._config
        self._introduce()
        for name in self._extensions:
            _log.info("Loaded {name}.", name=name)
        _log.info("The fast path is {described}.", described=fast.described())
        if self._certificate is not None:
            _say_of_certificate(self._certificate)
        log_warnings(warnings(config, self._certificate))
        if self._kept:
            _log.info("systemd keeps the sockets; --listen, --port and --interface are ignored.")
        elif all(each.is_local for each in self._addresses):
            option = "--listen" if self._addresses[0].given else "--interface"
            _log.info("Only this machine can connect; {option} opens it to others.", option=option)
        if config.workers == 1:
            _log.info("livechat {version} is ready.", version=__version__)

    def _introduce(self) -> None:
        """Log the first line: the server's address, and the place of its data."""
        config = self._config
        secure = next((each for each in self._addresses if not each.is_plain), None)
        # The name behind a proxy is the proxy's to know.
        host = ""
        if secure is not None:
            # A loopback address that was configured as a number is shown as one.
            known = secure.interface == LOOPBACK or (self._kept and secure.is_local)
            host = f"{'localhost' if known else in_url(secure.interface)}:{secure.port}"
        url, rooms = (f"{each}://{host}" if host else "" for each in ("https", "wss"))
        proxies = [str(each) for each in dict.fromkeys(self._addresses) if each.is_plain]
        alone = "" if config.redis or config.backend else ", by this process alone"
        _log.info(
            "livechat {version} at {url}, rooms at {rooms}, the admin page at {admin} with the"
            " password in {password}; {proxies}rooms are kept in {backend}{alone}; state: {state};"
            " workers: {workers}.",
            version=__version__,
            url=f"{url}{config.prefix}/",
            rooms=f"{rooms}{config.prefix}/ws/chat/{{room}}/",
            admin=f"{url}{config.prefix}/admin/",
            password=self._password.source,
            proxies=f"proxies connect to {', '.join(proxies)}; " if proxies else "",
            backend=self._backend,
            alone=alone,
            state=str(config.state),
            workers=config.workers,
        )

    def stopService(self) -> None:
        super().stopService()
        _log.info("livechat is stopping.")


def _say_of_certificate(certificate: Certificate) -> None:
    _log.info(
        "The certificate {path} is for {names}, until {end:%Y-%m-%d}.",
        path=str(certificate.chain),
        names=", ".join(certificate.names),
        end=certificate.expires,
    )
    if certificate.self_signed:
        _log.info("It is self-signed: clients must be told to accept it.")
