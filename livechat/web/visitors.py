"""
The pages for visitors: the front page, the rooms that anybody may find, a room, and how to use
the server from code.

People name rooms by words, which travel in the link, as `title`, until the room has a title of
its own.  What a link says is anybody's: pages show it as that, and never as the room's title.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from livechat import __version__
from livechat.errors import ChatError, Kind
from livechat.http.call import Call
from livechat.http.response import Response, see
from livechat.identity.actor import Actor
from livechat.identity.guests import LONGEST_NAME
from livechat.protocol.names import room_name
from livechat.protocol.settings import LONGEST_TITLE
from livechat.protocol.words import room_of_words, title_of
from livechat.rooms.chat import Chat
from livechat.rooms.listing import Listing
from livechat.web.html import Templates
from livechat.web.server import Server

#: Rooms on a page of all.
ROOMS_PER_PAGE: Final = 100


class VisitorPages:
    """Renders these pages."""

    def __init__(self, chat: Chat, listing: Listing, server: Server, templates: Templates) -> None:
        self._chat = chat
        self._listing = listing
        self._server = server
        self._templates = templates

    async def front(self, call: Call) -> Response:
        """The front page: what this is, and the rooms."""
        return await self._front(call, "")

    async def rooms(self, call: Call) -> Response:
        """The way to the room that the form names; or all rooms that are listed."""
        words = call.query.get("room")
        if words is None:
            return await self._all(call)
        words = words.strip()
        try:
            room = room_of_words(words)
        except ChatError as error:
            return await self._front(call, words, error)
        title = title_of(words)
        return see(f"/rooms/{room}/" + (f"?{urlencode({'title': title})}" if title != room else ""))

    async def _all(self, call: Call) -> Response:
        after = call.query.get("after", "")
        found = (await self._listing.rooms()).page(after, ROOMS_PER_PAGE + 1)
        page = found[:ROOMS_PER_PAGE]
        return self._page(
            call,
            "rooms.html",
            rooms=[self._listing.line(each) for each in page],
            following=page[-1] if len(found) > len(page) else None,
            after=after,
        )

    async def room(self, call: Call) -> Response:
        """A room, to chat in."""
        asked = call.names["room"]
        try:
            room = room_name(asked)
        except ChatError as error:
            return await self._front(call, asked, _misnamed(asked, error))
        title = self._title(call, room)
        words = "" if title else _words(call)
        return self._page(call, "room.html", room=room, title=title, words=words)

    def _title(self, call: Call, room: str) -> str:
        """Return the room's title, or nothing if strangers may not know it."""
        if "join" not in self._chat.can(Actor("guest", call.source), room):
            return ""
        return title_of(self._chat.settings.of(room).title)

    async def developers(self, call: Call) -> Response:
        """Show developers how to use the server from code."""
        return self._page(
            call,
            "developers.html",
            host=call.asked.host,
            scheme=call.asked.scheme,
            example=self._chat.default_room,
            # Behind a proxy clients see the proxy's certificate.
            self_signed=self._server.shown.self_signed and not call.proxied,
        )

    async def _front(self, call: Call, words: str, error: ChatError | None = None) -> Response:
        listed = await self._listing.rooms()
        return self._page(
            call,
            "front.html",
            error=error,
            words=words,
            default_room=self._chat.default_room,
            longest_title=LONGEST_TITLE,
            longest_name=LONGEST_NAME,
            version=__version__,
            rooms=[self._listing.line(each) for each in listed.busiest],
            listed=len(listed.names),
        )

    def _page(self, call: Call, template: str, **values: Any) -> Response:
        """Render a page in the browser's language."""
        languages = call.joined("accept-language")
        return self._templates.page(template, languages=languages, **values)


def _words(call: Call) -> str:
    """Read the title in a link; nothing if it is missing or unreadable."""
    try:
        return title_of(call.query.get("title", ""))
    except ChatError:
        # An unreadable query of a stranger's link must not close the room's page.
        return ""


def _misnamed(asked: str, error: ChatError) -> ChatError:
    """Say which room the visitor may mean, where an address names one that cannot be."""
    try:
        room = room_of_words(asked)
    except ChatError:
        return error
    return ChatError(Kind.BAD_ROOM, f"No room has this address. Perhaps it is {room}.")
