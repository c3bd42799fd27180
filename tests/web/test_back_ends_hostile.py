"""`livechat.web.back_ends`: actions and batches that are malformed, or too long."""

from __future__ import annotations

import json
from typing import Any

import pytest

from livechat.protocol.back_ends import MOST_ACTIONS
from livechat.web.queries import LARGEST_BATCH
from tests.support import LOCAL_KEY, Port, request
from tests.web.back_end import (
    ACTIONS,
    BackEnd,
    batch,
    code,
    records,
    results,
    said,
    say,
)


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"[]", b"7", b'{"actions":{}}', b'{"actions":[]}', b'{"actions":"x"}',
        json.dumps({"actions": [say("a")] * (MOST_ACTIONS + 1)}).encode(),
        b'{"actions":[' + b"[" * 40 + b"]" * 40 + b"]}",
        b'{"actions":[' + b"0," * 500_000 + b"0]}",
    ],
    ids=range(9),
)  # fmt: skip
def test_a_body_that_is_no_batch_does_nothing(key: BackEnd, body: bytes) -> None:
    """A body that is no batch, or too long, does nothing."""
    answer = key.ask("POST", ACTIONS, body)
    assert answer.status == 400
    assert answer.code() in ("bad_json", "bad_message")
    assert said(key.port, "a") == []


def test_broken_actions_in_a_batch(key: BackEnd) -> None:
    """A broken action has its own answer; the others are done."""
    found = batch(
        key,
        say("a", "1"),
        7,
        {},
        {"message": "no room"},
        say("a", 7),
        say("!audit"),
        say("a", type="dance"),
        say("a", "x" * 16_385),
        say("a", nonce=""),
        say("a", nonce="\u2028"),
        say("a", **{"as": {"no": "id"}}),
        say("a", **{"as": "!operator"}),
        say("a", data={"a": [[[[[[[[[1]]]]]]]]]}),
        {"type": "retract", "room": "a", "ref": 9},
        say("a", "2"),
    )
    assert results(found) == [
        1, "bad_message", "bad_message", "bad_room", "bad_message", "bad_room", "unknown_type",
        "message_too_long", "bad_message", "bad_request", "bad_message", "bad_request",
        "bad_message", "not_found", 2,
    ]  # fmt: skip
    assert said(key.port, "a") == ["1", "2"]


def test_a_key_may_send_a_megabyte(port: Port) -> None:
    """A key may send a megabyte; others have the usual bound, with any header."""
    key, usual = BackEnd(port), port.factory.max_body
    text = "x" * 10_000
    assert results(batch(key, *[say("a", text)] * MOST_ACTIONS)) == list(range(1, MOST_ACTIONS + 1))
    assert code(batch(key, *[say("a", "x" * 16_384)] * MOST_ACTIONS)) == (413, "body_too_large")
    assert code(key.ask("POST", "/chat/actions/a/", b" " * (usual + 1))) == (413, "body_too_large")
    local = BackEnd(port, LOCAL_KEY)
    for other in (BackEnd(port, ""), BackEnd(port, f"lck_x_{'w' * 43}"), BackEnd(port, "x y")):
        answer = other.ask("POST", ACTIONS, b" " * (usual + 1))
        assert code(answer) == (413, "body_too_large")
    assert local.ask("POST", ACTIONS, b" " * LARGEST_BATCH).status == 400
    assert code(local.ask("POST", ACTIONS, b" " * (LARGEST_BATCH + 1))) == (413, "body_too_large")


def test_a_long_batch_and_then_another_body(port: Port) -> None:
    """The next request of the connection has its own limit."""
    key, usual = BackEnd(port), port.factory.max_body
    wire = port.connect()
    json_ = {"Content_Type": "application/json", **key.headers}
    wire.send(request("POST", ACTIONS, json.dumps(say("a")).encode() + b" " * usual, **json_))
    assert wire.answer("POST").status == 200
    wire.send(request("POST", "/chat/send/a/", b" " * (usual + 1), **json_))
    assert code(wire.answer("POST")) == (413, "body_too_large")


#: For each action a body that is not one, and what it is answered.
HOSTILE: list[tuple[dict[str, Any], str]] = [
    ({"type": "restrict", "kind": "ban"}, "bad_message"),
    ({"type": "restrict", "user": 7, "kind": "ban"}, "bad_message"),
    ({"type": "restrict", "user": "7", "kind": "BAN"}, "bad_message"),
    ({"type": "restrict", "user": "7", "kind": "ban", "seconds": -1}, "bad_message"),
    ({"type": "restrict", "user": "7", "kind": "ban", "seconds": 1e300}, "bad_message"),
    ({"type": "restrict", "user": "7", "kind": "ban", "seconds": True}, "bad_message"),
    ({"type": "restrict", "user": "7", "kind": "ban", "reason": "x" * 201}, "bad_message"),
    ({"type": "restrict", "user": "7", "kind": "ban", "address": "203.0.113.7"}, "bad_message"),
    ({"type": "restrict", "user": "a\x00b", "kind": "ban"}, "bad_message"),
    ({"type": "restrict", "user": "r|u:7", "kind": "ban", "nonce": ""}, "bad_message"),
    ({"type": "restrict", "user": "!operator", "kind": "ban"}, "bad_message"),
    ({"type": "restrict", "user": "\u202e", "kind": "ban"}, "bad_message"),
    ({"type": "pardon"}, "bad_message"),
    ({"type": "pardon", "user": ["7"]}, "bad_message"),
    ({"type": "pardon", "user": "7"}, "not_found"),
    ({"type": "room"}, "bad_message"),
    ({"type": "room", "set": []}, "bad_message"),
    ({"type": "room", "set": {}}, "bad_message"),
    ({"type": "room", "set": {"no_such": 1}}, "bad_message"),
    ({"type": "room", "set": {"slow": 21_601}}, "bad_message"),
    ({"type": "room", "set": {"words": ["x"] * 501}}, "bad_message"),
    ({"type": "room", "set": {"words": ["x" * 65]}}, "bad_message"),
    ({"type": "room", "set": {"title": "x" * 101}}, "bad_message"),
    ({"type": "room", "set": {"guests": "maybe"}}, "bad_message"),
    ({"type": "room", "set": {"pinned": -1}}, "bad_message"),
    ({"type": "retract", "refs": []}, "bad_message"),
    ({"type": "retract", "refs": list(range(1, 102))}, "bad_message"),
    ({"type": "report"}, "bad_message"),
    ({"type": "report", "ref": 0}, "bad_message"),
    ({"type": "report", "ref": 1, "reason": 7}, "bad_message"),
    ({"type": "review", "case": "x", "verdict": "maybe"}, "bad_message"),
    ({"type": "review", "case": "x" * 33, "verdict": "close"}, "bad_message"),
    ({"type": "review", "verdict": "close"}, "bad_message"),
    ({"type": "clear", "nonce": 7}, "bad_message"),
    ({"type": "revoke", "user": "7", "token": "x"}, "bad_message"),
]


@pytest.mark.parametrize(("action", "expected"), HOSTILE, ids=str)
def test_hostile_actions_are_not_recorded(
    port: Port, action: dict[str, Any], expected: str
) -> None:
    """A hostile action is refused by itself, in its room and in a batch, and not recorded."""
    key = BackEnd(port)
    assert key.ask("POST", f"{ACTIONS}r/", action).code() == expected
    found = batch(key, {"room": "r", **action}, say("a"))
    assert results(found) == [expected, 1]
    assert records(port.world) == []
