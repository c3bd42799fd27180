"""
The admin page: what goes on, live, and a way to try it out.

Each page is whole without JavaScript.  Where there is some, a stream sends the
page's parts again as they change, rendered by the same templates; messages
alone come as data, because they come in masses.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from livechat import __version__
from livechat.errors import ChatError, Kind
from livechat.http.response import Response, see
from livechat.identity.actor import Actor
from livechat.identity.rights import EVERYWHERE
from livechat.net.certificates import EXPIRES_SOON
from livechat.protocol.audit import Action
from livechat.protocol.cluster import Report, Room
from livechat.protocol.looks import seen
from livechat.protocol.messages import Entry
from livechat.protocol.names import LONGEST_ROOM_NAME, room_name
from livechat.rooms.activity import ACTIVE_FOR, BAR, BARS
from livechat.rooms.chat import Chat
from livechat.rooms.directory import chart_of_all
from livechat.rooms.history import Window
from livechat.system.time import Time
from livechat.web.admin.events import EventStream, Tail, event, of_entry
from livechat.web.admin.gate import OperatorCall
from livechat.web.admin.lines import NOTES, Line, lines
from livechat.web.admin.parts import PAUSE, REFRESH, Parts
from livechat.web.admin.rooms import LONGEST_FILTER, View, page_of
from livechat.web.html import Templates
from livechat.web.queries import number, window
from livechat.web.server import Server, memory

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
        # The active rooms as some stream saw them last, and when; kept while there is one.
        self._rooms: list[Room] = []
        self._reports: Sequence[Report] = ()
        self._rooms_at = float("-inf")
        self._looking = 0

    async def overview(self, asked: OperatorCall) -> Response:
        """Everything at a glance, and the active rooms."""
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

    async def room(self, asked: OperatorCall) -> Response:
        """A room: its newest messages, or earlier ones, and a form to say something."""
        fields = asked.call.query
        sent, removed = number(fields, "sent"), number(fields, "removed")
        return await self._room(
            asked,
            window(fields, _MESSAGES),
            notice="" if sent is None else f"Message {sent} was sent to everyone in the room.",
            news="" if removed is None else f"Message {removed} was removed.",
        )

    async def room_events(
        self, asked: OperatorCall, stream: EventStream
    ) -> AsyncGenerator[bytes, None]:
        """What is said in a room after the message that the page has, and the room's state."""
        name = room_name(asked.call.names["room"])
        back = asked.call.header("Last-Event-ID")
        if back is None:
            seen = number(asked.call.query, "after") or 0
        else:
            seen = number({"Last-Event-ID": back}, "Last-Event-ID") or 0
        # Refused now, if it cannot be read: once the stream has begun it is too late.
        await self._chat.history(asked.actor, name, Window(1))
        return self._room_parts(asked.actor, stream, name, seen)

    async def send(self, asked: OperatorCall) -> Response:
        """Say in a room what was typed."""
        name = room_name(asked.call.names["room"])
        text = _typed(asked)
        if not seen(text):
            raise ChatError(Kind.EMPTY_MESSAGE, "Type a message first.")
        self._chat.audit.check()
        message = await self._chat.send(asked.actor, name, text)
        try:
            await self._chat.audit.record(asked.actor, Action("message", message.seq), name)
        except ChatError as error:
            # Without the text: the form would send it again.
            return await self._room(asked, Window(_MESSAGES), error=error)
        return see(f"/admin/rooms/{name}/?sent={message.seq}")

    async def remove(self, asked: OperatorCall) -> Response:
        """Take back a message, whoever sent it, and show the part of the room where it was."""
        name = room_name(asked.call.names["room"])
        part, ref = window(asked.call.query, _MESSAGES), number(asked.form, "seq")
        if ref is None:
            raise ChatError(Kind.BAD_FORM, "The form names no message.")
        # All operators are one author: without this right, one could take back another's.
        self._chat.require(asked.actor, name, "moderate")
        await self._chat.retract(asked.actor, name, [ref])
        return see(f"/admin/rooms/{name}/{_query(part, removed=ref)}")

    async def not_removed(self, asked: OperatorCall, error: ChatError) -> Response:
        """The room's page, and why the message was not removed."""
        return await self._room(asked, window(asked.call.query, _MESSAGES), removal=error)

    async def not_sent(self, asked: OperatorCall, error: ChatError) -> Response:
        """The room's page with what was typed, and why it was not said."""
        return await self._room(asked, Window(_MESSAGES), draft=_typed(asked), error=error)

    async def _overview(
        self, asked: OperatorCall, view: View, named: str = "", error: ChatError | None = None
    ) -> Response:
        """
        @param named: what was given as a room's name.
        @param error: why it is none.
        """
        return self._templates.page(
            "admin/overview.html",
            error=error,
            named=named,
            longest_filter=LONGEST_FILTER,
            longest_name=LONGEST_ROOM_NAME,
            **asked.frame,
            **self._at_a_glance(
                asked.actor,
                view,
                await self._chat.directory.rooms(),
                await self._chat.directory.reports(),
            ),
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
        expires_in = server.certificate.expires.timestamp() - now
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

    async def _room(
        self,
        asked: OperatorCall,
        part: Window,
        *,
        notice: str = "",
        news: str = "",
        draft: str = "",
        error: ChatError | None = None,
        removal: ChatError | None = None,
    ) -> Response:
        """
        @param notice: what became of the form.
        @param news: what became of the messages.
        @param error: why nothing was sent.
        @param removal: why nothing was removed.
        """
        name = room_name(asked.call.names["room"])
        room = await self._chat.overview.room(asked.actor, name)
        return self._templates.page(
            "admin/room.html",
            error=error or removal,
            unsent=error,
            unremoved=removal,
            host=asked.call.asked.host,
            room=room,
            can=self._chat.can(asked.actor, name),
            now=self._time.wall(),
            blank=Line(0, 0),
            notes=NOTES,
            part=_query(part),
            notice=notice,
            news=news,
            draft=draft,
            longest=self._chat.max_message,
            self_signed=self._server.certificate.self_signed and not asked.call.proxied,
            **asked.frame,
            **await self._log_of(asked.actor, name, part),
        )

    async def _log_of(self, actor: Actor, name: str, part: Window) -> dict[str, Any]:
        """Return the template's values for a part of a room's history."""
        entries: list[Entry] = []
        older = newer = unread = None
        newest = 0
        try:
            found = await self._chat.history(actor, name, part)
            entries = [entry async for page in found.entries() for entry in page]
        except ChatError as reason:
            # The form must be there all the same, with what was typed.
            unread = reason
        else:
            newest, older, newer = found.position.seq, found.older, found.newer
        return {
            "lines": lines(entries),
            "live": part == Window(_MESSAGES) and unread is None,
            "newest": newest,
            "older": older,
            "newer": newer,
            "unread": unread,
        }

    async def _room_parts(
        self, actor: Actor, stream: EventStream, name: str, seen: int
    ) -> AsyncGenerator[bytes, None]:
        """
        First what was missed, then what comes: no entry twice, and none missing but messages
        that the numbers tell of.

        @param seen: the number of the newest entry that the page has.
        """
        parts = Parts(self._templates, ("room_tiles",))
        tail = Tail(stream)
        try:
            await self._chat.watch(actor, name, tail)
            found = await self._chat.history(actor, name, Window(_MESSAGES))
            tail.follow(found.position.epoch)
            missed = found.first > seen + 1 and found.position.event > seen
            if seen > found.position.seq or missed:
                # The page shows another numbering, of before the database was replaced, or may
                # show what was taken back.
                yield event("reset", "")
                return
            waiting = [entry async for page in found.entries() for entry in page]
            while not stream.ended:
                if tail.anew:
                    yield event("reset", "")
                    return
                pieces = []
                for entry in waiting:
                    if entry.seq > seen:
                        seen = entry.seq
                        pieces.append(of_entry(entry))
                room = await self._chat.overview.room(actor, name)
                pieces.append(parts.changed({"room": room, "now": self._time.wall()}))
                yield b"".join(pieces)
                await stream.sleep(PAUSE)
                await stream.rest(REFRESH - PAUSE)
                waiting = tail.drain()
        except ChatError:
            # The backend is away.  The stream ends here, and the browser comes back.
            return
        finally:
            self._chat.unwatch(name, tail)


def _query(part: Window, *, removed: int | None = None) -> str:
    """The query of a part of a room's history, with its question mark; empty for the newest."""
    given = {"before": part.before, "after": part.after, "removed": removed}
    text = urlencode({key: value for key, value in given.items() if value is not None})
    return f"?{text}" if text else ""


def _typed(asked: OperatorCall) -> str:
    """The form's message, with lines that end as everywhere, and not as in HTTP."""
    return asked.form.get("message", "").replace("\r\n", "\n")
