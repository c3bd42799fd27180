"""The daemon, put together: the parts of `livechat.daemon.assembly` on a port, as services."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from twisted.application.service import MultiService, Service

from livechat.config import Config
from livechat.daemon.assembly import (
    in_order,
    names_of,
    services,
    site,
    transports,
    unloaded_core,
)
from livechat.daemon.condition import answers, serving, worker_side
from livechat.daemon.departure import Departure
from livechat.daemon.parts import Core, Transports
from livechat.daemon.ports import Ports
from livechat.daemon.renewal import Renewal, find_certificate, secure
from livechat.daemon.rolling import NotRenewed
from livechat.daemon.services import OPEN_WITHIN, Announcement, Port
from livechat.daemon.signpost import Signpost
from livechat.daemon.systemd import Manager, Notifier, Systemd
from livechat.daemon.vitals import Vitals
from livechat.daemon.warming import Warming
from livechat.http.site import Site
from livechat.net.activation import Inherited
from livechat.net.certificates import Shown
from livechat.net.listening import Listening, adopted, listen
from livechat.net.proxies import Proxies
from livechat.net.tls_port import TLSPort
from livechat.system.process import allow_files
from livechat.system.threads import Threads
from livechat.web.html import Templates

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase


def build(
    config: Config,
    reactor: PosixReactorBase,
    given: Sequence[Inherited] = (),
    manager: Manager | None = None,
) -> MultiService:
    """
    Build the daemon, ready to be started.

    @param given: the sockets to listen on, where somebody else keeps them.
    @param manager: the service manager; None: there is none.
    @raise StartError: the port is taken, a file cannot be used, ...
    """
    listening = adopted(given) or listen(config.listen)
    config = config.at(each.address for each in listening)
    try:
        return _build(
            config, reactor, listening, manager or Manager(Notifier(None)), kept=bool(given)
        )
    except BaseException:
        for each in listening:
            each.close()
        raise


def _build(
    config: Config,
    reactor: PosixReactorBase,
    listening: Sequence[Listening],
    manager: Manager,
    *,
    kept: bool,
) -> MultiService:
    allow_files(config.max_connections)
    shown = Shown(find_certificate(config))
    secured = None if shown.certificate is None else secure(shown.certificate)
    made = unloaded_core(config, reactor)
    loaded = made.operators.load_beside(made.password)
    members = transports(made)
    proxies = Proxies(config.trust_proxy)
    systemd = Systemd(
        reactor, manager, partial(serving, made.chat, made.hub), partial(answers, made.backend)
    )
    departure = Departure(
        reactor, linger=config.linger, drain=config.drain, begins=systemd.stopping
    )
    http = site(made, members, shown, proxies, departure.trouble)
    names = partial(names_of, config, shown)
    ports = Ports(config, reactor, http, secured, proxies=proxies, names=names)
    port = _accepting(made, members, listening, ports, http, departure=departure)
    # The first worker writes the file for all.
    signpost = Signpost(config, shown) if config.worker <= 1 else None
    # The first service stops last: without this one SIGHUP would kill the process.
    renewal = _renewal(made, shown, ports.tls, signpost, systemd.renewing)
    vitals = Vitals(made, members, shown)
    loaded()
    return in_order(
        renewal,
        NotRenewed(reactor, worker=config.worker > 0),
        systemd,
        *services(made, members.connections, vitals.condition),
        vitals,
        Warming(reactor, Templates(config.prefix)),
        port,
        *(() if signpost is None else (signpost,)),
        *(
            _as_worker(made, port, renewal, departure)
            if config.worker
            else (_announcement(made, shown, listening, kept=kept),)
        ),
        departure,
    )


def _accepting(
    core: Core,
    members: Transports,
    listening: Sequence[Listening],
    ports: Ports,
    http: Site,
    *,
    departure: Departure,
) -> Port:
    return Port(
        core.reactor,
        listening,
        ports.accept,
        http,
        hub=core.hub,
        sockets=members.sockets,
        feeds=members.feeds,
        departure=departure,
        usable=lambda: core.chat.trouble() is None,
        patience=math.inf if core.config.follows else OPEN_WITHIN,
    )


def _renewal(
    core: Core,
    shown: Shown,
    tls: TLSPort | None,
    signpost: Signpost | None,
    around: Callable[[bool], None],
) -> Renewal:
    return Renewal(
        core.config,
        core.operators,
        shown=shown,
        port=tls,
        issuers=core.identities.trust.keys,
        signpost=signpost,
        reactor=core.reactor,
        files=Threads(core.reactor, 1, "renewal"),
        around=around,
    )


def _as_worker(
    core: Core, port: Port, renewal: Renewal, departure: Departure
) -> tuple[Service, ...]:
    return worker_side(
        core.reactor,
        core.config.worker,
        chat=core.chat,
        hub=core.hub,
        renewal=renewal,
        departure=departure,
        is_open=lambda: port.is_open,
    )


def _announcement(
    core: Core, shown: Shown, listening: Sequence[Listening], *, kept: bool
) -> Announcement:
    return Announcement(
        core.config,
        shown.certificate,
        core.password,
        listening,
        core.backend.description,
        extensions=core.extensions.names,
        kept=kept,
    )
