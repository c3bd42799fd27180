"""The page of people who are forgotten: a form that asks twice, and how far each job is."""

from __future__ import annotations

from typing import Final

import msgspec

from livechat.errors import ChatError, Kind
from livechat.http.response import Response
from livechat.identity.rights import EVERYWHERE
from livechat.protocol.actions import LONGEST_USER_ID, Forget
from livechat.rooms.actions import act
from livechat.rooms.chat import Chat
from livechat.web.admin.gate import OperatorCall
from livechat.web.admin.listing import Lines
from livechat.web.html import Templates

_PAGE: Final = "/admin/forget/"


class ForgettingPages:
    """The page, and its form."""

    def __init__(self, chat: Chat, templates: Templates) -> None:
        self._chat = chat
        self._templates = templates

    async def page(self, asked: OperatorCall) -> Response:
        """The people who are being forgotten, and those who were lately."""
        return self._page(asked)

    async def forget(self, asked: OperatorCall) -> Response:
        """Have a person forgotten, whose id was typed twice, and go back."""
        known_as = asked.form.get("user", "").strip()
        if asked.form.get("again", "").strip() != known_as:
            raise ChatError(Kind.BAD_FORM, "Type the same id twice: nobody can undo this.")
        try:
            action = msgspec.convert(
                {"type": "forget", "user": known_as, "guest": "guest" in asked.form}, Forget
            )
        except msgspec.ValidationError as reason:
            raise ChatError(Kind.BAD_FORM, f"This cannot be done: {reason}.") from None
        await act(self._chat, asked.actor, EVERYWHERE, action)
        return asked.see(_PAGE, f"{known_as} is being forgotten.")

    async def not_begun(self, asked: OperatorCall, error: ChatError) -> Response:
        """The page with the typed fields, and the reason why nobody is forgotten."""
        return self._page(asked, error=error)

    def _page(self, asked: OperatorCall, *, error: ChatError | None = None) -> Response:
        jobs = self._chat.forgetting.listed(asked.actor)
        return self._templates.page(
            "admin/forgetting.html",
            error=error,
            typed=asked.form if error is not None else asked.call.query,
            lines=Lines([job for _, job in jobs], asked.call.query),
            longest=LONGEST_USER_ID,
            **asked.frame,
        )
