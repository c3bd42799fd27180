"""The URL tree."""

from __future__ import annotations

from livechat.chat import Chat
from livechat.operators import Operators
from livechat.web.admin import Admin, Server
from livechat.web.api import Api
from livechat.web.html import Templates
from livechat.web.pages import Pages
from livechat.web.response import Headers
from livechat.web.routing import Tree


def tree(
    chat: Chat,
    operators: Operators,
    server: Server,
    origins: frozenset[str],
    headers: Headers = (),
) -> Tree:
    """
    Everything that has an address on the port.

    @param origins: whose pages may use it, besides its own.
    @param headers: for every answer.
    """
    templates = Templates()
    pages, api = Pages(chat, templates), Api(chat)
    admin = Admin(chat, operators, server, templates)
    return Tree((*pages.routes(), *api.routes(), *admin.routes()), origins, headers)
