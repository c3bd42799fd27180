"""
The parts around the core (`livechat.daemon.core`), put together by small builders.

    transports  the members' connections, and the counts that they share
    site        what has an address, over HTTP
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import MultiService, Service

from livechat import web
from livechat.config import Config
from livechat.daemon.parts import Core, Transports
from livechat.daemon.services import OrderedService
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
from livechat.net.proxies import Proxies
from livechat.protocol.wire import wire_limit
from livechat.web import mounts
from livechat.web.api import is_told_by_code, short
from livechat.web.back_ends import body_limit
from livechat.web.html import Templates
from livechat.web.monitors import Access
from livechat.web.refusals import Refusals
from livechat.web.server import Server, limits


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
