"""`livechat.web.api`: actions by HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import Port
from tests.support.requests import FORM, JSON
from tests.web.asking import act, history, post


def test_a_message_is_said_edited_and_retracted(port: Port) -> None:
    """A message is said, edited and taken back by HTTP; histories follow."""
    plain = port.socket("r")
    said = act(port, {"message": "helo", "reply_to": 7, "data": {"a": [1]}})
    assert said.status == 200
    assert said.json() == {"type": "ack", "seq": 1, "time": said.json()["time"]}
    (item,) = history(port, "r/")
    assert (item["message"], item["reply_to"], item["data"]) == ("helo", 7, {"a": [1]})
    assert act(port, {"type": "edit", "ref": 1, "message": "hello"}).json()["seq"] == 2
    (item,) = history(port, "r/")
    assert (item["message"], item["seq"], "data" in item) == ("hello", 1, False)
    assert item["edited"] >= item["time"]
    answer = act(port, {"type": "retract", "refs": [1]})
    assert (answer.json()["seq"], answer.json()["count"]) == (3, 1)
    assert history(port, "r/") == []
    assert port.ask("GET", "/chat/history/r/").headers["livechat-seq"] == "3"
    assert plain.heard() == ["helo"]


def test_links_go_by_numbers_looked_at(port: Port) -> None:
    """An empty page links to the next one as well."""
    act(port, {"message": "first"})
    act(port, {"message": "x"})
    for number in range(18):
        act(port, {"type": "edit", "ref": 2, "message": str(number)})
    act(port, {"type": "retract", "ref": 2})
    answer = port.ask("GET", "/chat/history/r/?limit=1")
    assert answer.json() == {"chat_history": []}
    assert answer.headers["link"] == '</chat/history/r/?before=12&limit=1>; rel="prev"'
    answer = port.ask("GET", "/chat/history/r/?limit=1&before=12")
    assert answer.json() == {"chat_history": []}
    assert answer.headers["link"].startswith("</chat/history/r/?before=2&limit=1>")
    assert [each["message"] for each in history(port, "r/?limit=1&before=2")] == ["first"]


def test_data_and_replies_of_messages(port: Port) -> None:
    """``/chat/send/`` takes data and replies too, in JSON."""
    assert post(port, {"message": "x", "reply_to": 3, "data": {"a": None}}).status == 200
    (item,) = history(port)
    assert (item["reply_to"], item["data"]) == (3, {"a": None})


@pytest.mark.parametrize(
    "body", [{"reply_to": 0}, {"reply_to": "1"}, {"data": 1}, {"data": {"a": "x" * 4096}}]
)
def test_bad_data_and_replies_are_refused(port: Port, body: dict[str, Any]) -> None:
    """Data that are no small object, and a reply to no number, are refused."""
    assert post(port, {"message": "x", **body}).code() == "bad_message"


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 400, "bad_json"),
        (b"{", 400, "bad_json"),
        (b'{"type":"message","message":"\xff"}', 400, "bad_json"),
        (b'{"message":"x","data":{"a":"\xff"}}', 400, "bad_json"),
        (b'{"message":"x","data":{"a":"\\ud800"}}', 400, "bad_json"),
        (b"[]", 400, "bad_message"),
        (b'{"type":"ping"}', 400, "unknown_type"),
        (b'{"type":"retract","ref":1}', 404, "not_found"),
        (b'{"type":"retract","ref":1,"nonce":""}', 400, "bad_message"),
        (b'{"message":" "}', 400, "empty_message"),
        (b'{"message":"' + b"x" * 20_000 + b'"}', 400, "message_too_long"),
    ],
)
def test_hostile_actions_store_nothing(port: Port, data: bytes, status: int, code: str) -> None:
    """A body that is no action is refused with its reason, and nothing is stored."""
    answer = act(port, data)
    assert (answer.status, answer.code()) == (status, code)
    assert port.world.store.read("r", 0, 9).entries == ()


def test_actions_on_messages_of_others(port: Port) -> None:
    """Only its author changes a message; one without an author, nobody."""
    act(port, {"message": "x"}, "client=" + "a" * 16)
    act(port, {"message": "y"}, "")
    for query in ("client=" + "b" * 16, "name=Ann", ""):
        for ref in (1, 2):
            answer = act(port, {"type": "retract", "ref": ref}, query)
            assert (answer.status, answer.code()) == (403, "forbidden")


def test_actions_need_json(port: Port) -> None:
    """Actions by a form, or by GET, are refused."""
    answer = port.ask("POST", "/chat/actions/r/", b"message=x", **FORM)
    assert (answer.status, answer.headers["accept"]) == (415, "application/json")
    assert port.ask("GET", "/chat/actions/r/").status == 405
    assert port.ask("POST", "/chat/actions/", b"{}", **JSON).status == 400


def test_header_and_body_share_a_nonce(port: Port) -> None:
    """The header and the body name the same nonce, or one does; a repetition is done once."""
    body = {"message": "x", "nonce": "n"}
    first, again = act(port, body).json(), act(port, body, Idempotency_Key="n").json()
    assert (first["seq"], first["nonce"], first.get("duplicate")) == (1, "n", None)
    assert (again["seq"], again["duplicate"]) == (1, True)
    assert act(port, {"message": "x"}, Idempotency_Key='"n"').json()["duplicate"]
    assert act(port, body, Idempotency_Key="m").code() == "bad_request"
    # Guests without a key share their nonces.
    assert act(port, body, "").code() == "bad_request"
    assert act(port, {"message": "y", "nonce": "n"}).code() == "nonce_reused"
