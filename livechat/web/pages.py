"""
The pages for visitors, and the files that all pages use, here and on other sites.

Files are sent whole, whatever ranges are asked for (RFC 9110, section 14.2, leaves that to the
server).
"""

from __future__ import annotations

from livechat import __version__
from livechat.errors import ChatError, Kind
from livechat.http.call import Call
from livechat.http.negotiation import weights
from livechat.http.response import Response, see
from livechat.identity.guests import LONGEST_NAME
from livechat.protocol.names import LONGEST_ROOM_NAME, room_name
from livechat.rooms.chat import Chat
from livechat.web import files
from livechat.web.html import Templates, folder
from livechat.web.server import Server


class Pages:
    """The page that asks for a room, the one of a room, and the static files."""

    def __init__(self, chat: Chat, server: Server, templates: Templates) -> None:
        self._chat = chat
        self._server = server
        self._templates = templates
        self._files = files.read(folder("static"))

    async def front(self, call: Call) -> Response:
        """Which room, and what else one can do with this server."""
        return self._front(call, self._chat.default_room)

    async def find(self, call: Call) -> Response:
        """The way to the room that the form names."""
        asked = call.query.get("room", "").strip()
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
        form = file.compressed if _takes_gzip(call.joined("accept-encoding")) else file.plain
        headers = (
            ("ETag", form.tag),
            file.caching,
            ("Vary", "Accept-Encoding"),
            # They are no secrets, and other sites put the chat into their pages.
            ("Access-Control-Allow-Origin", "*"),
        )
        if form.tag in call.joined("if-none-match"):
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


def _takes_gzip(accepted: str) -> bool:
    """Whether an ``Accept-Encoding`` does (RFC 9110, section 12.5.3)."""
    found = weights(accepted)
    return found.get("gzip", found.get("*", 0.0)) > 0
