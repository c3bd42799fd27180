"""
The admin page: what goes on, live, and a way to try it out.

Each page is whole without JavaScript.  Where there is some, a stream sends the
page's parts again as they change, rendered by the same templates; messages
alone come as data, because they come in masses.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from twisted.internet.interfaces import IReactorTime

from livechat import __version__, wire
from livechat.activity import BAR, BARS, Room
from livechat.chat import Chat, Window
from livechat.errors import ChatError, Kind
from livechat.limits import Connections
from livechat.names import room_name
from livechat.net.certificates import EXPIRES_SOON, Certificate
from livechat.operators import Operators
from livechat.web.events import Stream, Tail, event
from livechat.web.gate import Gate, Visit
from livechat.web.html import Templates
from livechat.web.response import Response, belonging, see
from livechat.web.rooms import View, listing
from livechat.web.routing import Route, number, query, window
from livechat.wire import Message

#: Seconds between two looks at what has changed.
_REFRESH: Final = 1.0
#: Seconds between two deliveries to a page, so that a flood comes in few pieces.
_PAUSE: Final = 0.1
#: Messages of a room's page.
_MESSAGES: Final = 50


class Limit(Struct, frozen=True):
    """A limit in force, as the page shows it, and the option that sets it."""

    name: str
    value: str
    option: str


class Server(Struct, frozen=True):
    """
    What the admin page shows besides rooms.

    @ivar now: the time in seconds since 1970, UTC.
    @ivar started: when the daemon was started, by its clock.
    @ivar backend: where rooms are kept, in words.
    """

    clock: IReactorTime
    now: Callable[[], float]
    started: float
    connections: Connections
    backend: str
    certificate: Certificate
    limits: tuple[Limit, ...]


class Admin:
    """The pages for operators."""

    def __init__(
        self, chat: Chat, operators: Operators, server: Server, templates: Templates
    ) -> None:
        self._chat = chat
        self._server = server
        self._templates = templates
        self._gate = Gate(operators, templates, server.clock)
        # The active rooms as some stream saw them last, and when.
        self._rooms: list[Room] = []
        self._rooms_at = float("-inf")

    def routes(self) -> tuple[Route, ...]:
        """The pages' rows in the URL tree."""
        gate = self._gate
        room = {"GET": gate.page(self.room), "POST": gate.form(self.send)}
        return (
            Route("/admin/", {"GET": gate.page(self.overview)}, origins="own"),
            Route("/admin/events", {"GET": gate.events(self.overview_events)}, origins="own"),
            Route("/admin/rooms/", {"GET": gate.page(self.find)}, origins="own"),
            Route("/admin/rooms/{room}/", room, origins="own"),
            Route(
                "/admin/rooms/{room}/events",
                {"GET": gate.events(self.room_events)},
                origins="own",
            ),
            *gate.routes(),
        )

    async def overview(self, visit: Visit) -> Response:
        """Everything at a glance, and the active rooms."""
        return await self._overview(visit, View.of(query(visit.call)))

    async def overview_events(self, visit: Visit, stream: Stream) -> AsyncGenerator[bytes, None]:
        """The parts of the overview, each when it has changed."""
        view = View.of(query(visit.call))
        return self._overview_parts(stream, view)

    async def find(self, visit: Visit) -> Response:
        """The page of the room that was asked for by its name."""
        asked = query(visit.call).get("room", "").strip()
        try:
            return see(f"/admin/rooms/{room_name(asked)}/")
        except ChatError as error:
            return await self._overview(visit, View(), asked, error)

    async def room(self, visit: Visit) -> Response:
        """A room: its newest messages, or earlier ones, and a form to say something."""
        asked = query(visit.call)
        sent = number(asked, "sent")
        return await self._room(
            visit,
            window(asked, _MESSAGES),
            notice="" if sent is None else f"Message {sent} was sent to everyone in the room.",
        )

    async def room_events(self, visit: Visit, stream: Stream) -> AsyncGenerator[bytes, None]:
        """What is said in a room after the message that the page has, and the room's state."""
        name = room_name(visit.call.names["room"])
        asked = query(visit.call)
        back = visit.call.header("Last-Event-ID")
        if back is not None:
            asked["after"] = back
        seen = number(asked, "after") or 0
        # Refused now, if it cannot be read: once the stream has begun it is too late.
        await self._chat.history(name, Window(1))
        return self._room_parts(stream, name, seen)

    async def send(self, visit: Visit, fault: ChatError | None) -> Response:
        """Say in a room what was typed, or why it cannot be said."""
        name = room_name(visit.call.names["room"])
        # Forms end lines as HTTP does.
        text = visit.form.get("message", "").replace("\r\n", "\n")
        try:
            if fault is not None:
                raise fault
            if not text:
                raise ChatError(Kind.BAD_MESSAGE, "Type a message first.")
            message = await self._chat.send(visit.call.sender, name, text)
        except ChatError as error:
            return await self._room(visit, Window(_MESSAGES), draft=text, error=error)
        return see(f"/admin/rooms/{name}/?sent={message.seq}")

    async def _overview(
        self, visit: Visit, view: View, asked: str = "", error: ChatError | None = None
    ) -> Response:
        """
        @param asked: a room that was asked for in vain.
        @param error: why.
        """
        return self._templates.page(
            "admin/overview.html",
            status=HTTPStatus.OK if error is None else error.kind.status,
            token=visit.form_token,
            asked=asked,
            error=error,
            **self._at_a_glance(view, await self._chat.rooms()),
        )

    async def _overview_parts(self, stream: Stream, view: View) -> AsyncGenerator[bytes, None]:
        parts = _Parts(self._templates, ("tiles", "rooms", "server"))
        while not stream.ended:
            now = self._server.clock.seconds()
            if now >= self._rooms_at + _REFRESH:
                self._rooms, self._rooms_at = await self._chat.rooms(), now
            yield parts.changed(self._at_a_glance(view, self._rooms))
            await stream.rest(_REFRESH)

    def _at_a_glance(self, view: View, rooms: list[Room]) -> dict[str, Any]:
        """What the overview's templates are given."""
        server, activity = self._server, self._chat.activity
        now = server.now()
        expires_in = server.certificate.expires.timestamp() - now
        return {
            "listing": listing(rooms, view),
            "members": sum(room.members for room in rooms),
            "rate": activity.rate(),
            "chart": activity.chart(),
            "chart_minutes": BARS * BAR // 60,
            "trouble": self._chat.trouble(),
            "memory": _memory(),
            "uptime": server.clock.seconds() - server.started,
            "now": now,
            "server": server,
            "expires_in": expires_in,
            "expires_soon": expires_in < EXPIRES_SOON,
            "version": __version__,
        }

    async def _room(
        self,
        visit: Visit,
        part: Window,
        *,
        notice: str = "",
        draft: str = "",
        error: ChatError | None = None,
    ) -> Response:
        name = room_name(visit.call.names["room"])
        messages: list[Message] = []
        older = newer = None
        newest, trouble = 0, None
        try:
            found = await self._chat.history(name, part)
            messages = [message async for page in found.pages() for message in page]
        except ChatError as reason:
            # The form must be there all the same, with what was typed.
            trouble = reason
        else:
            newest = found.position.seq
            older = found.first if messages and found.first > found.position.oldest else None
            newer = found.last if messages and found.last < newest else None
        return self._templates.page(
            "admin/room.html",
            status=HTTPStatus.OK if error is None else error.kind.status,
            headers=() if error is None else belonging(error),
            token=visit.form_token,
            host=visit.call.header("Host"),
            room=await self._chat.room(name),
            now=self._server.now(),
            messages=messages,
            live=part == Window(_MESSAGES) and trouble is None,
            newest=newest,
            older=older,
            newer=newer,
            trouble=trouble,
            notice=notice,
            draft=draft,
            error=error,
            longest=self._chat.max_message,
            self_signed=self._server.certificate.self_signed,
        )

    async def _room_parts(
        self, stream: Stream, name: str, seen: int
    ) -> AsyncGenerator[bytes, None]:
        """
        First what was missed, then what comes: no message twice, and none missing
        but those that the numbers tell of.

        @param seen: the number of the newest message that the page has.
        """
        parts = _Parts(self._templates, ("facts",))
        tail = Tail(stream)
        try:
            await self._chat.watch(name, tail)
            found = await self._chat.history(name, Window(_MESSAGES))
            if seen > found.position.seq:
                # The page shows another numbering, of before the database was replaced.
                yield event("reset", "")
                return
            waiting = [message async for page in found.pages() for message in page]
            while not stream.ended:
                pieces = []
                for message in waiting:
                    if message.seq > seen:
                        seen = message.seq
                        pieces.append(event("message", wire.encode(message).decode(), seen))
                room = await self._chat.room(name)
                pieces.append(parts.changed({"room": room, "now": self._server.now()}))
                yield b"".join(pieces)
                await stream.sleep(_PAUSE)
                await stream.rest(_REFRESH - _PAUSE)
                waiting = tail.take()
        except ChatError:
            # The backend is away.  The stream ends here, and the browser comes back.
            return
        finally:
            self._chat.unwatch(name, tail)


class _Parts:
    """The parts of a page that a stream keeps up to date."""

    def __init__(self, templates: Templates, names: tuple[str, ...]) -> None:
        self._templates = templates
        self._shown = dict.fromkeys(names, "")

    def changed(self, values: dict[str, Any]) -> bytes:
        """Events with the parts that look different now; a comment, if none does."""
        events = []
        for name, before in self._shown.items():
            text = self._templates.text(f"admin/{name}.html", **values)
            if text != before:
                self._shown[name] = text
                events.append(event(name, text))
        return b"".join(events) or b":\n\n"


def _memory() -> int | None:
    """Bytes of memory that this process really has; None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
