"""
The admin page: what goes on, live, and a way to try it out.

Each page is whole without JavaScript.  Where there is some, a stream sends the
page's parts again as they change, rendered by the same templates; messages
alone come as data, because they come in masses.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

from livechat import __version__
from livechat.errors import ChatError
from livechat.http.response import Response, see
from livechat.identity.actor import Actor
from livechat.identity.rights import EVERYWHERE
from livechat.net.certificates import EXPIRES_SOON
from livechat.protocol.cluster import Report, Room
from livechat.protocol.names import LONGEST_ROOM_NAME, room_name
from livechat.rooms.activity import ACTIVE_FOR, BAR, BARS
from livechat.rooms.chat import Chat
from livechat.rooms.directory import chart_of_all
from livechat.system.process import memory
from livechat.system.time import Time
from livechat.web.admin.events import EventStream
from livechat.web.admin.gate import OperatorCall
from livechat.web.admin.parts import REFRESH, Parts
from livechat.web.admin.rooms import LONGEST_FILTER, View, page_of
from livechat.web.html import Templates
from livechat.web.server import Server

#: Messages of a room's page.
_MESSAGES: Final = 50


class Admin:
    """The pages for operators."""

    def __init__(
        self,
        chat: Chat,
        *,
        server: Server,
        templates: Templates,
        time: Time,
    ) -> None:
        self._chat = chat
        self._server = server
        self._templates = templates
        self._time = time
        # The active rooms and the time at which a stream read them; kept while streams are open.
        self._rooms: list[Room] = []
        self._reports: Sequence[Report] = ()
        self._rooms_at = float("-inf")
        self._looking = 0

    async def overview(self, asked: OperatorCall) -> Response:
        """Render the overview, and the active rooms."""
        return await self._overview(asked, View.of(asked.call.query))

    async def overview_events(
        self, asked: OperatorCall, stream: EventStream
    ) -> AsyncGenerator[bytes, None]:
        """The parts of the overview, each when it has changed."""
        view = View.of(asked.call.query)
        return self._overview_parts(asked.actor, stream, view)

    async def find(self, asked: OperatorCall) -> Response:
        """The page of the room that was asked for by its name."""
        named = asked.call.query.get("room", "").strip()
        try:
            return see(f"/admin/rooms/{room_name(named)}/")
        except ChatError as error:
            return await self._overview(asked, View(), named, error)

    async def _overview(
        self, asked: OperatorCall, view: View, named: str = "", error: ChatError | None = None
    ) -> Response:
        """
        @param named: the text that was typed as a room's name.
        @param error: the reason why it is not a name.
        """
        rooms, reports = (
            await self._chat.directory.rooms(),
            await self._chat.directory.reports(),
        )
        return self._templates.page(
            "admin/overview.html",
            error=error,
            named=named,
            longest_filter=LONGEST_FILTER,
            longest_name=LONGEST_ROOM_NAME,
            **asked.frame | self._at_a_glance(asked.actor, view, rooms, reports),
        )

    async def _overview_parts(
        self, actor: Actor, stream: EventStream, view: View
    ) -> AsyncGenerator[bytes, None]:
        manages = "manage" in self._chat.can(actor, EVERYWHERE)
        names = ("tiles", "rooms", "server") if manages else ("tiles", "rooms")
        parts = Parts(self._templates, names)
        self._looking += 1
        try:
            while not stream.ended:
                now = self._time.seconds()
                if now >= self._rooms_at + REFRESH:
                    self._rooms, self._rooms_at = await self._chat.directory.rooms(), now
                    self._reports = await self._chat.directory.reports()
                yield parts.changed(self._at_a_glance(actor, view, self._rooms, self._reports))
                await stream.rest(REFRESH)
        finally:
            self._looking -= 1
            if not self._looking:
                self._rooms, self._reports, self._rooms_at = [], (), float("-inf")

    def _at_a_glance(
        self, actor: Actor, view: View, everywhere: list[Room], reports: Sequence[Report]
    ) -> dict[str, Any]:
        """
        Make the values of the overview's templates: the rooms that *actor* moderates, and
        the server only where it manages everything.
        """
        server = self._server
        rooms = self._chat.overview.moderated(actor, everywhere)
        now = self._time.wall()
        certificate = server.certificate
        expires_in = certificate.expires.timestamp() - now if certificate else EXPIRES_SOON
        return {
            "manages": "manage" in self._chat.can(actor, EVERYWHERE),
            "listing": page_of(rooms, view),
            "members": sum(room.members for room in rooms),
            "connections": sum(report.connections for report in reports),
            "rate": sum(report.rate for report in reports),
            "chart": chart_of_all(reports),
            "processes": sorted(reports, key=lambda report: report.process),
            "this_process": reports[0].process,
            "chart_minutes": BARS * BAR // 60,
            "active_minutes": int(ACTIVE_FOR / 60),
            "trouble": self._chat.trouble(),
            "memory": memory(),
            "uptime": self._time.seconds() - server.started,
            "now": now,
            "server": server,
            "expires_in": expires_in,
            "expires_soon": expires_in < EXPIRES_SOON,
            "version": __version__,
            "default_room": self._chat.default_room,
        }
