"""The daemon, put together: the parts of `livechat.daemon.assembly` on a port, as services."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from twisted.application.service import MultiService

from livechat.config import Config
from livechat.daemon.assembly import (
    core,
    in_order,
    names_of,
    services,
    site,
    transports,
)
from livechat.daemon.condition import answers, serving, worker_side
from livechat.daemon.departure import Departure
from livechat.daemon.ports import Ports
from livechat.daemon.renewal import Renewal, find_certificate, secure
from livechat.daemon.rolling import NotRenewed
from livechat.daemon.services import Announcement, Port
from livechat.daemon.signpost import Signpost
from livechat.daemon.systemd import Manager, Notifier, Systemd
from livechat.daemon.vitals import Vitals
from livechat.net.activation import Inherited
from livechat.net.certificates import Shown
from livechat.net.listening import Listening, adopted, listen
from livechat.net.proxies import Proxies
from livechat.system.process import allow_files
from livechat.system.threads import Threads

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
    made = core(config, reactor)
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
    # One worker leaves word for all.
    signpost = Signpost(config, shown) if config.worker <= 1 else None
    vitals = Vitals(made, members, shown)
    # The first is stopped last: without it SIGHUP would kill.
    renewal = Renewal(
        config,
        made.operators,
        shown=shown,
        port=ports.tls,
        issuers=made.identities.trust.keys,
        signpost=signpost,
        reactor=reactor,
        files=Threads(reactor, 1, "renewal"),
        around=systemd.renewing,
    )
    return in_order(
        renewal,
        NotRenewed(reactor, worker=config.worker > 0),
        systemd,
        *services(made, members.connections, vitals.condition),
        vitals,
        Port(
            reactor,
            listening,
            ports.accept,
            http,
            hub=made.hub,
            sockets=members.sockets,
            feeds=members.feeds,
            departure=departure,
        ),
        *(() if signpost is None else (signpost,)),
        *(
            worker_side(
                reactor,
                config.worker,
                chat=made.chat,
                hub=made.hub,
                renewal=renewal,
                departure=departure,
            )
            if config.worker
            else (
                Announcement(
                    config,
                    shown.certificate,
                    made.password,
                    listening,
                    made.backend.description,
                    extensions=made.extensions.names,
                    kept=kept,
                ),
            )
        ),
        departure,
    )
