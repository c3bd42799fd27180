"""`livechat.backends.records`."""

from __future__ import annotations

import pytest
from msgspec import Raw

from livechat.backends.records import (
    Extra,
    Record,
    RecordKind,
    extra_of_text,
    extra_to_text,
    to_entry,
    to_record,
)
from livechat.protocol.messages import Edited, Entry, Gone, Message, Retracted, User

ANN = User("1", "Ann")
DATA = Raw(b'{"a":[1.0,"\\u0000"],"data":{}}')
ENTRIES = [
    Message("a", 1, 5, ANN),
    Message("", 1, 5),
    Message("a\0", 2, 5, ANN, reply_to=1),
    Message("a", 2, 5, None, reply_to=1, data=DATA),
    Message("a", 2, 5, None, data=Raw(b"{}")),
    Retracted(3, 5, (1, 2), "moderator"),
    Retracted(3, 5, (1,), "author"),
    Edited(4, 5, 1, "b"),
    Edited(4, 5, 1, "\u2028", DATA),
    Gone(5, 5),
]


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_is_read_back_from_its_record(entry: Entry) -> None:
    """An entry is read back as it was."""
    user = entry.user if isinstance(entry, Message) else None
    assert to_entry(to_record(entry), entry.seq, entry.time, user) == entry


def test_a_plain_text_takes_no_more_than_itself() -> None:
    """A plain text takes no more than its text."""
    assert to_record(Message("a", 1, 5, ANN)) == (RecordKind.MESSAGE, "a", None)
    assert to_entry(Record(0, "a", ""), 1, 5, None) == Message("a", 1, 5)
    assert to_record(Gone(1, 5)) == (RecordKind.GONE, "", None)


def test_the_number_of_edits_is_kept_and_hidden() -> None:
    """The number of edits is kept, and not shown."""
    extra = Extra(reply_to=1, edited=9, edits=3, event=7)
    text = extra_to_text(extra)
    assert extra_of_text(text) == extra
    assert to_entry(Record(0, "b", text), 2, 5, ANN) == Message("b", 2, 5, ANN, 1, None, 9)


@pytest.mark.parametrize(
    "record",
    [Record(4, "a"), Record(-1, "a"), Record(0, "a", "{"), Record(1, "", '{"by":"me"}')],
)
def test_bad_records_are_refused(record: Record) -> None:
    with pytest.raises(ValueError, match=r"."):
        to_entry(record, 1, 5, None)
