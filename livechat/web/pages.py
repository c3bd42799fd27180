"""
The pages for visitors, and the files that all pages use, here and on other sites.

The files are read, and compressed, once, at start.  What is not among them does not exist:
no path of a request ever reaches the file system.  They are sent whole, whatever ranges are
asked for (RFC 9110, section 14.2, leaves that to the server).
"""

from __future__ import annotations

import gzip
import mimetypes
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from typing import Final

from msgspec import Struct

from livechat import __version__
from livechat.errors import ChatError, Kind
from livechat.http.endpoint import Call, Route, query
from livechat.http.negotiation import weights
from livechat.http.response import Headers, Response, see
from livechat.identity.guests import LONGEST_NAME
from livechat.protocol.names import LONGEST_ROOM_NAME, room_name
from livechat.rooms.chat import Chat
from livechat.web.html import Templates, folder
from livechat.web.server import Server

#: To Python, .ts is a video.
_MEDIA_TYPES: Final = {".ts": "text/plain"}


class _Form(Struct, frozen=True):
    """The bytes of a file, as they are or compressed."""

    body: bytes
    tag: str
    headers: Headers = ()


class _File(Struct, frozen=True):
    media_type: str
    plain: _Form
    compressed: _Form


class Pages:
    """The page that asks for a room, the one of a room, and the static files."""

    def __init__(self, chat: Chat, server: Server, templates: Templates) -> None:
        self._chat = chat
        self._server = server
        self._templates = templates
        self._files = _files(folder("static"))

    def routes(self) -> tuple[Route, ...]:
        """The pages' rows in the URL tree."""
        return (
            Route("/", {"GET": self.front}, origins="any"),
            Route("/rooms/", {"GET": self.find}, origins="any"),
            Route("/rooms/{room}/", {"GET": self.room}, origins="any"),
            Route("/static/{name}", {"GET": self.static}, origins="any", any_name=True),
        )

    async def front(self, call: Call) -> Response:
        """Which room, and what else one can do with this server."""
        return self._front(call, self._chat.default_room)

    async def find(self, call: Call) -> Response:
        """The way to the room that the form names."""
        asked = query(call).get("room", "").strip()
        try:
            return see(f"/rooms/{room_name(asked)}/")
        except ChatError as error:
            return self._front(call, asked, error)

    async def room(self, call: Call) -> Response:
        """A room, to chat in."""
        asked = call.names["room"]
        try:
            room = room_name(asked)
        except ChatError as error:
            return self._front(call, asked, error)
        return self._templates.page("room.html", room=room)

    async def static(self, call: Call) -> Response:
        """A file of the pages."""
        # Another address would lead what a script imports astray.
        file = None if call.path.endswith("/") else self._files.get(call.names["name"])
        if file is None:
            raise ChatError(Kind.NOT_FOUND, "There is no such file.")
        form = file.compressed if _takes_gzip(_list(call, "accept-encoding")) else file.plain
        headers = (
            ("ETag", form.tag),
            ("Cache-Control", "no-cache"),
            ("Vary", "Accept-Encoding"),
            # They are no secrets, and other sites put the chat into their pages.
            ("Access-Control-Allow-Origin", "*"),
        )
        if form.tag in _list(call, "if-none-match"):
            return Response(304, headers=headers)
        media_type = ("Content-Type", file.media_type)
        return Response(200, form.body, (media_type, *form.headers, *headers))

    def _front(self, call: Call, room: str, error: ChatError | None = None) -> Response:
        return self._templates.page(
            "front.html",
            error=error,
            host=call.asked.host,
            scheme=call.asked.scheme,
            room=room,
            example=self._chat.default_room,
            longest_room=LONGEST_ROOM_NAME,
            longest_name=LONGEST_NAME,
            # A proxy has a certificate of its own.
            self_signed=self._server.certificate.self_signed and not call.proxied,
            version=__version__,
        )


def _files(directory: Path) -> dict[str, _File]:
    """The files of *directory*, by their names; what a link leads to elsewhere is none."""
    inside = directory.resolve()
    return {
        path.name: _read(path)
        for path in directory.iterdir()
        if path.is_file() and path.resolve().parent == inside
    }


def _read(path: Path) -> _File:
    body = path.read_bytes()
    media_type = _MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    media_type = media_type or "application/octet-stream"
    if media_type.startswith("text/"):
        media_type += "; charset=utf-8"
    tag = urlsafe_b64encode(sha256(body).digest()[:12]).decode()
    plain = _Form(body, f'"{tag}"')
    smaller = gzip.compress(body, mtime=0)
    if len(smaller) >= len(body):
        return _File(media_type, plain, plain)
    gzipped = _Form(smaller, f'"{tag}-gzip"', (("Content-Encoding", "gzip"),))
    return _File(media_type, plain, gzipped)


def _list(call: Call, name: str) -> str:
    """A header that may come in several pieces (RFC 9110, section 5.3)."""
    return ", ".join(call.headers.get(name, ()))


def _takes_gzip(accepted: str) -> bool:
    """Whether an ``Accept-Encoding`` does (RFC 9110, section 12.5.3)."""
    found = weights(accepted)
    return found.get("gzip", found.get("*", 0.0)) > 0
