"""
Traces for operators: the frames of a room or a person, as server-sent events.

A trace ends after `LONGEST` seconds at most, and is in the audit before its first line.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from livechat.errors import ChatError, Kind
from livechat.http.call import Call
from livechat.http.endpoint import Endpoint
from livechat.http.response import Response
from livechat.identity.door import Door
from livechat.identity.rights import EVERYWHERE
from livechat.protocol.actions import LONGEST_USER_ID
from livechat.protocol.audit import Action
from livechat.protocol.names import room_name
from livechat.protocol.tracing import Aim, Line
from livechat.protocol.wire import encode
from livechat.rooms.chat import Chat
from livechat.rooms.tracing import Trace, Tracing
from livechat.system.time import Time
from livechat.web.admin.events import EventStream, event
from livechat.web.operations import (
    MANAGING,
    NUMBER,
    ROOM,
    TEXT,
    Document,
    answer,
    operation,
    parameter,
)
from livechat.web.queries import claim, number

#: Seconds of a trace, by default and at most.
LONGEST: Final = 300
#: Seconds between two deliveries, so that many lines come in one piece.
PAUSE: Final = 0.1
#: Seconds between two comments on a silent stream.
COMMENT_EVERY: Final = 10.0


class Traces:
    """The endpoint."""

    def __init__(self, chat: Chat, door: Door, tracing: Tracing, time: Time) -> None:
        self._chat = chat
        self._door = door
        self._tracing = tracing
        self._time = time

    def endpoints(self) -> dict[str, Endpoint]:
        """The rows of the tree."""
        return {"/chat/trace/": Endpoint({"GET": self.trace}, None, _described())}

    async def trace(self, call: Call) -> Response:
        """Trace a room, a person, or a person in a room."""
        actor = await self._door.caller(call.source, claim(call, {}, call.bearer))
        self._chat.admit(actor)
        self._chat.require(actor, EVERYWHERE, "manage")
        aim, seconds = _aim(call), _seconds(call)
        self._chat.audit.check()
        stream = EventStream(self._time, seconds)
        trace = self._tracing.begin(aim, seconds, stream.news)
        try:
            action = Action("trace", seconds=seconds, person=aim.person, texts=aim.texts)
            await self._chat.audit.record(actor, action, aim.room)
        except BaseException:
            self._tracing.end(trace)
            raise
        return stream.answer(self._lines(trace, stream, seconds))

    async def _lines(
        self, trace: Trace, stream: EventStream, seconds: int
    ) -> AsyncGenerator[bytes, None]:
        try:
            yield event("begin", f'{{"seconds":{seconds}}}')
            while not stream.ended:
                yield self._drained(trace) or b":\n\n"
                await stream.sleep(PAUSE)
                await stream.rest(COMMENT_EVERY)
            yield self._drained(trace) + event("end", "{}")
        finally:
            self._tracing.end(trace)

    def _drained(self, trace: Trace) -> bytes:
        lines, lost = trace.drain()
        if lost:
            lines.append(Line("lost", int(1000 * self._time.wall()), count=lost))
        return b"".join([event("frame", encode(each).decode()) for each in lines])


def _aim(call: Call) -> Aim:
    """
    @raise ChatError: the query names no room and no person, or a bad one.
    """
    asked = call.query
    room, person = asked.get("room"), asked.get("person")
    if room is None and person is None:
        raise ChatError(Kind.BAD_QUERY, "Name a 'room', or a 'person', or both.")
    if person is not None and not 0 < len(person) <= LONGEST_USER_ID + len("u:"):
        raise ChatError(Kind.BAD_QUERY, "A 'person' is an id, such as 42, or u:42.")
    return Aim(None if room is None else room_name(room), person, asked.get("texts") == "1")


def _seconds(call: Call) -> int:
    """
    @raise ChatError: the seconds are no number, or out of bounds.
    """
    found = number(call.query, "seconds")
    if found is None:
        return LONGEST
    if not 0 < found <= LONGEST:
        raise ChatError(Kind.BAD_QUERY, f"'seconds' is 1 to {LONGEST}.")
    return found


def _described() -> Document:
    return operation(
        "trace",
        "The frames of a room or a person, at all processes, as server-sent events: `begin`, "
        "`frame` with a line, `end`. For those that `manage` everything; it is in the audit.",
        answer("Lines, until the time is over.", TEXT, "text/event-stream"),
        (*MANAGING, Kind.BAD_ROOM, Kind.RATE_LIMITED, Kind.UNKNOWN),
        [
            parameter("query", "room", ROOM, "All in this room."),
            parameter("query", "person", TEXT, "All of this user: an id, or a subject (`u:42`)."),
            parameter("query", "texts", {"enum": ["0", "1"]}, "`1`: with the frames themselves."),
            parameter(
                "query",
                "seconds",
                NUMBER | {"minimum": 1, "maximum": LONGEST, "default": LONGEST},
                "How long it goes on.",
            ),
        ],
    )
