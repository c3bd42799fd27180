"""The page of cases: messages that wait for a review and reports, the oldest first, and live."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final, get_args

import msgspec

from livechat.errors import ChatError, Kind
from livechat.http.response import Response
from livechat.protocol.actions import Retract, Review
from livechat.protocol.moderation import LONGEST_REASON, Verdict
from livechat.protocol.names import room_name
from livechat.rooms.actions import act
from livechat.rooms.chat import Chat
from livechat.system.time import Time
from livechat.web.admin.events import EventStream
from livechat.web.admin.gate import OperatorCall
from livechat.web.admin.listing import Lines
from livechat.web.admin.parts import REFRESH, Parts
from livechat.web.admin.people import MUTE, PersonForms
from livechat.web.html import Templates
from livechat.web.queries import number

_DONE: Final[Mapping[str, str]] = {
    "approve": "The message of {} was approved, and is said.",
    "reject": "The message of {} was rejected.",
    "close": "The report was closed; the message stays.",
}
#: Restrictions that a button makes, with their seconds; empty for one without end.
_RESTRICTIONS: Final = {"mute": str(MUTE), "ban": ""}


class CasePages:
    """The page, its stream and its forms."""

    def __init__(self, chat: Chat, persons: PersonForms, templates: Templates, time: Time) -> None:
        self._chat = chat
        self._persons = persons
        self._templates = templates
        self._time = time

    async def page(self, asked: OperatorCall) -> Response:
        """The open cases of the rooms that the operator moderates, or of one of them."""
        return self._templates.page("admin/cases.html", **self._values(asked), **asked.frame)

    async def events(self, asked: OperatorCall, stream: EventStream) -> AsyncGenerator[bytes, None]:
        """Stream the list of cases whenever it has changed."""
        self._values(asked)
        return self._parts(asked, stream)

    async def _parts(self, asked: OperatorCall, stream: EventStream) -> AsyncGenerator[bytes, None]:
        parts, changes = Parts(self._templates, ("case_list",)), -1
        # The forms of the page go back to the page, and not to the stream.
        frame = asked.frame | {"here": f"/admin/cases/{_room_query(asked)}"}
        while not stream.ended:
            if changes == self._chat.cases.changes:
                yield b":\n\n"
            else:
                changes = self._chat.cases.changes
                yield parts.changed(self._values(asked) | frame)
            await stream.sleep(REFRESH)

    def _values(self, asked: OperatorCall) -> dict[str, Any]:
        """
        @raise ChatError: the operator moderates nothing, or not this room.
        """
        room = asked.call.query.get("room", "").strip()
        if room:
            found = self._chat.cases.listed(asked.actor, room_name(room))
        elif not asked.moderates_somewhere:
            raise ChatError(Kind.FORBIDDEN, "This needs the right 'moderate' in some room.")
        else:
            found = self._chat.cases.moderated(asked.actor)
        return {
            "lines": Lines(found, asked.call.query, "room"),
            "room": room,
            "longest_reason": LONGEST_REASON,
            "now": self._time.wall(),
        }

    async def decide(self, asked: OperatorCall) -> Response:
        """Decide a case, remove its message, or restrict the author; then go back."""
        form = asked.form
        room, done = room_name(form.get("room", "")), form.get("do", "")
        if done in _RESTRICTIONS:
            restriction = {**form, "kind": done, "seconds": _RESTRICTIONS[done]}
            return await self._persons.act(asked, room, restriction)
        try:
            if done == "remove":
                ref = number(form, "ref") or 0
                self._chat.require(asked.actor, room, "moderate")
                await act(self._chat, asked.actor, room, Retract(ref=ref))
                return asked.see(asked.back, f"Message {ref} was removed.")
            await act(self._chat, asked.actor, room, _review(form, done))
        except ChatError as error:
            return asked.see(asked.back, error.detail, failed=True)
        return asked.see(asked.back, _DONE[done].format(form.get("name") or "somebody"))


def _review(form: Mapping[str, str], done: str) -> Review:
    """
    @raise ChatError: the form makes no sense.
    """
    if done not in get_args(Verdict):
        raise ChatError(Kind.BAD_FORM, "The form does not say what is to be done.")
    given = {"case": form.get("case", ""), "verdict": done, "reason": form.get("reason", "")}
    try:
        return msgspec.convert({"type": "review", **given}, Review)
    except msgspec.ValidationError as reason:
        raise ChatError(Kind.BAD_FORM, f"This cannot be done: {reason}.") from None


def _room_query(asked: OperatorCall) -> str:
    room = asked.call.query.get("room", "").strip()
    return f"?room={room_name(room)}" if room else ""
