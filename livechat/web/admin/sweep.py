"""
Bulk acts on all that a search has found: remove it, ban its authors.

A raid comes from many names with much the same text.  One search shows them together.
"""

from __future__ import annotations

import re
from typing import Final

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat.errors import ChatError, Kind, internal
from livechat.http.response import Response
from livechat.protocol.actions import Restrict, Retract
from livechat.protocol.counts import counted
from livechat.protocol.messages import MOST_REFS
from livechat.protocol.names import room_name
from livechat.protocol.v1 import Ack
from livechat.rooms.actions import act
from livechat.rooms.chat import Chat
from livechat.web.admin.gate import OperatorCall
from livechat.web.admin.lines import Line
from livechat.web.admin.people import is_person, restriction_of

#: People that one form bans at most: those of a page.
MOST_AT_ONCE: Final = 50
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,14}", re.ASCII)

_log = Logger()


class SweepForms:
    """The forms of a page of search results."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    async def ban(self, asked: OperatorCall) -> Response:
        """Ban the authors that the form names, and go back; a notice counts refused bans."""
        room = room_name(asked.call.names["room"])
        people = asked.form.get("users", "").split()
        if not 0 < len(people) <= MOST_AT_ONCE:
            raise ChatError(Kind.BAD_FORM, f"The form names 1 to {MOST_AT_ONCE} people.")
        actions = [restriction_of({**asked.form, "user": each, "kind": "ban"}) for each in people]
        done = await DeferredList([self._begun(asked, room, each) for each in actions])
        acks = [result for _, result in done if isinstance(result, Ack)]
        text = f"{counted(len(acks), 'person is', 'people are')} banned."
        if any(each.count is not None for each in acks):
            text += f" Messages removed: {sum(each.count or 0 for each in acks)}."
        failed = [result for _, result in done if isinstance(result, ChatError)]
        if failed:
            text += f" {counted(len(failed), 'is', 'are')} not: {failed[0].detail}"
        return asked.see(asked.back, text, failed=bool(failed))

    def _begun(self, asked: OperatorCall, room: str, action: Restrict) -> Deferred[Ack | ChatError]:
        """Begin a ban; the result fires with its outcome."""
        try:
            done = act(self._chat, asked.actor, room, action)
        except ChatError as error:
            return succeed(error)
        return done.addErrback(_refused)

    async def remove(self, asked: OperatorCall) -> Response:
        """Remove the messages that the form names, and go back."""
        room = room_name(asked.call.names["room"])
        refs = asked.form.get("refs", "").split()
        if not (0 < len(refs) <= MOST_REFS and all(map(_NUMBER.fullmatch, refs))):
            raise ChatError(Kind.BAD_FORM, f"The form names 1 to {MOST_REFS} messages.")
        self._chat.require(asked.actor, room, "moderate")
        try:
            ack = await act(self._chat, asked.actor, room, Retract(refs=tuple(map(int, refs))))
        except ChatError as error:
            return asked.see(asked.back, error.detail, failed=True)
        count = counted(ack.count or 0, "message was", "messages were")
        return asked.see(asked.back, f"{count} removed.")


def authors(lines: list[Line]) -> list[str]:
    """The subjects of those whose messages are shown and who can be banned, each once."""
    users = (each.user for each in lines)
    return list(dict.fromkeys(each.subject for each in users if each and is_person(each)))


def _refused(failure: Failure) -> ChatError:
    if isinstance(failure.value, ChatError):
        return failure.value
    _log.failure("A ban met a bug.", failure)
    return internal()
