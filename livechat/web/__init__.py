"""The tree of everything that has an address on the port."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from livechat.http.endpoint import Endpoint
from livechat.http.origins import Origins
from livechat.http.rules import Audience
from livechat.http.tree import Place
from livechat.identity.door import Door
from livechat.identity.keys import Keys
from livechat.identity.operators import Operators
from livechat.identity.tokens import Tokens
from livechat.members.event_stream import Feeds
from livechat.members.websocket import SocketFactory
from livechat.rooms.chat import Chat
from livechat.rooms.listing import Listing
from livechat.rooms.tracing import Tracing
from livechat.system.time import Time
from livechat.web import contract
from livechat.web import operations as told
from livechat.web.admin.tree import AdminTree
from livechat.web.api import Api
from livechat.web.back_ends import BackEnds
from livechat.web.credentials import CredentialFinder
from livechat.web.histories import Histories
from livechat.web.html import Templates
from livechat.web.key_office import KeyOffice
from livechat.web.keys import KeysApi
from livechat.web.moderation import ModerationApi
from livechat.web.monitors import Access, Monitors
from livechat.web.mounts import mount
from livechat.web.operators import OperatorsApi
from livechat.web.pages import Pages
from livechat.web.queries import SHORTEST_SHARED
from livechat.web.server import Server
from livechat.web.token_check import TokenCheck
from livechat.web.traces import Traces
from livechat.web.visitors import VisitorPages
from livechat.web.webhooks import WebhooksApi
from livechat.webhooks.board import Board

_OWN: Final = Audience("own")
_ANY: Final = Audience("any")
_CHECKS: Final = Audience("any", hostless=True)
_FILES: Final = Audience("any", any_name=True)


def root(
    chat: Chat,
    *,
    door: Door,
    keys: Keys,
    tokens: Tokens,
    feeds: Feeds,
    sockets: SocketFactory,
    operators: Operators,
    server: Server,
    templates: Templates,
    time: Time,
    origins: Origins,
    monitors: Access,
    trouble: Callable[[], str | None] = lambda: None,
    cookie: str | None = None,
    tracing: Tracing | None = None,
    receivers: Board | None = None,
    mounts: Iterable[tuple[str, object]] = (),
) -> Place:
    """
    The tree's root.

    @param door: makes actors of clients.
    @param monitors: who gets the figures.
    @param trouble: why some clients with the right to enter cannot; None if all can.
    @param tracing: what operators trace; None: nothing can be.
    @param receivers: of webhooks; None: there can be none.
    @param cookie: the name of the one that may have a token.
    @param mounts: other people's resources, by their paths.
    @raise StartError: one of them is no resource, or its path cannot be its.
    """
    credentials = CredentialFinder(origins, cookie)
    api = Api(chat, door, feeds, sockets, origins=origins, credentials=credentials)
    office = KeyOffice(chat, keys, time)
    admin = AdminTree(chat, operators, office, server=server, templates=templates, time=time)
    visitors = VisitorPages(chat, Listing(chat.directory, chat.settings, time), server, templates)
    tree = Endpoint({"GET": visitors.front}, _ANY)
    for path, endpoint in {
        **_for_programs(chat, api, Monitors(chat, monitors, keys, trouble)),
        **_for_visitors(visitors),
        **admin.endpoints(),
        **_for_the_site(chat, door, credentials, time),
        **KeysApi(chat, door, office, tokens, time).endpoints(),
        **_for_the_command(chat, door, operators),
        **({} if receivers is None else WebhooksApi(chat, door, receivers).endpoints()),
        **({} if tracing is None else Traces(chat, door, tracing, time).endpoints()),
    }.items():
        tree.put(path, endpoint)
    mount(tree, mounts)
    _describe(api, chat, tree, templates.base)
    return tree


def _describe(api: Api, chat: Chat, tree: Place, base: str) -> None:
    api.publish(
        openapi=lambda: contract.openapi(chat, tree.places(), base),
        asyncapi=lambda: contract.asyncapi(chat, base),
    )


def _for_the_site(
    chat: Chat, door: Door, credentials: CredentialFinder, time: Time
) -> dict[str, Endpoint]:
    return {
        **Histories(chat, door, credentials).endpoints(),
        **BackEnds(chat, door, credentials).endpoints(),
        **ModerationApi(chat, door, credentials, time).endpoints(),
    }


def _for_programs(chat: Chat, api: Api, monitors: Monitors) -> dict[str, Endpoint]:
    send, send_to = (told.send(each, chat, SHORTEST_SHARED) for each in ("send", "sendTo"))
    return {
        "/ws/chat/{room}/": Endpoint({"GET": api.socket}, None, told.socket()),
        "/chat/events/{room}/": Endpoint({"GET": api.events}, None, told.events()),
        "/chat/send/": Endpoint({"POST": api.send}, None, send),
        "/chat/send/{room}/": Endpoint({"POST": api.send}, None, send_to),
        "/chat/origin/": Endpoint({"GET": api.origin}, _ANY, told.allowance()),
        "/healthz": Endpoint({"GET": monitors.healthy}, _CHECKS, told.healthy()),
        "/readyz": Endpoint({"GET": monitors.ready}, _CHECKS, told.ready()),
        "/metrics": Endpoint({"GET": monitors.figures}, _OWN, told.metrics()),
        "/openapi.json": Endpoint({"GET": api.openapi}, _ANY, told.openapi()),
        "/asyncapi.json": Endpoint({"GET": api.asyncapi}, _ANY, told.asyncapi()),
    }


def _for_the_command(chat: Chat, door: Door, operators: Operators) -> dict[str, Endpoint]:
    return {**OperatorsApi(chat, door, operators).endpoints(), **TokenCheck(door).endpoints()}


def _for_visitors(pages: VisitorPages) -> dict[str, Endpoint]:
    return {
        "/developers/": Endpoint({"GET": pages.developers}, _ANY),
        "/rooms/": Endpoint({"GET": pages.rooms}, _ANY),
        "/rooms/{room}/": Endpoint({"GET": pages.room}, _ANY),
        "/static/{name}": Endpoint({"GET": Pages().static}, _FILES),
    }
