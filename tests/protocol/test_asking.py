"""`livechat.protocol.asking`."""

from __future__ import annotations

import json

import pytest

from livechat.protocol.asking import ACCEPT, HOLD, About, Question, Ruling, ruling_of
from livechat.protocol.messages import User
from livechat.protocol.moderation import LONGEST_REASON


def test_a_question_has_only_what_there_is() -> None:
    """A question has what there is, and nothing more."""
    asked = Question("send", "r", "user", User("42", "Ann", verified=True), "hi", reply_to=3)
    assert json.loads(asked.body()) == {
        "type": "ask",
        "about": "send",
        "room": "r",
        "kind": "user",
        "user": {"id": "42", "name": "Ann", "verified": True},
        "message": "hi",
        "reply_to": 3,
    }
    assert json.loads(Question("check").body()) == {"type": "ask", "about": "check"}


@pytest.mark.parametrize(
    ("about", "body", "expected"),
    [
        ("send", '{"verdict":"accept"}', ACCEPT),
        ("send", '{"verdict":"accept","more":[1]}', ACCEPT),
        ("send", '{"verdict":"hold"}', HOLD),
        ("send", '{"verdict":"accept","message":"b"}', Ruling("accept", "b")),
        ("send", '{"verdict":"accept","message":"\\ud800"}', Ruling("accept", "\ud800")),
        ("join", '{"verdict":"reject","reason":"no"}', Ruling("reject", reason="no")),
        ("join", '{"verdict":"accept","expires":5}', Ruling("accept", expires=5)),
    ],
)
def test_answers_are_read(about: About, body: str, expected: Ruling) -> None:
    """Answers are read as the site meant them."""
    assert ruling_of(body.encode(), about) == expected


def test_an_answer_may_have_an_identity() -> None:
    """A join's answer may have a user and its rights."""
    found = ruling_of(
        b'{"verdict":"accept","user":{"id":"42","name":"Ann","role":"vip"},"rooms":{"a*":["*"]}}',
        "join",
    )
    assert found.user is not None
    assert (found.user.id, found.user.name, found.user.role) == ("42", "Ann", "vip")
    assert found.rooms == {"a*": ["*"]}


def test_a_long_reason_is_cut() -> None:
    """A reason is cut where a moderator's would be too long."""
    body = json.dumps({"verdict": "reject", "reason": "x" * 10_000})
    assert ruling_of(body.encode(), "send").reason == "x" * LONGEST_REASON


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html><title>Maintenance</title>",
        b"null",
        b"[]",
        b'"accept"',
        b"{}",
        b'{"verdict":null}',
        b'{"verdict":"maybe"}',
        b'{"verdict":"ACCEPT"}',
        b'{"verdict":"\\ud800"}',
        b'{"verdict":"accept","message":5}',
        b'{"verdict":"accept","message":{}}',
        b'{"verdict":"reject","reason":["x"]}',
        b'{"verdict":"accept","user":"42"}',
        b'{"verdict":"accept","user":{"id":42}}',
        b'{"verdict":"accept","user":{"name":"Ann"}}',
        b'{"verdict":"accept","user":{"id":"\\ud800"}}',
        b'{"verdict":"accept","rooms":["a"]}',
        b'{"verdict":"accept","rooms":{"\\udfff":[]}}',
        b'{"verdict":"accept","expires":"soon"}',
        b'{"verdict":"accept","expires":true}',
        b'{"verdict":"accept","expires":-1}',
        b'{"verdict":"accept","expires":1e999}',
        b'{"verdict":"accept","expires":NaN}',
        b'{"verdict":"accept","x":' + b"9" * 50_000 + b"}",
        b'{"verdict":"accept"',
        b'{"verdict":"accept"}}',
        b'\xff{"verdict":"accept"}',
        b'\xef\xbb\xbf{"verdict":"accept"}',
        '{"verdict":"accept"}'.encode("utf-16"),
        b'{"verdict":"accept","x":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    ],
)
def test_other_bodies_are_no_answer(body: bytes) -> None:
    """HTML, broken JSON and unknown verdicts are no answer, and one line says why."""
    with pytest.raises(ValueError, match=r"^it is |^its ") as caught:
        ruling_of(body, "send")
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, RecursionError)


@pytest.mark.parametrize("body", [b'{"verdict":"hold"}'])
def test_no_joining_on_hold(body: bytes) -> None:
    """A client cannot wait at the door."""
    with pytest.raises(ValueError, match="accept, reject"):
        ruling_of(body, "join")
