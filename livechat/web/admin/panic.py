"""The panic row: what calms a room at once, one click on and one click off."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from livechat.errors import ChatError, Kind
from livechat.http.response import Response
from livechat.protocol.actions import ChangeRoom
from livechat.protocol.names import room_name
from livechat.protocol.settings import MODERATED, AskedChange, RoomSettings
from livechat.protocol.v1 import Can
from livechat.rooms.actions import act
from livechat.rooms.chat import Chat
from livechat.web.admin.gate import OperatorCall

#: Seconds of the slow mode.
SLOW: Final = 30


class _Switch(Struct, frozen=True):
    """
    @ivar name: the name of the setting.
    @ivar on: its value when the switch is on.
    @ivar off: its value when the switch is off.
    @ivar label: the text on the button.
    @ivar turned_on: the notice after it was turned on.
    """

    name: str
    on: Any
    off: Any
    label: str
    turned_on: str
    turned_off: str


_SWITCHES: Final = (
    _Switch("slow", SLOW, 0, f"Slow mode {SLOW} s",
            f"Slow mode is on: everybody can say something every {SLOW} seconds.",
            "Slow mode is off."),
    _Switch("members", True, False, "Members only",
            "Only members may enter now: those whose token or key names the room.",
            "Not only members may enter now."),
    _Switch("hold", "all", "none", "Hold everything",
            "Every message waits for a review now.", "Messages do not wait for a review now."),
    _Switch("closed", True, False, "Close",
            "The room is closed: only those that moderate may enter.", "The room is open."),
)  # fmt: skip


class Button(Struct, frozen=True):
    """
    A button of the row.

    @ivar value: of the form's field, that turns it.
    """

    label: str
    on: bool
    value: str


def buttons(can: Can, settings: RoomSettings) -> list[Button]:
    """The buttons for somebody with these rights; none for those that do not moderate."""
    return [
        Button(each.label, on, f"{each.name} {'off' if on else 'on'}")
        for each in _SWITCHES
        if "manage" in can or ("moderate" in can and each.name in MODERATED)
        for on in [_is_on(each, settings)]
    ]


def _is_on(switch: _Switch, settings: RoomSettings) -> bool:
    value = getattr(settings, switch.name)
    return bool(value >= switch.on) if switch.name == "slow" else bool(value == switch.on)


class PanicForm:
    """Turns a switch of a room."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    async def turn(self, asked: OperatorCall) -> Response:
        """Turn the switch that the form names on or off: never the other way."""
        room = room_name(asked.call.names["room"])
        name, _, state = asked.form.get("turn", "").partition(" ")
        switch = next((each for each in _SWITCHES if each.name == name), None)
        if switch is None or state not in ("on", "off"):
            raise ChatError(Kind.BAD_FORM, "The form names no switch.")
        value = switch.on
        if state == "off":
            # None removes the room's own value; an inherited one that is on must be overridden.
            inherited = self._chat.settings.inherited(room)
            value = switch.off if _is_on(switch, inherited) else None
        change = ChangeRoom(AskedChange(**{name: value}))
        try:
            await act(self._chat, asked.actor, room, change)
        except ChatError as error:
            return asked.see(asked.back, error.detail, failed=True)
        return asked.see(asked.back, switch.turned_on if state == "on" else switch.turned_off)
