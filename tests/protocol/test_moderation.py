"""`livechat.protocol.moderation`."""

from __future__ import annotations

import msgspec

from livechat.protocol.audit import Author
from livechat.protocol.messages import User
from livechat.protocol.moderation import Case, Notice, Restriction

ANN = User("42", "Ann", verified=True)


def test_stored_records_are_read_back() -> None:
    """Shared records are read back as written, without fields that are not set."""
    restriction = Restriction("mute", "moderate", ANN, Author("operator"), 7, 607, "spam")
    written = msgspec.json.encode(restriction)
    assert msgspec.json.decode(written, type=Restriction) == restriction
    assert b"address" not in written
    case = Case("held", "open", "r", 7, ANN, "hi", "u:42", '{"a":1}', nonce="n")
    assert msgspec.json.decode(msgspec.json.encode(case), type=Case) == case


def test_a_notice_names_no_moderator() -> None:
    """A person is told what, until when and why, and not by whom."""
    assert msgspec.json.encode(Notice("ban", 7, "x")) == b'{"kind":"ban","until":7,"reason":"x"}'
    assert Notice.__struct_fields__ == ("kind", "until", "reason")
