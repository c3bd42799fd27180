"""`livechat.protocol.audit`."""

from __future__ import annotations

import pytest

from livechat.protocol.audit import Action, AuditRecord, Author, record_of_text, record_to_text
from livechat.protocol.messages import User

BY = Author("operator", User("!operator", "Operator", "operator"))


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "null", "1", "[]", "{}", '{"action":{"type":"x"}}', '{"action":"x","by":{}}',
        '{"action":{},"by":{"kind":"operator"}}', '{"action":{"type":"x"},"by":{"kind":7}}',
        '{"action":{"type":"x"},"by":{"kind":"operator"},"text":7}', "[" * 100_000, '{"a":' * 99,
        '{"action":{"type":"x","user":"Ann"},"by":{"kind":"operator"}}',
    ],
)  # fmt: skip
def test_texts_that_are_no_records_are_refused(text: str) -> None:
    """Any other text is refused by the same error."""
    with pytest.raises(ValueError, match=r"."):
        record_of_text(text)


@pytest.mark.parametrize(
    "record",
    [
        AuditRecord(Action("sign_in"), BY),
        AuditRecord(Action("message", seq=7), BY, "lobby"),
        AuditRecord(Action("retract", ref=7, user=User("x", "Ann")), BY, "lobby", "é\n<b>\0\u2028"),
        AuditRecord(Action("retract", ref=7), Author("user"), "lobby", ""),
    ],
)
def test_a_record_is_read_back(record: AuditRecord) -> None:
    """A record is read back as it was written."""
    assert record_of_text(record_to_text(record)) == record


def test_a_record_has_the_documented_fields() -> None:
    """The record's fields have the names that other programs look for."""
    record = AuditRecord(Action("retract", ref=7), BY, "lobby", "x")
    assert record_to_text(record) == (
        '{"action":{"type":"retract","ref":7},"by":{"kind":"operator","user":'
        '{"id":"!operator","name":"Operator","role":"operator"}},"room":"lobby","text":"x"}'
    )


def test_records_of_other_versions_are_read() -> None:
    """Types and keys that are not known cost nothing of the rest."""
    text = '{"action":{"type":"exile","years":600},"by":{"kind":"user","x":1},"room":"r","y":2}'
    assert record_of_text(text) == AuditRecord(Action("exile"), Author("user"), "r")
