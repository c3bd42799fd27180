"""Acts of an operator about a person: restrict and pardon, from whichever page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from livechat.errors import ChatError, Kind
from livechat.http.response import Response
from livechat.identity.actor import Actor
from livechat.identity.rights import EVERYWHERE
from livechat.protocol.actions import Pardon, Restrict
from livechat.protocol.messages import User
from livechat.protocol.moderation import Restriction
from livechat.protocol.names import room_name
from livechat.protocol.v1 import Ack
from livechat.rooms.actions import act
from livechat.rooms.chat import Chat
from livechat.web.admin.gate import OperatorCall
from livechat.web.html import span

#: Seconds of the mute of a single click.
MUTE: Final = 600
#: Seconds for which a banned person's last messages are removed.
RETRACT: Final = 3_600
#: Durations of restrictions that the form offers.
DURATIONS: Final = (
    ("", "until pardoned"), ("600", "10 minutes"), ("3600", "1 hour"), ("86400", "1 day"),
    ("604800", "7 days"), ("2592000", "30 days"),
)  # fmt: skip
_DONE: Final = {"mute": "muted", "hold": "held: their messages wait for a review", "ban": "banned"}
#: Characters of an id in a tag.
_TAG: Final = 4


class Person(Struct, frozen=True):
    """
    A person, as a page with forms about them shows them.

    @ivar here: their restriction in the room.
    @ivar everywhere: that in all rooms.
    """

    user: User
    here: Restriction | None = None
    everywhere: Restriction | None = None


def person(chat: Chat, room: str, user: User) -> Person:
    """A user, with the rights that were taken away."""
    subject = user.subject
    found = chat.restrictions
    return Person(user, found.get(room, subject), found.get(EVERYWHERE, subject))


def is_person(user: User) -> bool:
    """Return True if a person can be restricted: operators, who share one name, cannot."""
    return "!" not in user.id


def of_subject(text: str) -> tuple[str, bool]:
    """
    The id in a subject (`User.subject`), and whether it is a guest's.

    @raise ChatError: it is no subject.
    """
    kind, _, known_as = text.partition(":")
    if kind not in ("u", "g") or not known_as:
        raise ChatError(Kind.BAD_QUERY, "A user is 'u:' or 'g:', and an id.")
    return known_as, kind == "g"


class PersonForms:
    """The forms."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    async def restrict(self, asked: OperatorCall) -> Response:
        """Mute, hold or ban somebody, and go back."""
        return await self.act(asked, room_name(asked.call.names["room"]), asked.form)

    async def act(self, asked: OperatorCall, room: str, form: Mapping[str, str]) -> Response:
        """
        Do to somebody what *form* says, and go back.

        @raise ChatError: the form makes no sense.
        """
        action = restriction_of(form)
        try:
            ack = await act(self._chat, asked.actor, room, action)
        except ChatError as error:
            return asked.see(asked.back, error.detail, failed=True)
        return asked.see(asked.back, _restricted(form, action, ack))

    async def pardon(self, asked: OperatorCall) -> Response:
        """End a restriction, and go back."""
        room = room_name(asked.call.names["room"])
        known_as, guest = of_subject(asked.form.get("user", ""))
        action = Pardon(known_as, guest, "everywhere" in asked.form)
        try:
            await act(self._chat, asked.actor, room, action)
        except ChatError as error:
            return asked.see(asked.back, error.detail, failed=True)
        return asked.see(asked.back, f"{_name(asked.form)} is pardoned.")


def may_everywhere(chat: Chat, actor: Actor) -> bool:
    """Tell whether *actor* may restrict people in all rooms at once."""
    return "manage" in chat.can(actor, EVERYWHERE)


def restriction_of(form: Mapping[str, str]) -> Restrict:
    """
    The act that a form asks for.

    @raise ChatError: the form makes no sense.
    """
    known_as, guest = of_subject(form.get("user", ""))
    given: dict[str, Any] = {
        "type": "restrict",
        "user": known_as,
        "guest": guest,
        "kind": form.get("kind", ""),
        "reason": form.get("reason", "").strip(),
        "address": "address" in form,
        "everywhere": "everywhere" in form,
    }
    for name in ("seconds", "retract"):
        if form.get(name):
            given[name] = form[name]
    try:
        return msgspec.convert(given, Restrict, strict=False)
    except msgspec.ValidationError as reason:
        raise ChatError(Kind.BAD_FORM, f"This cannot be done: {reason}.") from None


def _restricted(form: Mapping[str, str], action: Restrict, ack: Ack) -> str:
    text = f"{_name(form)} is {_DONE[action.kind]}"
    text += " in all rooms" if action.everywhere else ""
    text += "." if action.seconds is None else f" for {span(action.seconds)}."
    if ack.count is not None:
        text += f" Messages removed: {ack.count}."
    if action.address:
        text += " Their address, too." if ack.address else " No address of theirs is known."
    return text


def _name(form: Mapping[str, str]) -> str:
    known_as, _ = of_subject(form["user"])
    name = form.get("name", "").strip()
    return f"{name} (·{known_as[:_TAG]})" if name and name != known_as else known_as
