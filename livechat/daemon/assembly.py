"""
The parts, put together by small builders.

    core        backend, hub, chat, operators: all that needs no port
    transports  the members' connections, and the counts that they share
    site        what has an address, over HTTP

A command without a port can use `core`, and start its `services`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.application.service import MultiService, Service

from livechat import backends, extensions, web
from livechat.config import Config
from livechat.daemon.asking import asked_site
from livechat.daemon.hooks import Webhooks, hooks
from livechat.daemon.identities import identities
from livechat.daemon.parts import Core, Transports
from livechat.daemon.renewal import operators_password
from livechat.daemon.services import (
    OrderedService,
    Removals,
    Storage,
)
from livechat.daemon.signing_in import SigningIn, operators
from livechat.daemon.subscribing import Subscribers, shared_outbox, telling
from livechat.daemon.trust import PublishedKeys
from livechat.http.access_log import AccessLog
from livechat.http.origins import Asked, Origins
from livechat.http.request import Request
from livechat.http.rules import Rules
from livechat.http.short import ShortWay
from livechat.http.site import Site
from livechat.http.tree import Place
from livechat.http.whole import WholeRequest
from livechat.limits.connections import Connections
from livechat.limits.rates import Rate
from livechat.members.backpressure import Backpressure
from livechat.members.base import reconnect_ms
from livechat.members.event_stream import Feeds
from livechat.members.websocket import SocketFactory
from livechat.net.certificates import Shown
from livechat.net.fast import write_all
from livechat.net.proxies import Proxies
from livechat.protocol.cluster import Condition
from livechat.protocol.settings import RoomSettings
from livechat.protocol.wire import wire_limit
from livechat.rooms.chat import Chat
from livechat.rooms.hub import Hub
from livechat.rooms.listeners import Listeners
from livechat.rooms.pace import Pace
from livechat.rooms.rules import make_rules
from livechat.rooms.tracing import Tracing
from livechat.system.day import Day
from livechat.system.process import process_name
from livechat.system.time import Time
from livechat.web import mounts
from livechat.web.api import is_told_by_code, short
from livechat.web.back_ends import body_limit
from livechat.web.html import Templates
from livechat.web.monitors import Access
from livechat.web.refusals import Refusals
from livechat.web.server import Server, limits

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase


def core(config: Config, reactor: PosixReactorBase) -> Core:
    """
    Build all that needs no port.

    @raise StartError: an extension is broken, or a file cannot be used.
    """
    made = unloaded_core(config, reactor)
    made.operators.load(made.password)
    return made


def unloaded_core(config: Config, reactor: PosixReactorBase) -> Core:
    """Build like `core`, with operators that have neither read nor written their file."""
    time = Time(reactor)
    found = extensions.load(config)
    backend = backends.load(config, reactor, found.backend)
    outbox = shared_outbox(config, backend, found.subscribers)
    password = operators_password(config)
    hub = Hub(time, write_all)
    site, asking = asked_site(config, reactor, time)
    known = identities(config, backend, time, found.authenticators, reactor, site=site)
    chat = Chat(
        backend,
        hub,
        time,
        max_message=config.max_message,
        default_room=config.default_room,
        rate=config.rate,
        pace=Pace(time, per_ip=config.rate_per_ip, per_user=config.rate_per_user),
        leases=known.leases,
        rules=make_rules(backend, time, RoomSettings(guests=config.guests), found.policies),
        listeners=Listeners(found.listeners, time),
        site=site,
    )
    return Core(
        config=config,
        reactor=reactor,
        time=time,
        extensions=found,
        backend=backend,
        hub=hub,
        chat=chat,
        identities=known,
        operators=operators(config, backend, time, reactor),
        password=password,
        day=Day(),
        # A backend without a relay traces this process alone.
        tracing=Tracing(hub, time, getattr(backend, "relay", None), process_name()),
        site=site,
        asking=asking,
        hooks=hooks(config, backend, reactor, time, chat.cases.find, outbox=outbox),
        telling=telling(config, outbox, backend, found.subscribers, chat=chat, hub=hub, time=time),
    )


def services(
    core: Core, connections: Connections, condition: Callable[[], Condition | None] = lambda: None
) -> tuple[Service, ...]:
    """
    Make the services that run *core*, in the order in which they start.

    @param connections: their number is in the process's report.
    @param condition: so is how it is.
    """
    process = process_name()
    started = int(1000 * core.time.wall())
    return (
        PublishedKeys(core.identities.trust.keys),
        SigningIn(core.operators),
        Storage(
            core.backend,
            core.hub,
            lambda: core.chat.directory.report(process, started, len(connections), condition()),
            core.chat,
        ),
        Removals(core.chat.removal, core.chat.forgetting),
        # Asking ends before the storage does, which stores messages that are accepted last.
        *(() if core.asking is None else (core.asking,)),
        *(() if core.hooks is None else (Webhooks(core.hooks),)),
        *(() if core.telling is None else (Subscribers(core.telling),)),
    )


def transports(core: Core) -> Transports:
    """Build the members' connections."""
    config, limit = core.config, wire_limit(core.config.max_message)
    backpressure = Backpressure(core.reactor, max_frame=limit, max_unsent=config.max_unsent)
    return Transports(
        Connections(config.max_connections, config.max_connections_per_ip),
        backpressure,
        Feeds(core.chat, core.reactor, backpressure, core.tracing),
        SocketFactory(
            core.chat,
            core.reactor,
            backpressure,
            max_frame=limit,
            renew=core.identities.door.renew,
            tracing=core.tracing,
        ),
    )


