"""The pages of settings: those of a room, and those of all rooms or of a beginning of rooms."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from livechat.errors import ChatError
from livechat.http.response import Response, see
from livechat.identity.actor import Actor
from livechat.identity.rights import EVERYWHERE
from livechat.protocol.actions import ChangeRoom
from livechat.protocol.names import LONGEST_ROOM_NAME, room_name, room_pattern
from livechat.protocol.settings import ALL_SETTINGS, MODERATED, AskedChange
from livechat.rooms.actions import act
from livechat.rooms.chat import Chat
from livechat.web.admin import paths
from livechat.web.admin.gate import OperatorCall
from livechat.web.admin.listing import Lines
from livechat.web.admin.settings_form import FIELDS, Refused, before, change_of, shown
from livechat.web.html import Templates

_LABELS: Final = {field.name: field.label for field in FIELDS}


class SettingsPages:
    """The pages, and their form."""

    def __init__(self, chat: Chat, templates: Templates) -> None:
        self._chat = chat
        self._templates = templates

    async def page(self, asked: OperatorCall) -> Response:
        """The settings of a room, or of a pattern of rooms."""
        return self._page(asked, self._pattern(asked))

    async def save(self, asked: OperatorCall) -> Response:
        """Change what the form has changed."""
        pattern = self._pattern(asked)
        names = self._names(asked.actor, pattern)
        own = self._chat.settings.own(pattern)
        try:
            change = change_of(asked.form, own, names)
            if not change:
                return asked.see(asked.here, "Nothing was changed.")
            action = ChangeRoom(AskedChange(**change))
            await act(self._chat, asked.actor, pattern, action)
        except ChatError as error:
            fields = error.fields if isinstance(error, Refused) else {}
            return self._page(asked, pattern, error, fields)
        changed = ", ".join(_LABELS[name] for name in change)
        return asked.see(asked.here, f"Saved: {changed}.")

    def _pattern(self, asked: OperatorCall) -> str:
        """
        Find the room, or the pattern of rooms, that the path or the query names.

        @raise ChatError: the name is bad, or the rooms are not this operator's.
        """
        if "room" in asked.call.names:
            room = room_name(asked.call.names["room"])
            self._chat.require(asked.actor, room, "join")
            if "manage" not in self._chat.can(asked.actor, room):
                self._chat.require(asked.actor, room, "moderate")
            return room
        self._chat.require(asked.actor, EVERYWHERE, "manage")
        return room_pattern(asked.call.query.get("of", "").strip() or EVERYWHERE)

    def _names(self, actor: Actor, pattern: str) -> Collection[str]:
        """Return the names of settings that *actor* may change."""
        if pattern.endswith("*") or "manage" in self._chat.can(actor, pattern):
            return ALL_SETTINGS
        return [name for name in ALL_SETTINGS if name in MODERATED]

    def _page(
        self,
        asked: OperatorCall,
        pattern: str,
        error: ChatError | None = None,
        errors: Mapping[str, str] | None = None,
    ) -> Response:
        registry = self._chat.settings
        own, names = registry.own(pattern), self._names(asked.actor, pattern)
        typed = None if error is None else asked.form
        values: dict[str, Any] = {
            "fields": shown(own, registry.inherited(pattern), names, typed, errors),
            # A refused form has the present values too: it shows changes by others.
            "before": before(own, names),
            "pattern": pattern,
        }
        if not pattern.endswith("*"):
            can = self._chat.can(asked.actor, pattern)
            return self._templates.page(
                "admin/settings.html", error=error, room=pattern, can=can, **asked.frame, **values
            )
        changed = sorted(registry.changed())
        return self._templates.page(
            "admin/all_settings.html",
            error=error,
            longest_name=LONGEST_ROOM_NAME + 1,
            lines=Lines(changed, asked.call.query, "of"),
            **asked.frame,
            **values,
        )

    async def find(self, asked: OperatorCall) -> Response:
        """The settings page of what was typed: a room, or a pattern."""
        named = asked.call.query.get("named", "").strip()
        if named.endswith("*"):
            return see(f"/admin/settings/{paths.query(of=room_pattern(named))}")
        return see(paths.of_room(room_name(named), "settings"))
