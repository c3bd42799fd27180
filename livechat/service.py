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
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from twisted.application.service import MultiService
from twisted.logger import Logger

from livechat import backends, web
from livechat.config import Config, Options
from livechat.daemon.renewal import find_certificate, operators_password, secure
from livechat.daemon.services import Announcement, OrderedService, Port, Renewal, Storage, Vitals
from livechat.daemon.supervisor import Lifeline, Workers, command
from livechat.errors import StartError
from livechat.http.access_log import AccessLog
from livechat.http.connection import HttpFactory
from livechat.http.plain import Redirects
from livechat.identity.operators import Operators
from livechat.interfaces import IBackend
from livechat.limits.connections import Connections
from livechat.limits.rates import Rate
from livechat.members.backpressure import Patience
from livechat.members.event_stream import Feeds
from livechat.members.websocket import SocketFactory
from livechat.net.certificates import Certificate, Shown
from livechat.net.listening import bind, reserve
from livechat.net.proxies import Proxies
from livechat.net.proxy_protocol import PrefacedPort
from livechat.net.tls_port import TLSPort
from livechat.protocol.wire import wire_limit
from livechat.rooms.chat import Chat
from livechat.rooms.hub import Hub
from livechat.system.ending import end_in_order
from livechat.system.threads import Threads
from livechat.web.monitors import Access
from livechat.web.server import Server, limits

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

_log = Logger(namespace="livechat")

#: File descriptors besides those of connections.
SPARE_FILES: Final = 64
#: Objects made after which Python looks for garbage in cycles, and how much less often
#: among those that it has left once or twice.
GARBAGE: Final = (50_000, 20, 100)


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
        several = config.workers > 1 and not config.worker
        daemon = watch(config, options, reactor) if several else build(config, reactor)
    except StartError as reason:
        raise SystemExit(f"livechat: {reason}") from None
    _collect_seldom()
    # Twisted takes the signals when it begins to run.
    reactor.callWhenRunning(end_in_order, reactor)
    return daemon


def build(config: Config, reactor: PosixReactorBase) -> MultiService:
    """
    The daemon, ready to be started.

    @raise StartError: the port is taken, a file cannot be used, ...
    """
    listening = bind(config.interface, config.port, shared=config.worker > 0)
    try:
        return _assemble(config, reactor, listening)
    except BaseException:
        for each in listening:
            each.close()
        raise


def watch(config: Config, options: Options, reactor: PosixReactorBase) -> MultiService:
    """
    A daemon that starts others, which do as *options* say, and watches over them.

    @raise StartError: they could not start.
    """
    reserved = reserve(config.interface, config.port)
    try:
        certificate = find_certificate(config)
        secure(certificate)
        backend = backends.load(config, reactor)
        password = operators_password(config)
        daemon = OrderedService()
        Announcement(config, certificate, password, reserved, backend.description).setServiceParent(
            daemon
        )
        port = reserved[0].getsockname()[1]
        Workers(reactor, command(options, port), config.workers, reserved, port).setServiceParent(
            daemon
        )
    except BaseException:
        for each in reserved:
            each.close()
        raise
    return daemon


def _assemble(
    config: Config, reactor: PosixReactorBase, listening: Sequence[socket.socket]
) -> MultiService:
    _allow_files(config.max_connections)
    shown = Shown(find_certificate(config))
    secured = secure(shown.certificate)
    backend = backends.load(config, reactor)
    operators = _operators(config, reactor, backend)
    password = operators_password(config)
    operators.load(password)

    hub = Hub(reactor, time.time)
    chat = Chat(
        backend,
        hub,
        reactor,
        time.time,
        max_message=config.max_message,
        default_room=config.default_room,
        rate=config.rate,
        rate_per_ip=config.rate_per_ip,
    )
    limit = wire_limit(config.max_message)
    connections = Connections(config.max_connections, config.max_connections_per_ip)
    access = AccessLog(config.access_log)
    proxies = Proxies(config.trust_proxy)
    process = f"{socket.gethostname()}/{os.getpid()}"
    started = int(1000 * time.time())
    server = Server(
        started=reactor.seconds(),
        backend=backend.description,
        shown=shown,
        connections=connections,
        limits=limits(config),
    )
    patience = Patience(reactor, max_frame=limit, max_unsent=config.max_unsent)
    feeds = Feeds(chat, reactor, patience)
    sockets = SocketFactory(chat, reactor, patience, max_frame=limit)

    def names() -> tuple[str, ...]:
        return (*shown.certificate.names, *config.host)

    http = HttpFactory(
        reactor,
        tree=web.tree(
            chat,
            feeds=feeds,
            operators=operators,
            server=server,
            clock=reactor,
            now=time.time,
            origins=config.origin,
            promises=lambda: _promises(shown.certificate),
            names=names,
            monitors=Access(config.metrics, config.metrics_token),
        ),
        sockets=sockets,
        rate=Rate.of(config.rate),
        connections=connections,
        max_body=limit,
        access=access,
        proxies=proxies,
    )
    plain = Redirects(names)
    port = (
        PrefacedPort(reactor, http, secured, proxies, plain)
        if config.proxy_protocol
        else TLSPort(reactor, http, secured, plain)
    )
    daemon = OrderedService()
    # First, and so stopped last: without it SIGHUP would kill.
    renewals = Threads(reactor, 1, "renewal")
    Renewal(
        config, operators, shown=shown, port=port, reactor=reactor, files=renewals
    ).setServiceParent(daemon)
    Storage(
        backend, hub, lambda: chat.report(process, started, len(connections)), chat.presence
    ).setServiceParent(daemon)
    Vitals(
        reactor,
        chat,
        hub,
        connections=connections,
        patience=patience,
        sockets=sockets,
        feeds=feeds,
    ).setServiceParent(daemon)
    Port(reactor, listening, port, http, hub).setServiceParent(daemon)
    if config.worker:
        Lifeline(reactor, config.worker).setServiceParent(daemon)
    else:
        Announcement(
            config, shown.certificate, password, listening, backend.description
        ).setServiceParent(daemon)
    return daemon


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


def _operators(config: Config, reactor: PosixReactorBase, backend: IBackend) -> Operators:
    return Operators(
        config.state / "operators.json",
        reactor,
        time.time,
        hashing=Threads(reactor, 1, "hashing"),
        saving=Threads(reactor, 1, "saving"),
        lasts=config.admin_session,
        shelf=backend.shelf("operators"),
    )


def _promises(certificate: Certificate) -> tuple[tuple[str, str], ...]:
    """What every answer promises to browsers."""
    if certificate.self_signed:
        # A browser that was told so once would never again let anybody in.
        return ()
    return (("Strict-Transport-Security", "max-age=31536000"),)
