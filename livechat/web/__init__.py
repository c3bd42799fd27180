"""The URL tree."""

from __future__ import annotations

from livechat.chat import Chat
from livechat.web.api import Api
from livechat.web.pages import Pages
from livechat.web.response import Headers
from livechat.web.routing import Tree


def tree(chat: Chat, origins: frozenset[str], headers: Headers = ()) -> Tree:
    """
    Everything that has an address on the port.

    @param origins: whose pages may use it, besides its own.
    @param headers: for every answer.
    """
    return Tree((*Pages(chat).routes(), *Api(chat).routes()), origins, headers)