def site(
    core: Core,
    members: Transports,
    shown: Shown,
    proxies: Proxies,
    trouble: Callable[[], str | None] = lambda: None,
) -> Site:
    """
    Build everything that has an address over HTTP.

    @param shown: the certificate in use.
    @param trouble: why nobody should come; None if all may.
    @raise StartError: a resource cannot be mounted.
    """
    config, templates = core.config, Templates(core.config.prefix)
    names = lambda: names_of(config, shown)  # noqa: E731
    origins = Origins(config.origin, names, core.time)
    root = tree(core, members, shown, origins, templates, trouble=trouble)
    return Site(
        root,
        Request,
        clock=core.reactor,
        rules=Rules(
            origins,
            lambda asked: _promises(config, shown, asked),
            names,
            Refusals(templates).answer,
            config.prefix,
        ),
        rate=Rate.of(config.rate),
        connections=members.connections,
        max_body=wire_limit(config.max_message),
        access=AccessLog(config.access_log),
        proxies=proxies,
        back_in=lambda: reconnect_ms(len(members.sockets.sockets)),
        spares=is_told_by_code,
        body_limit=body_limit(core.identities.keys, wire_limit(config.max_message)),
        short=ShortWay(short(config.prefix), WholeRequest),
        prefix=config.prefix,
    )


def tree(
    core: Core,
    members: Transports,
    shown: Shown,
    origins: Origins,
    templates: Templates,
    *,
    trouble: Callable[[], str | None] = lambda: None,
) -> Place:
    """
    Build all that has an address.

    @raise StartError: a resource cannot be mounted.
    """
    config = core.config
    return web.root(
        core.chat,
        door=core.identities.door,
        keys=core.identities.keys,
        tokens=core.identities.tokens,
        feeds=members.feeds,
        sockets=members.sockets,
        operators=core.operators,
        server=_server(core, members, shown),
        templates=templates,
        time=core.time,
        origins=origins,
        monitors=Access(config.metrics, config.metrics_token),
        trouble=lambda: trouble() or core.identities.trust.keys.trouble(),
        cookie=config.token_cookie,
        tracing=core.tracing,
        receivers=None if core.hooks is None else core.hooks.board,
        mounts=(
            *mounts.load(config.mount, core.reactor),
            *core.extensions.resources(core.chat).items(),
        ),
    )


def _server(core: Core, members: Transports, shown: Shown) -> Server:
    return Server(
        started=core.time.seconds(),
        backend=core.backend.description,
        shown=shown,
        connections=members.connections,
        limits=limits(core.config),
        day=core.day,
        receivers=list if core.hooks is None else core.hooks.board.states,
    )


def in_order(*parts: Service) -> MultiService:
    """Make a service of *parts*, which start in this order and stop in reverse."""
    daemon = OrderedService()
    for part in parts:
        part.setServiceParent(daemon)
    return daemon


def names_of(config: Config, shown: Shown) -> tuple[str, ...]:
    """Return the names by which the server is known."""
    return (*shown.names, *config.host)


def _promises(config: Config, shown: Shown, asked: Asked | None) -> tuple[tuple[str, str], ...]:
    """Return the headers that bind browsers, of an answer to a client that asked for *asked*."""
    if asked is not None and asked.ended:
        binds = asked.scheme == "https"
    else:
        # A bound browser would refuse a self-signed certificate, without a way round it.
        binds = shown.certificate is not None and not shown.self_signed
    # The header binds the whole host, and below a path others share it.
    if config.prefix or not binds:
        return ()
    return (("Strict-Transport-Security", "max-age=31536000"),)
