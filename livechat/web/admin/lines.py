"""The lines of a room's page: its messages as they are now, and those that are gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from livechat.protocol.messages import Entry, Gone, Message, Retracted, User

#: Text in place of a removed message, by the kind of the actor.
NOTES: Final = {"author": "Taken back by its author", "moderator": "Removed by a moderator"}
#: Text if the page does not have the event: the entry may also have been an earlier edit.
_GONE: Final = "Taken back, or an edit before the last one"


class Line(Struct, frozen=True):
    """
    @ivar text: the message's; empty where it is gone.
    @ivar edited: it is not the first text.
    @ivar note: what stands there instead of the message; empty where it is not gone.
    """

    seq: int
    time: int
    text: str = ""
    user: User | None = None
    edited: bool = False
    note: str = ""


def lines(entries: Sequence[Entry]) -> list[Line]:
    """Make the lines of *entries*; events change others, and have no line of their own."""
    notes: dict[int, str] = {}
    for entry in entries:
        if isinstance(entry, Retracted):
            notes.update(dict.fromkeys(entry.refs, NOTES[entry.by]))
    found: list[Line] = []
    for entry in entries:
        if isinstance(entry, Message):
            edited = entry.edited is not None
            found.append(Line(entry.seq, entry.time, entry.message, entry.user, edited))
        elif isinstance(entry, Gone):
            found.append(Line(entry.seq, entry.time, note=notes.get(entry.seq, _GONE)))
    return found
