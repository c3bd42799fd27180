"""
The page of a room: its messages, live or found by a search, and forms to moderate it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final

from msgspec import Struct

from livechat.errors import ChatError, Kind
from livechat.http.response import Response, see
from livechat.identity.actor import Actor
from livechat.protocol.audit import Action
from livechat.protocol.looks import seen
from livechat.protocol.messages import Entry, User
from livechat.protocol.moderation import LONGEST_REASON
from livechat.protocol.names import room_name
from livechat.rooms.chat import Chat
from livechat.rooms.history import History, Window
from livechat.rooms.search import LONGEST_TEXT, Wanted, folded
from livechat.system.time import Time
from livechat.web.admin import paths
from livechat.web.admin.events import EventStream, Tail, event, of_entry
from livechat.web.admin.gate import OperatorCall
from livechat.web.admin.lines import NOTES, Line, lines
from livechat.web.admin.panic import buttons
from livechat.web.admin.parts import PAUSE, REFRESH, Parts
from livechat.web.admin.people import DURATIONS, Person, may_everywhere, of_subject, person
from livechat.web.admin.sweep import authors
from livechat.web.html import Templates
from livechat.web.queries import number, window
from livechat.web.server import Server

#: Messages of a page.
_MESSAGES: Final = 50


class RoomView(Struct, frozen=True):
    """
    The part of a room that was asked for.

    @ivar q: a text that the messages hold; empty: any.
    @ivar user: the subject of their author; empty: anybody.
    """

    part: Window = Window(_MESSAGES)
    q: str = ""
    user: str = ""

    @classmethod
    def of(cls, call: OperatorCall) -> RoomView:
        """
        @raise ChatError: there is no such part.
        """
        asked = call.call.query
        q, user = asked.get("q", "").strip(), asked.get("user", "")
        if len(q) > LONGEST_TEXT:
            raise ChatError(Kind.BAD_QUERY, f"A search has at most {LONGEST_TEXT} characters.")
        if user:
            of_subject(user)
        return cls(window(asked, _MESSAGES), q, user)

    @property
    def selects(self) -> bool:
        """Tell whether not all messages are wanted."""
        return bool(self.q or self.user)

    @property
    def live(self) -> bool:
        """Tell whether the page shows new messages as they come."""
        return self.part == Window(_MESSAGES) and not self.selects

    def query(self, **other: object) -> str:
        """The query that asks for it, or for another part of the same."""
        given = other or {"before": self.part.before, "after": self.part.after}
        return paths.query(q=self.q, user=self.user, **given)


class RoomPages:
    """The page, its stream, and its forms for messages."""

    def __init__(self, chat: Chat, *, server: Server, templates: Templates, time: Time) -> None:
        self._chat = chat
        self._server = server
        self._templates = templates
        self._time = time

    async def room(self, asked: OperatorCall) -> Response:
        """A room: its newest messages, earlier ones or those that were searched for."""
        fields = asked.call.query
        sent, removed = number(fields, "sent"), number(fields, "removed")
        return await self._room(
            asked,
            RoomView.of(asked),
            notice="" if sent is None else f"Message {sent} was sent to everyone in the room.",
            news="" if removed is None else f"Message {removed} was removed.",
        )

    async def room_events(
        self, asked: OperatorCall, stream: EventStream
    ) -> AsyncGenerator[bytes, None]:
        """The messages of a room behind those that the page has, and the room's state."""
        name = room_name(asked.call.names["room"])
        back = asked.call.header("Last-Event-ID")
        if back is None:
            seen = number(asked.call.query, "after") or 0
        else:
            seen = number({"Last-Event-ID": back}, "Last-Event-ID") or 0
        # An unreadable room is refused here: a stream that has begun has its status already.
        await self._chat.history(asked.actor, name, Window(1))
        return self._room_parts(asked, stream, name, seen)

    async def send(self, asked: OperatorCall) -> Response:
        """Send the typed message to a room."""
        name = room_name(asked.call.names["room"])
        text = _typed(asked)
        if not seen(text):
            raise ChatError(Kind.EMPTY_MESSAGE, "Type a message first.")
        self._chat.audit.check()
        message = await self._chat.send(asked.actor, name, text)
        try:
            await self._chat.audit.record(asked.actor, Action("message", message.seq), name)
        except ChatError as error:
            # The form stays empty: the message is stored, and its text would be sent again.
            return await self._room(asked, RoomView(), error=error)
        return see(f"{paths.of_room(name)}?sent={message.seq}")

    async def remove(self, asked: OperatorCall) -> Response:
        """Take back a message, whoever sent it, and show the part of the room where it was."""
        name = room_name(asked.call.names["room"])
        view, ref = RoomView.of(asked), number(asked.form, "seq")
        if ref is None:
            raise ChatError(Kind.BAD_FORM, "The form names no message.")
        # All operators share one author, so only this right keeps one from another's messages.
        self._chat.require(asked.actor, name, "moderate")
        await self._chat.retract(asked.actor, name, [ref])
        part = view.part
        found = view.query(before=part.before, after=part.after, removed=ref)
        return see(f"{paths.of_room(name)}{found}")

    async def not_removed(self, asked: OperatorCall, error: ChatError) -> Response:
        """The room's page, and why the message was not removed."""
        return await self._room(asked, RoomView.of(asked), removal=error)

    async def not_sent(self, asked: OperatorCall, error: ChatError) -> Response:
        """The room's page with the typed message, and the reason why it was not sent."""
        return await self._room(asked, RoomView(), draft=_typed(asked), error=error)

    async def _room(
        self,
        asked: OperatorCall,
        view: RoomView,
        *,
        notice: str = "",
        news: str = "",
        draft: str = "",
        error: ChatError | None = None,
        removal: ChatError | None = None,
    ) -> Response:
        """
        @param notice: the outcome of a form.
        @param news: the outcome of a form about messages.
        @param error: the reason why no message was sent.
        @param removal: the reason why no message was removed.
        """
        name = room_name(asked.call.names["room"])
        room = await self._chat.overview.room(asked.actor, name)
        log = await self._log_of(asked.actor, name, view)
        return self._templates.page(
            "admin/room.html",
            error=error or removal,
            unsent=error,
            unremoved=removal,
            host=asked.call.asked.host,
            room=room,
            now=self._time.wall(),
            blank=Line(0, 0),
            notes=NOTES,
            view=view,
            notice=notice,
            news=news,
            draft=draft,
            longest=self._chat.max_message,
            longest_search=LONGEST_TEXT,
            self_signed=self._server.shown.self_signed and not asked.call.proxied,
            whose=self._whose(name, view, log["lines"]),
            authors=authors(log["lines"]),
            **self._acts(asked, name),
            **asked.frame,
            **log,
        )

    def _acts(self, asked: OperatorCall, name: str) -> dict[str, Any]:
        """Return the templates' values for the acts that the operator may do here."""
        can, settings = self._chat.can(asked.actor, name), self._chat.settings.of(name)
        return {
            "can": can,
            "settings": settings,
            "panic": buttons(can, settings),
            "durations": DURATIONS,
            "everywhere": may_everywhere(self._chat, asked.actor),
            "longest_reason": LONGEST_REASON,
        }

    def _whose(self, room: str, view: RoomView, found: list[Line]) -> Person | None:
        """Find the person whose messages are shown; None for those of all."""
        if not view.user:
            return None
        known_as, guest = of_subject(view.user)
        said = next((each.user for each in reversed(found) if each.user), None)
        user = said or self._chat.presence.users(room).get(view.user)
        return person(self._chat, room, user or User(known_as, known_as, verified=not guest))

    async def _log_of(self, actor: Actor, name: str, view: RoomView) -> dict[str, Any]:
        """Return the template's values for a part of a room's history."""
        entries: list[Entry] = []
        older = newer = unread = None
        newest = 0
        try:
            if view.selects:
                wanted = Wanted(view.user or None, folded(view.q) if view.q else None)
                whole = await self._chat.history(actor, name, Window(1))
                searches = self._chat.searches
                found: History = await searches.search(whole, view.part, wanted)
                entries = [entry async for page in found.pages() for entry in page]
            else:
                found = await self._chat.history(actor, name, view.part)
                entries = [entry async for page in found.entries() for entry in page]
            newest, older, newer = found.position.seq, found.older, found.newer
        except ChatError as reason:
            # The page is shown nevertheless, for its form with the typed text.
            unread = reason
        return {
            "lines": lines(entries),
            "live": view.live and unread is None,
            "newest": newest,
            "older": older,
            "newer": newer,
            "unread": unread,
        }

    async def _room_parts(
        self, asked: OperatorCall, stream: EventStream, name: str, seen: int
    ) -> AsyncGenerator[bytes, None]:
        """
        Send missed entries first, then new ones.  No entry comes twice; the numbers show a gap.

        @param seen: the number of the newest entry on the page.
        """
        parts = Parts(self._templates, ("room_tiles", "panic"))
        tail, actor = Tail(stream), asked.actor
        # The forms of the page go back to the page, and not to the stream.
        frame = asked.frame | {"here": paths.of_room(name)}
        try:
            await self._chat.watch(actor, name, tail)
            found = await self._chat.history(actor, name, Window(_MESSAGES))
            tail.follow(found.position.epoch)
            missed = found.first > seen + 1 and found.position.event > seen
            if seen > found.position.seq or missed:
                # The page shows another numbering, of before the database was replaced, or may
                # show retracted messages.
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
                shown = {"room": room, "now": self._time.wall(), **self._acts(asked, name), **frame}
                pieces.append(parts.changed(shown))
                yield b"".join(pieces)
                await stream.sleep(PAUSE)
                await stream.rest(REFRESH - PAUSE)
                waiting = tail.drain()
        except ChatError:
            # The backend is away.  The stream ends here, and the browser comes back.
            return
        finally:
            self._chat.unwatch(name, tail)


def _typed(asked: OperatorCall) -> str:
    """Return the form's message, with CR LF of HTTP forms replaced by LF."""
    return asked.form.get("message", "").replace("\r\n", "\n")
