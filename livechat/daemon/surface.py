"""The core's surface: connections, site and ports, as services that only have to be started."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from OpenSSL import SSL
from twisted.application.service import MultiService, Service

from livechat.daemon.assembly import in_order, names_of, site, transports
from livechat.daemon.condition import answers, serving, worker_side
from livechat.daemon.core import services
from livechat.daemon.departure import Departure
from livechat.daemon.parts import Core, Transports
from livechat.daemon.ports import Ports
from livechat.daemon.renewal import Renewal
from livechat.daemon.rolling import NotRenewed
from livechat.daemon.services import OPEN_WITHIN, Announcement, Port
from livechat.daemon.signpost import Signpost
from livechat.daemon.systemd import Manager, Systemd
from livechat.daemon.vitals import Vitals
from livechat.daemon.warming import Warming
from livechat.http.site import Site
from livechat.net.certificates import Shown
from livechat.net.listening import Listening
from livechat.net.proxies import Proxies
from livechat.net.tls_port import TLSPort
from livechat.system.threads import Threads
from livechat.web.html import Templates


def surface(
    core: Core,
    shown: Shown,
    secured: SSL.Context | None,
    listening: Sequence[Listening],
    manager: Manager,
    *,
    kept: bool,
) -> MultiService:
    """
    Build all services of a process that serves.

    @param shown: the certificate in use.
    @param kept: the sockets are somebody else's, who keeps them.
    @raise StartError: a resource cannot be mounted, ...
    """
    config, reactor = core.config, core.reactor
    members = transports(core)
    proxies = Proxies(config.trust_proxy)
    systemd = Systemd(
        reactor, manager, partial(serving, core.chat, core.hub), partial(answers, core.backend)
    )
    departure = Departure(
        reactor, linger=config.linger, drain=config.drain, begins=systemd.stopping
    )
    http = site(core, members, shown, proxies, departure.trouble)
    names = partial(names_of, config, shown)
    ports = Ports(config, reactor, http, secured, proxies=proxies, names=names)
    port = _accepting(core, members, listening, ports, http, departure=departure)
    # The first worker writes the file for all.
    signpost = Signpost(config, shown) if config.worker <= 1 else None
    # The first service stops last: without this one SIGHUP would kill the process.
    renewal = _renewal(core, shown, ports.tls, signpost, systemd.renewing)
    vitals = Vitals(core, members, shown)
    return in_order(
        renewal,
        NotRenewed(reactor, worker=config.worker > 0),
        systemd,
        *services(core, members.connections, vitals.condition),
        vitals,
        Warming(reactor, Templates(config.prefix)),
        port,
        *(() if signpost is None else (signpost,)),
        *(
            _as_worker(core, port, renewal, departure)
            if config.worker
            else (_announcement(core, shown, listening, kept=kept),)
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
