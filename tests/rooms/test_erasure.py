"""`livechat.rooms.erasure`."""

from __future__ import annotations

import msgspec
import pytest

from livechat.protocol.audit import Action, AuditRecord, Author, record_of_text, record_to_text
from livechat.protocol.messages import User
from livechat.rooms.erasure import Veil

ANN = User("42", "Ann", verified=True)
VEIL = Veil(ANN.subject, User("forgotten-x", "forgotten", verified=True))


def veiled(record: AuditRecord) -> AuditRecord:
    text = VEIL.over_record(record_to_text(record))
    assert text is not None
    return record_of_text(text)


def test_a_record_loses_the_person_alone() -> None:
    """The person and what they said are gone from a record; the rest of it stays."""
    by = Author("operator", User("!operator", "Operator", "operator"))
    record = AuditRecord(Action("retract", ref=1, user=ANN, reason="x"), by, "r", "hers")
    after = veiled(record)
    assert after.action == Action("retract", ref=1, user=VEIL.pseudonym)
    assert (after.by, after.room, after.text) == (by, "r", None)


def test_acts_of_the_person_keep_texts_of_others() -> None:
    """Texts of others that they removed stay."""
    record = AuditRecord(Action("retract", ref=1), Author("user", ANN), "r", "another's")
    after = veiled(record)
    assert (after.by.user, after.text) == (VEIL.pseudonym, "another's")


def test_a_traced_person_is_veiled() -> None:
    by = Author("operator")
    assert veiled(AuditRecord(Action("trace", person="42"), by)).action.person == "forgotten-x"
    assert veiled(AuditRecord(Action("trace", person="u:42"), by)).action.person != "u:42"


@pytest.mark.parametrize(
    "record",
    [
        AuditRecord(Action("retract", ref=42), Author("operator", name="42"), "42", "42"),
        AuditRecord(Action("retract", user=User("42", "Ann")), Author("operator")),
        AuditRecord(Action("retract", user=User("4", "42", verified=True)), Author("operator")),
    ],
)
def test_records_of_others_stay(record: AuditRecord) -> None:
    """A guest of this id, and numbers and names that look like it, are others'."""
    assert VEIL.over_record(record_to_text(record)) == record_to_text(record)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("not JSON", "not JSON"),
        ("42 {", None),
        ("[]", "[]"),
        ('"u:42"', '"u:42"'),
        ("[" * 5_000, "[" * 5_000),
        ("[" * 900 + '"42"' + "]" * 900, None),
        ("[" * 50_000 + "42", None),
    ],
)
def test_a_text_that_is_no_record_is_emptied(text: str, after: str | None) -> None:
    assert VEIL.over_record(text) == after


def test_records_of_later_versions_are_erased() -> None:
    """A user is found wherever a later livechat has put it."""
    text = msgspec.json.encode({"action": {"type": "new", "for": [{"id": "42", "name": "Ann",
        "verified": True, "role": "vip"}]}, "by": {"kind": "key"}}).decode()  # fmt: skip
    found = VEIL.over_record(text)
    assert found is not None
    assert '"42"' not in found
    assert "Ann" not in found
    assert VEIL.names(text)
    assert not VEIL.names(found)
