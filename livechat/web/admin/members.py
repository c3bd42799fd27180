"""The pages of the people of a room: its members, and restrictions in force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from livechat.errors import ChatError, Kind
from livechat.http.response import Response
from livechat.identity.rights import EVERYWHERE
from livechat.protocol.looks import skeleton
from livechat.protocol.messages import User
from livechat.protocol.moderation import LONGEST_REASON, Restriction
from livechat.protocol.names import room_name
from livechat.rooms.attendance import attendance
from livechat.rooms.chat import Chat
from livechat.web.admin.gate import OperatorCall
from livechat.web.admin.listing import Lines
from livechat.web.admin.people import DURATIONS, may_everywhere, person
from livechat.web.html import Templates

#: Characters of a search.
LONGEST_SEARCH: Final = 64


class PeoplePages:
    """The pages."""

    def __init__(self, chat: Chat, templates: Templates) -> None:
        self._chat = chat
        self._templates = templates

    async def members(self, asked: OperatorCall) -> Response:
        """The members whose names are known, or those that were searched for."""
        room = room_name(asked.call.names["room"])
        self._chat.require(asked.actor, room, "moderate")
        wanted = _wanted(asked)
        there = await attendance(self._chat, asked.actor, room)
        fits = _fitting(wanted)
        found = sorted(
            (each for each in there.members.values() if fits(each)),
            key=lambda user: (user.name.casefold(), user.subject),
        )
        lines = Lines(found, asked.call.query, "member")
        return self._page(
            asked,
            "admin/members.html",
            room,
            there=there,
            wanted=wanted,
            lines=lines,
            people=[person(self._chat, room, each) for each in lines.shown],
            durations=DURATIONS,
            longest_reason=LONGEST_REASON,
        )

    async def restrictions(self, asked: OperatorCall) -> Response:
        """List the restrictions in the room, or those of a searched person, newest first."""
        room = room_name(asked.call.names["room"])
        wanted = _wanted(asked)
        fits = _fitting(wanted)
        found = self._chat.moderation.listed(asked.actor, room)
        lines = Lines(
            [pair for pair in reversed(found) if fits(pair[1].user)], asked.call.query, "member"
        )
        return self._page(
            asked, "admin/restrictions.html", room, wanted=wanted, lines=lines, may=self._may(asked)
        )

    def _may(self, asked: OperatorCall) -> Callable[[str, Restriction], bool]:
        """Tell which restrictions the operator may end."""
        everywhere = may_everywhere(self._chat, asked.actor)

        def may(where: str, restriction: Restriction) -> bool:
            if where == EVERYWHERE:
                return everywhere
            by = "manage" if restriction.by == "manage" else "moderate"
            can = self._chat.can(asked.actor, where)
            return by in can or "manage" in can

        return may

    def _page(self, asked: OperatorCall, template: str, room: str, /, **values: Any) -> Response:
        return self._templates.page(
            template,
            room=room,
            can=self._chat.can(asked.actor, room),
            everywhere=may_everywhere(self._chat, asked.actor),
            longest_search=LONGEST_SEARCH,
            **asked.frame,
            **values,
        )


def _wanted(asked: OperatorCall) -> str:
    """
    @raise ChatError: the search is too long.
    """
    wanted = asked.call.query.get("member", "").strip()
    if len(wanted) > LONGEST_SEARCH:
        raise ChatError(Kind.BAD_QUERY, f"A search has at most {LONGEST_SEARCH} characters.")
    return wanted


def _fitting(wanted: str) -> Callable[[User], bool]:
    """Match users by a part of the name, in any case, or by the beginning of the id."""
    look = skeleton(wanted)
    known_as = wanted.removeprefix("·")
    return lambda user: (
        not wanted or user.id.startswith(known_as) or (bool(look) and look in skeleton(user.name))
    )
