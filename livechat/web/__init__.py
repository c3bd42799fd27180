"""The URL tree."""

from __future__ import annotations

from collections.abc import Callable

from livechat.http.endpoint import Tree
from livechat.http.origins import Origins
from livechat.http.response import Headers
from livechat.identity.door import Door
from livechat.identity.operators import Operators
from livechat.members.event_stream import Feeds
from livechat.rooms.chat import Chat
from livechat.system.time import Time
from livechat.web.admin.pages import Admin
from livechat.web.api import Api
from livechat.web.html import Templates
from livechat.web.monitors import Access, Monitors
from livechat.web.pages import Pages
from livechat.web.refusals import Refusals
from livechat.web.server import Server


def tree(
    chat: Chat,
    *,
    door: Door,
    feeds: Feeds,
    operators: Operators,
    server: Server,
    time: Time,
    origins: frozenset[str],
    promises: Callable[[], Headers],
    names: Callable[[], tuple[str, ...]],
    monitors: Access,
) -> Tree:
    """
    Everything that has an address on the port.

    @param door: makes actors of clients.
    @param origins: whose pages may use it, besides its own.
    @param promises: headers for every answer.
    @param names: by which the server is known.
    @param monitors: who gets the figures.
    """
    templates = Templates()
    known = Origins(origins, names, time)
    pages, api = Pages(chat, server, templates), Api(chat, door, feeds, known)
    admin = Admin(chat, operators=operators, server=server, templates=templates, time=time)
    routes = (
        *pages.routes(),
        *api.routes(),
        *Monitors(chat, monitors).routes(),
        *admin.routes(),
    )
    return Tree(routes, known, promises, names, Refusals(templates).answer)
