"""The URL tree."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from livechat.http.endpoint import Tree
from livechat.http.origins import Origins
from livechat.http.response import Headers
from livechat.identity.door import Door
from livechat.identity.operators import Operators
from livechat.members.event_stream import Feeds
from livechat.rooms.chat import Chat
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
    clock: IReactorTime,
    now: Callable[[], float],
    origins: frozenset[str],
    promises: Callable[[], Headers],
    names: Callable[[], tuple[str, ...]],
    monitors: Access,
) -> Tree:
    """
    Everything that has an address on the port.

    @param door: makes actors of clients.
    @param now: the time in seconds since 1970, UTC.
    @param origins: whose pages may use it, besides its own.
    @param promises: headers for every answer.
    @param names: by which the server is known.
    @param monitors: who gets the figures.
    """
    templates = Templates()
    known = Origins(origins, names, clock)
    pages, api = Pages(chat, server, templates), Api(chat, door, feeds, known)
    admin = Admin(
        chat, operators=operators, server=server, templates=templates, clock=clock, now=now
    )
    routes = (
        *pages.routes(),
        *api.routes(),
        *Monitors(chat, monitors).routes(),
        *admin.routes(),
    )
    return Tree(routes, known, promises, names, Refusals(templates).answer)
