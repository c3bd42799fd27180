"""
The page for visitors, and the files that all pages use.

The files are read once, at start.  What is not among them does not exist: no
path of a request ever reaches the file system.
"""

from __future__ import annotations

import mimetypes
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path

from msgspec import Struct

from livechat import __version__
from livechat.chat import Chat
from livechat.errors import ChatError, Kind
from livechat.web.html import Templates, folder
from livechat.web.response import Response
from livechat.web.routing import Call, Route


class _File(Struct, frozen=True):
    body: bytes
    media_type: str
    tag: str


class Pages:
    """The front page and the static files."""

    def __init__(self, chat: Chat, templates: Templates) -> None:
        self._chat = chat
        self._templates = templates
        self._files = {path.name: _read(path) for path in folder("static").iterdir()}

    def routes(self) -> tuple[Route, ...]:
        """The pages' rows in the URL tree."""
        return (
            Route("/", {"GET": self.front}, origins="any"),
            Route("/static/{name}", {"GET": self.static}, origins="any"),
        )

    async def front(self, call: Call) -> Response:
        """What this server is and how to talk to it."""
        return self._templates.page(
            "front.html",
            host=call.header("Host"),
            room=self._chat.default_room,
            version=__version__,
        )

    async def static(self, call: Call) -> Response:
        """A file of the pages."""
        file = self._files.get(call.names["name"])
        if file is None:
            raise ChatError(Kind.NOT_FOUND, "There is no such file.")
        headers = (("ETag", file.tag), ("Cache-Control", "no-cache"))
        if file.tag in (call.header("If-None-Match") or ""):
            return Response(304, headers=headers)
        return Response(200, file.body, (("Content-Type", file.media_type), *headers))


def _read(path: Path) -> _File:
    body = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if media_type.startswith("text/"):
        media_type += "; charset=utf-8"
    tag = urlsafe_b64encode(sha256(body).digest()[:12]).decode()
    return _File(body, media_type, f'"{tag}"')
