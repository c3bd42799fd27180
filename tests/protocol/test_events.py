"""Events as receivers get them, and the notes in which those without a number are stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from livechat.protocol.audit import Action, AuditRecord, Author
from livechat.protocol.events import (
    ENTRIES,
    KINDS,
    NOTES,
    encode_event,
    event_of_entry,
    event_of_note,
    kind_of,
    make_act,
    make_note,
    note_of,
    renumbered,
    trimmed,
)
from livechat.protocol.messages import (
    Draft,
    Edited,
    Gone,
    Message,
    Place,
    Retracted,
    User,
)
from livechat.protocol.moderation import Case
from livechat.protocol.names import EVENTS_ROOM

ANN = User("42", "Ann", verified=True)
BOB = User("b", "Bob")
CASE = Case("held", "open", "r", 1, ANN, "buy this", "u:42", '{"a":1}', 7)


def entry_of(draft: Draft) -> Message:
    """A stored note."""
    return Message(draft.message, 5, 99, draft.user)


def told(draft: Draft, case: Case | None = None) -> dict[str, Any]:
    """The JSON that a receiver gets of a note, without its id."""
    entry = entry_of(draft)
    note = note_of(entry)
    assert note is not None
    event = event_of_note(note, entry, case)
    assert event is not None
    found: dict[str, Any] = json.loads(encode_event(event))
    assert found.pop("id") == note.id
    assert found["event"] == kind_of(event)
    return found


def test_each_kind_is_an_entry_or_a_note() -> None:
    """A kind is an entry of a room, or is written as a note."""
    assert KINDS == ENTRIES | NOTES
    assert ENTRIES.isdisjoint(NOTES)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            Message("hi", 4, 9, ANN, 2, Raw(b'{"x":1}'), 10),
            {
                "event": "message",
                "message": "hi",
                "user": {"id": "42", "name": "Ann", "verified": True},
                "reply_to": 2,
                "data": {"x": 1},
                "edited": 10,
            },
        ),
        (Message("", 4, 9), {"event": "message", "message": ""}),
        (Edited(4, 9, 2, "hi!"), {"event": "edited", "ref": 2, "text": "hi!"}),
        (Retracted(4, 9, (2, 3), "author"), {"event": "retracted", "refs": [2, 3], "by": "author"}),
        (Gone(4, 9), {"event": "gone"}),
    ],
)
def test_an_entry_keeps_its_id(entry: Any, expected: dict[str, Any]) -> None:
    """An entry has the fields of its frame, and an id that is the same each time."""
    found = json.loads(encode_event(event_of_entry("r", "ep", entry)))
    assert found == {"id": "r:ep:4", "room": "r", "seq": 4, "time": 9, **expected}


@pytest.mark.parametrize("kind", ["joined", "left"])
def test_a_coming_names_its_user(kind: str) -> None:
    """The user stands beside the note, where whatever removes users finds it."""
    draft = make_note(kind, "r", None, BOB)
    assert draft.room == EVENTS_ROOM
    assert draft.user == BOB
    assert "Bob" not in draft.message
    assert told(draft) == {
        "event": kind,
        "room": "r",
        "time": 99,
        "user": {"id": "b", "name": "Bob"},
    }


@pytest.mark.parametrize("kind", ["occupied", "vacated"])
def test_occupancy_is_of_a_room(kind: str) -> None:
    assert told(make_note(kind, "r")) == {"event": kind, "room": "r", "time": 99}


def test_a_note_names_its_place() -> None:
    """A note says behind which entry of its room it comes."""
    note = note_of(entry_of(make_note("vacated", "r", Place("ep", 7))))
    assert note is not None
    assert (note.epoch, note.after) == ("ep", 7)


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (Action("restrict", user=BOB, kind="mute", seconds=60, reason="spam"), "restricted"),
        (Action("pardon", user=BOB, kind="mute"), "pardoned"),
        (Action("room", set={"slow": 10, "topic": None}), "room"),
        (Action("review", case="c1", verdict="approve", seq=8, user=BOB), "reviewed"),
    ],
)
def test_an_act_names_its_person_beside_the_note(act: Action, kind: str) -> None:
    """An act has what the audit has, and the person that it is about beside the note."""
    by = Author("user", ANN)
    draft = make_act(AuditRecord(act, by, "r"))
    assert "Bob" not in draft.message
    found = told(draft)
    assert found.pop("action").get("user") == (
        None if act.user is None else {"id": "b", "name": "Bob"}
    )
    assert found["by"]["user"]["id"] == "42"
    assert (found["event"], found["room"]) == (kind, "r")


def test_an_act_everywhere_names_all_rooms() -> None:
    assert told(make_act(AuditRecord(Action("restrict"), Author("key"), "*")))["room"] == "*"


def test_a_case_has_its_present_text() -> None:
    """The text of a case is that which the case has now, and nowhere once it is decided."""
    draft = make_note("held", "r", None, ANN, case="c1")
    assert "buy" not in draft.message
    assert told(draft, CASE) == {
        "event": "held", "room": "r", "time": 99, "case": "c1", "message": "buy this",
        "user": {"id": "42", "name": "Ann", "verified": True}, "reply_to": 7, "data": {"a": 1},
    }  # fmt: skip
    bare = {"event": "held", "room": "r", "time": 99, "case": "c1"}
    assert told(draft, replace(CASE, state="rejected")) == bare
    assert told(draft) == bare


def test_a_report_has_its_case() -> None:
    case = replace(CASE, kind="report", data="", ref=3, reporter=BOB, reason="rude")
    draft = make_note("reported", "r", None, ANN, case="c1")
    assert told(draft, case) == {
        "event": "reported", "room": "r", "time": 99, "case": "c1", "message": "buy this",
        "user": {"id": "42", "name": "Ann", "verified": True}, "ref": 3,
        "reporter": {"id": "b", "name": "Bob"}, "reason": "rude",
    }  # fmt: skip


def test_each_note_has_its_own_id() -> None:
    """Each note has an id of its own, that no room's entry has."""
    ids = [json.loads(make_note("vacated", "r").message)["id"] for _ in range(100)]
    assert len({*ids}) == 100
    assert not any(":" in each for each in ids)


