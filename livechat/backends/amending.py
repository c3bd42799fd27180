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
        raise missing()
    if found.user is None or found.user.subject != edit.author:
        raise foreign()
    if found.time < edit.since:
        raise too_late()
    if edits >= MOST_EDITS:
        raise too_many_edits()
    return found


def check_retraction(retraction: Retraction, found: Sequence[Message]) -> By:
    """
    Return in which role the messages *found* are retracted.

    @param found: the messages with those numbers, without those that are no more.
    @raise ChatError: there is none, or one is another's.  Then none is retracted.
    """
    if not found:
        raise missing()
    own = all(each.user is not None and each.user.subject == retraction.author for each in found)
    if not own and not retraction.moderates:
        raise foreign()
    return "author" if own else "moderator"


def missing() -> ChatError:
    """The refusal where there is no message to be changed."""
    return ChatError(Kind.NOT_FOUND, "There is no such message, or not any more.")


def foreign() -> ChatError:
    """The refusal of a change of another's message."""
    return ChatError(Kind.FORBIDDEN, "This is not your message.")


def too_late() -> ChatError:
    """The refusal of an edit of an old message."""
    return ChatError(Kind.TOO_LATE, "This message is too old to be edited.")


def too_many_edits() -> ChatError:
    """The refusal of one edit more."""
    return ChatError(
        Kind.TOO_MANY_EDITS,
        f"A message can be edited {MOST_EDITS} times, and this one was edited as often.",
    )
