"""The rules of edits and retractions, for backends: which messages one may change."""

from __future__ import annotations

from collections.abc import Sequence

from livechat.errors import ChatError, Kind
from livechat.protocol.messages import MOST_EDITS, By, Edit, Message, Retraction


def check_edit(edit: Edit, found: Message | None, edits: int) -> Message:
    """
    Return the message that *edit* is to change.

    @param found: the message with that number; None if there is none, or no more.
    @param edits: how often it was edited.
    @raise ChatError: it cannot be edited so.
    """
    if found is None:
        raise _missing()
    if found.user is None or found.user.subject != edit.author:
        raise _foreign()
    if found.time < edit.since:
        raise ChatError(Kind.TOO_LATE, "This message is too old to be edited.")
    if edits >= MOST_EDITS:
        raise ChatError(
            Kind.TOO_MANY_EDITS, f"A message can be edited {MOST_EDITS} times; this one was."
        )
    return found


def check_retraction(retraction: Retraction, found: Sequence[Message]) -> By:
    """
    Return by whom the messages *found* are retracted.

    @param found: the messages with those numbers, without those that are no more.
    @raise ChatError: there is none, or one is another's.  Then none is retracted.
    """
    if not found:
        raise _missing()
    own = all(each.user is not None and each.user.subject == retraction.author for each in found)
    if not own and not retraction.moderates:
        raise _foreign()
    return "author" if own else "moderator"


def _missing() -> ChatError:
    return ChatError(Kind.NOT_FOUND, "There is no such message, or not any more.")


def _foreign() -> ChatError:
    return ChatError(Kind.FORBIDDEN, "This is not your message.")
