"""
Entries as stores keep them: a kind, a text, and the rest as JSON.

    MESSAGE     its text; reply_to, data, edited, edits, event
    RETRACTED   refs, by
    EDITED      the new text; ref, data
    GONE        nothing: the entry was retracted, or is not the latest edit any more
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw, Struct

from livechat.protocol.messages import By, Edited, Entry, Event, Gone, Message, Retracted, User
from livechat.protocol.wire import NO_DATA


class RecordKind(IntEnum):
    """Kinds of records; the numbers are stored."""

    MESSAGE = 0
    RETRACTED = 1
    EDITED = 2
    GONE = 3


class Extra(Struct, frozen=True, omit_defaults=True):
    """
    The rest of a record.

    @ivar edits: how often a message was edited.
    @ivar event: the number of the event that told of its last edit.
    """

    reply_to: int | None = None
    # msgspec cannot read `Raw` or None.
    data: Raw = NO_DATA
    edited: int | None = None
    edits: int = 0
    event: int = 0
    ref: int = 0
    refs: tuple[int, ...] = ()
    by: By = "author"

    @property
    def given(self) -> Raw | None:
        """The data, if there are any."""
        # A copy, as a `Raw` keeps all of the text that it was read from.
        return self.data.copy() if bytes(self.data) else None


class Record(NamedTuple):
    """
    An entry, but for its number, its time and its author.

    @ivar kind: a `RecordKind`.
    @ivar extra: JSON; None or empty where it says nothing.
    """

    kind: int
    text: str
    extra: str | bytes | None = None


_extra: Final = msgspec.json.Decoder(Extra)
_PLAIN: Final = Extra()


def extra_to_text(extra: Extra) -> str | None:
    """Write *extra*; None where it says nothing."""
    text = msgspec.json.encode(extra).decode()
    return None if text == "{}" else text


def extra_of_text(text: str | bytes | None) -> Extra:
    """
    Read *extra* back.

    @raise ValueError: it is none.
    """
    return _extra.decode(text) if text else _PLAIN


def to_record(entry: Entry) -> Record:
    """Write an entry that was not stored yet."""
    match entry:
        case Message():
            if entry.reply_to is None and entry.data is None:
                return Record(RecordKind.MESSAGE, entry.message)
            extra = Extra(reply_to=entry.reply_to, data=entry.data or NO_DATA)
            return Record(RecordKind.MESSAGE, entry.message, extra_to_text(extra))
        case Retracted():
            extra = Extra(refs=entry.refs, by=entry.by)
            return Record(RecordKind.RETRACTED, "", extra_to_text(extra))
        case Edited():
            extra = Extra(ref=entry.ref, data=entry.data or NO_DATA)
            return Record(RecordKind.EDITED, entry.text, extra_to_text(extra))
        case Gone():
            return Record(RecordKind.GONE, "")


def to_entry(record: Record, seq: int, time: int, user: User | None) -> Entry:
    """
    Read an entry back.

    @raise ValueError: the record is none that this livechat knows.
    """
    kind, text, extra = record
    if kind == RecordKind.MESSAGE:
        if not extra:
            return Message(text, seq, time, user)
        rest = extra_of_text(extra)
        return Message(text, seq, time, user, rest.reply_to, rest.given, rest.edited)
    return _to_event(RecordKind(kind), seq, time, text, extra_of_text(extra))


def _to_event(kind: RecordKind, seq: int, time: int, text: str, rest: Extra) -> Event:
    if kind is RecordKind.RETRACTED:
        return Retracted(seq, time, rest.refs, rest.by)
    if kind is RecordKind.EDITED:
        return Edited(seq, time, rest.ref, text, rest.given)
    return Gone(seq, time)
