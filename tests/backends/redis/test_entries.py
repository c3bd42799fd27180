"""`livechat.backends.redis.entries`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from livechat.backends.records import RecordKind, to_record
from livechat.backends.redis.entries import (
    Entry,
    published_entry,
    stored_entry,
    user_to_bytes,
)
from livechat.protocol import messages
from livechat.protocol.messages import Edited, Gone, Message, Retracted, User

USERS = st.none() | st.builds(
    User, st.sampled_from(["1", "a:b"]), st.sampled_from(["Ann", "A b\t"]), st.none(), st.booleans()
)
DATA = st.none() | st.sampled_from([Raw(b"{}"), Raw(b'{"edits":3,"event":9}'), Raw(b'{"/ ":1}')])
NUMBERS = st.integers(1, 2**53)
TEXTS = st.text(max_size=20)
ENTRIES = st.one_of(
    st.builds(Message, TEXTS, NUMBERS, NUMBERS, USERS, st.none() | NUMBERS, DATA),
    st.builds(Retracted, NUMBERS, NUMBERS, st.tuples(NUMBERS), st.just("moderator")),
    st.builds(Edited, NUMBERS, NUMBERS, NUMBERS, TEXTS, DATA),
    st.builds(Gone, NUMBERS, NUMBERS),
)


@given(ENTRIES, st.booleans())
def test_entries_are_read_back_from_fields_records_and_pushes(
    entry: messages.Entry, short: bool
) -> None:
    """Fields, records and pushes are read back as the entry that they are of."""
    kind, text, extra = to_record(entry)
    user = user_to_bytes(entry.user if isinstance(entry, Message) else None)
    rest = str(extra or "").encode()
    fields = [b"t", b"%d" % entry.time, b"i", b"tag", b"m", text.encode()]
    fields += [b"u", user] if user else []
    fields += [b"k", b"%d" % kind] if kind else []
    fields += [b"x", rest] if rest else []
    sizes = b"%d" % len(user)
    if kind or rest or not short:
        sizes += b"/%d/%d" % (kind, len(rest))
    record = b"%d tag %s %s" % (entry.time, sizes, user + rest + text.encode())
    found = stored_entry(b"%d-0" % entry.seq, fields, b"word")
    assert found.entry() == entry
    assert (found.tag, found.word) == (b"tag", b"word")
    assert stored_entry(b"%d-0" % entry.seq, record, b"word") == found
    push = b"generation word %d %s" % (entry.seq, record)
    assert published_entry(push) == (b"generation", found)


@pytest.mark.parametrize(
    "payload",
    [b"", b"g w 1 2 tag", b"g w 1 2 tag x text", b"g w 1 2 tag 0/9/0 text", b"g w 1 2 t 0/1/1 {"],
)
def test_payloads_of_no_script_are_refused(payload: bytes) -> None:
    """Payloads that no script publishes are refused."""
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        published_entry(payload)


def event(seq: int, of: messages.Entry, word: bytes = b"") -> Entry:
    kind, text, extra = to_record(of)
    return Entry(seq, 2_000, b"tag", text, None, word, kind, str(extra or "").encode())


EDIT = event(9, Edited(9, 2_000, 3, "new", Raw(b"{}")))
RETRACTION = event(9, Retracted(9, 2_000, (3, 5), "author"))


def test_an_event_changes_the_messages_that_it_names() -> None:
    """An event changes messages that it names, and the events of their edits, before it."""
    said = Entry(3, 1_000, b"three", "old", User("1", "Ann"))
    assert said.amended(EDIT).entry() == Message(
        "new", 3, 1_000, User("1", "Ann"), None, Raw(b"{}"), 2_000
    )
    for other in (3, 5):
        gone = said._replace(seq=other).amended(RETRACTION)
        assert gone == Entry(other, 1_000, b"three", "", None, b"", RecordKind.GONE)
    edited = event(7, Edited(7, 1_500, 3, "older"))
    for change in (EDIT, RETRACTION):
        assert edited.amended(change).entry() == Gone(7, 2_000)
        for same in (
            said._replace(seq=4), said._replace(seq=10), said._replace(word=b"other"),
            event(7, Edited(7, 1_500, 4, "x")), event(7, Retracted(7, 1_500, (3,), "author")),
            event(10, Edited(10, 1_500, 3, "newest")), event(8, Gone(8, 1)),
        ):  # fmt: skip
            assert same.amended(change) is same
    assert said.amended(event(9, Gone(9, 1))) is said


def test_reply_that_is_edited() -> None:
    """An edited reply stays a reply."""
    rest = str(to_record(Message("a", 3, 1, None, 2, Raw(b'{"a":1}'))).extra).encode()
    found = Entry(3, 1, b"tag", "old", None, b"", 0, rest).amended(EDIT).entry()
    assert found == Message("new", 3, 1, None, 2, Raw(b"{}"), 2_000)
