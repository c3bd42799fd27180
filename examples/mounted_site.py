"""
Web resources beside the chat: a directory of files, and a page made by an extension.

    twistd --pidfile= -n livechat --mount /site=examples.mounted_site.resource
    twistd --pidfile= -n livechat --extension examples.mounted_site.Site
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from twisted.web.resource import IResource, Resource
from twisted.web.server import Request
from twisted.web.static import File

from livechat.extensions import ExtensionBase
from livechat.rooms.chat import Chat

#: Any IResource can be mounted: a File, a WSGIResource, a klein app's resource, a Resource.
resource = File(str(Path(__file__).with_name("site")))


class Health(Resource):
    """Says whether messages can be sent just now."""

    isLeaf = True

    def __init__(self, chat: Chat) -> None:
        super().__init__()
        self._chat = chat

    def render_GET(self, request: Request) -> bytes:
        request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        return (self._chat.trouble() or "The chat is open.").encode() + b"\n"


class Site(ExtensionBase):
    """Mounts both."""

    def resources(self, chat: Chat) -> Mapping[str, IResource]:
        return {"/site": resource, "/chat-health": Health(chat)}