def test_a_gap_counts_lost_entries() -> None:
    """A gap counts its lost entries and keeps the same id."""
    gap = json.loads(encode_event(trimmed("r", "ep", 3, 9)))
    assert gap == {
        "event": "gap", "id": "r:ep:gap-3-9", "reason": "trimmed", "room": "r", "epoch": "ep",
        "lost": 7, "from": 3, "to": 9,
    }  # fmt: skip
    gap = json.loads(encode_event(trimmed(None, "ep", 3, 9)))
    assert gap == {"event": "gap", "id": "!events:ep:gap-3-9", "reason": "trimmed", "lost": 7}
    gap = json.loads(encode_event(renumbered("r", "new", "old")))
    assert gap == {
        "event": "gap",
        "id": "r:new:gap-old",
        "reason": "epoch",
        "room": "r",
        "epoch": "new",
    }
    assert told(make_note("gap", "", lost=12)) == {"event": "gap", "reason": "trimmed", "lost": 12}


@pytest.mark.parametrize(
    "text",
    ["", "hi", "[]", "{}", '{"id":1}', '{"id":"x","event":"vacated","after":"y"}', "[" * 5_000],
)
def test_an_entry_that_is_no_note_is_passed_over(text: str) -> None:
    """An entry that is no note is passed over."""
    assert note_of(Message(text, 1, 1)) is None


@pytest.mark.parametrize(
    "text",
    ['{"id":"x","event":"from the future","room":"r"}', '{"id":"x","event":"joined","room":"r"}',
     '{"id":"x","event":"restricted","room":"r"}'],
)  # fmt: skip
def test_a_note_of_another_version_is_no_event(text: str) -> None:
    """A note of another livechat, or without what it needs, is no event."""
    entry = Message(text, 1, 1)
    note = note_of(entry)
    assert note is not None
    assert event_of_note(note, entry) is None


def test_a_note_of_a_forgotten_user_is_none() -> None:
    """A note whose user was forgotten is none any more."""
    assert note_of(Gone(1, 1)) is None
