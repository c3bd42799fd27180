"""The tree of everything that has an address on the port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource

from livechat.http.endpoint import Endpoint
from livechat.http.mount import Mount
from livechat.http.origins import Origins
from livechat.http.rules import Audience
from livechat.http.tree import Place
from livechat.identity.operators import Operators
from livechat.members.event_stream import Feeds
from livechat.members.websocket import SocketFactory
from livechat.rooms.chat import Chat
from livechat.web import contract, operations
from livechat.web.admin.gate import Gate
from livechat.web.admin.pages import Admin
from livechat.web.api import SHORTEST_SHARED, Api
from livechat.web.html import Templates
from livechat.web.monitors import Access, Monitors
from livechat.web.pages import Pages
from livechat.web.server import Server

_OWN: Final = Audience("own")
_ANY: Final = Audience("any")
_CHECKS: Final = Audience("any", hostless=True)
_FILES: Final = Audience("any", any_name=True)


def root(
    chat: Chat,
    *,
    feeds: Feeds,
    sockets: SocketFactory,
    operators: Operators,
    server: Server,
    templates: Templates,
    clock: IReactorTime,
    now: Callable[[], float],
    origins: Origins,
    monitors: Access,
    mounts: Mapping[str, IResource],
) -> Place:
    """
    The tree's root.

    @param now: the time in seconds since 1970, UTC.
    @param monitors: who gets the figures.
    @param mounts: other people's resources, by their paths.
    @raise ValueError: such a path is taken; the text says which.
    """
    pages, monitor = Pages(chat, server, templates), Monitors(chat, monitors)
    api, told = Api(chat, feeds, sockets, origins), operations
    gate = Gate(operators, templates, clock)
    admin = Admin(chat, server=server, templates=templates, clock=clock, now=now)

    tree = Endpoint({"GET": pages.front}, _ANY)
    send, send_to = (told.send(each, chat, SHORTEST_SHARED) for each in ("send", "sendTo"))
    openapi = told.document("openapi", "This document.")
    asyncapi = told.document("asyncapi", "WebSockets and events.")
    room = {"GET": gate.page(admin.room), "POST": gate.form(admin.send, admin.not_sent)}
    for path, endpoint in {
        "/rooms/": Endpoint({"GET": pages.find}, _ANY),
        "/rooms/{room}/": Endpoint({"GET": pages.room}, _ANY),
        "/static/{name}": Endpoint({"GET": pages.static}, _FILES),
        "/ws/chat/{room}/": Endpoint({"GET": api.socket}, described=told.socket()),
        "/chat/events/{room}/": Endpoint({"GET": api.events}, described=told.events()),
        "/chat/send/": Endpoint({"POST": api.send}, described=send),
        "/chat/send/{room}/": Endpoint({"POST": api.send}, described=send_to),
        "/chat/history/": Endpoint({"GET": api.history}, described=told.history("history")),
        "/chat/history/{room}/": Endpoint(
            {"GET": api.history}, described=told.history("historyOf")
        ),
        "/chat/origin/": Endpoint({"GET": api.origin}, _ANY, told.allowance()),
        "/healthz": Endpoint({"GET": monitor.healthy}, _CHECKS, told.healthy()),
        "/readyz": Endpoint({"GET": monitor.ready}, _CHECKS, told.ready()),
        "/metrics": Endpoint({"GET": monitor.figures}, _OWN, told.metrics()),
        "/openapi.json": Endpoint({"GET": api.openapi}, _ANY, openapi),
        "/asyncapi.json": Endpoint({"GET": api.asyncapi}, _ANY, asyncapi),
        "/admin/": Endpoint({"GET": gate.page(admin.overview)}, _OWN),
        "/admin/events": Endpoint({"GET": gate.events(admin.overview_events)}, _OWN),
        "/admin/rooms/": Endpoint({"GET": gate.page(admin.find)}, _OWN),
        "/admin/rooms/{room}/": Endpoint(room, _OWN),
        "/admin/rooms/{room}/events": Endpoint({"GET": gate.events(admin.room_events)}, _OWN),
        "/admin/sign-in/": Endpoint({"GET": gate.ask, "POST": gate.sign_in}, _OWN),
        "/admin/sign-out/": Endpoint({"POST": gate.form(gate.sign_out)}, _OWN),
    }.items():
        tree.put(path, endpoint)
    own = tree.children.keys() | {b""}
    for path, resource in mounts.items():
        if path.split("/")[1].encode() in own:
            raise ValueError(f"{path} is livechat's own")
        tree.put(path, Mount(resource))
    api.publish(openapi=contract.openapi(chat, tree.places()), asyncapi=contract.asyncapi(chat))
    return tree
