"""`livechat.rooms.receipts`: each is told of a case what concerns it, and nothing else (I8)."""

from __future__ import annotations

from typing import Any

from msgspec import json, to_builtins
from msgspec.structs import fields, replace

from livechat.protocol.audit import Author
from livechat.protocol.messages import User
from livechat.protocol.moderation import Case
from livechat.rooms.receipts import told_author, told_moderators, told_reporter
from tests.members.plain_client import Client as PlainClient
from tests.rooms.moderating import moderator, user
from tests.rooms.reporting import does, held, reports, rules, says
from tests.support import World

#: All that a case can have, each of it recognizable.
FULL = Case(
    "held", "rejected", "room", 1_790_000_000_000, User("author-id", "author-name", "badge", True),
    "message-text", "owner-mark", '{"data-key":1}', 7, "client-nonce", "store-nonce", 8,
    User("reporter-id", "reporter-name"), "reporters-reason", "reviewers-reason",
    Author("operator", User("!operator", "Operator"), "reviewer-name"), 1_790_000_001, 9,
)  # fmt: skip


def test_all_of_it_is_filled() -> None:
    """A field that is new in cases is to be thought of here."""
    assert all(getattr(FULL, each.name) not in (None, "") for each in fields(Case))


def frame(told: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.decode(json.encode(told))
    assert found.pop("type") == "case"
    return found


def test_an_author_gets_the_verdict() -> None:
    """An author gets its message's verdict and the reason."""
    assert frame(told_author("c1", FULL)) == {
        "case": "c1", "kind": "held", "state": "rejected", "nonce": "client-nonce", "seq": 9,
        "reason": "reviewers-reason",
    }  # fmt: skip


def test_a_reporter_gets_the_verdict() -> None:
    """A reporter gets its report's verdict and the reason."""
    report = _with(kind="report", state="closed")
    assert frame(told_reporter("c1", report)) == {
        "case": "c1", "kind": "report", "state": "closed", "ref": 8, "reason": "reviewers-reason"
    }  # fmt: skip
    assert told_author("c1", report) is None
    assert told_reporter("c1", FULL) is None


def test_moderators_get_all_but_the_person() -> None:
    """All of it, without whose it is and how the store knows it."""
    told = frame(told_moderators("c1", FULL))
    assert told["message"] == "message-text"
    assert told["data"] == {"data-key": 1}
    assert told["reporter"] == {"id": "reporter-id", "name": "reporter-name"}
    assert told["reviewer"]["name"] == "reviewer-name"
    assert told["reason"] == "reviewers-reason"
    assert not any(each in str(told) for each in ("owner-mark", "store-nonce", "client-nonce"))
    assert frame(told_moderators("c1", _with(state="open")))["reason"] == "reporters-reason"


def test_an_author_is_told_once_there_is_a_number() -> None:
    """An approved message's author is told once it has a number, and not before."""
    assert told_author("c1", _with(state="approved", seq=None)) is None
    told = told_author("c1", _with(state="approved"))
    assert told is not None
    assert told.seq == 9


def _with(**changed: Any) -> Case:
    return replace(FULL, **changed)


def test_a_held_message_is_told_to_author_and_moderators(world: World) -> None:
    """A held message: to its author's connections and those that moderate its room."""
    rules(world, hold="all")
    ann, her_phone, ben = user(world), user(world), user(world, "43")
    bob, elsewhere = moderator(world), user(world, room="s")
    plain = PlainClient(world)
    for each in (ann, her_phone, ben, bob, elsewhere, plain):
        each.heard()
    case = held(ann, "secret", nonce="1")
    assert [each["nonce"] for each in her_phone.hears("case")] == ["1"]
    (told,) = bob.hears("case")
    assert (told["case"], told["message"], told["user"]["id"]) == (case, "secret", "42")
    does(bob, type="review", case=case, verdict="reject", reason="no")
    for client in (ann, her_phone):
        (told,) = client.hears("case")
        assert told == {
            "type": "case", "case": case, "kind": "held", "state": "rejected", "nonce": "1",
            "reason": "no",
        }  # fmt: skip
    assert ben.heard() == elsewhere.heard() == plain.heard() == []


def test_a_report_is_told_to_its_reporter(world: World) -> None:
    """A report: to those that moderate, and to its reporter; not to the author of the message."""
    eve, ann, ben, bob = user(world, "13"), user(world), user(world, "43"), moderator(world)
    says(eve, "spam")
    for each in (eve, ann, ben, bob):
        each.heard()
    case = reports(ann, reason="rude")["case"]
    (told,) = bob.hears("case")
    assert (told["reason"], told["reporter"]["id"], told["message"]) == ("rude", "42", "spam")
    does(bob, type="review", case=case, verdict="close", reason="thanks")
    (told,) = ann.hears("case")
    assert told == {
        "type": "case", "case": case, "kind": "report", "state": "closed", "ref": 1,
        "reason": "thanks",
    }  # fmt: skip
    assert eve.heard() == ben.heard() == []


def test_moderator_that_reports(world: World) -> None:
    """A moderator that reports is told once, as a moderator."""
    bob = moderator(world)
    says(bob, "x")
    bob.heard()
    bob.sends({"type": "report", "ref": 1, "reason": "test"})
    (told,) = bob.hears("case")
    assert told["message"] == "x"


def test_no_frame_has_another_field() -> None:
    """Nothing of a case is in a frame of a participant that is not listed here."""
    for told in (told_author("c1", FULL), told_reporter("c1", _with(kind="report"))):
        given = {key for key, value in to_builtins(told).items() if value is not None}
        assert given <= {"type", "case", "kind", "state", "nonce", "seq", "ref", "reason"}
