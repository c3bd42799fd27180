"""`livechat.web.histories`: searches and exports; `tests.web.test_api` tests plain histories."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from livechat.errors import ChatError, Kind
from livechat.rooms.history import LONGEST_HISTORY
from tests.support import Answer, Port
from tests.web.back_end import BackEnd, code

NDJSON = {"Accept": "application/x-ndjson"}
WHOLE = "/chat/history/r/?limit=all"


@pytest.fixture
def key(port: Port) -> BackEnd:
    return BackEnd(port, as_users=True)


def say(key: BackEnd, *texts: str, user: str | None = None) -> None:
    for text in texts:
        body = {"message": text, "user": user}
        assert key.ask("POST", "/chat/send/r/", body).status == 200


def texts(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.json()
    return [each["message"] for each in answer.json()["chat_history"]]


def test_guests_search_as_far_as_they_read(port: Port, key: BackEnd) -> None:
    """Guests search by text and by author, as far as they may read."""
    say(key, "Hello", "bye", user="42")
    say(key, "hello too", user="7")
    guest = port.ask("POST", "/chat/send/r/?name=Ann&client=kkkkkkkkkkkkkkkk", b"message=HELLO",
                     Content_Type="application/x-www-form-urlencoded")  # fmt: skip
    assert guest.status == 200
    known_as = port.ask("GET", "/chat/history/r/?limit=1").json()["chat_history"][0]["user"]["id"]
    for query, expected in (
        ("q=hELLo", ["Hello", "hello too", "HELLO"]),
        ("user=42", ["Hello", "bye"]),
        ("user=42&guest=0&q=BYE", ["bye"]),
        ("user=42&guest=1", []),
        (f"user={known_as}&guest=1", ["HELLO"]),
        (f"user={known_as}", []),
        ("q=hello&limit=1", ["HELLO"]),
        ("q=hello&limit=1&after=0", ["Hello"]),
        ("q=hello&before=4", ["Hello", "hello too"]),
        ("q=%00", []),
    ):
        assert texts(port.ask("GET", f"/chat/history/r/?{query}")) == expected, query


def test_links_keep_the_search(port: Port, key: BackEnd) -> None:
    """Links keep the search, and lead over pages without a match."""
    say(key, "a&b=ü", *["x"] * 25, "a&b=ü", user="42")
    target: str | None = f"/chat/history/r/?user=42&guest=0&limit=1&q={quote('a&b=ü')}"
    found, pages = [], 0
    while target is not None:
        answer = port.ask("GET", target)
        found += texts(answer)
        pages += 1
        links = answer.headers.get("link", "").split(", ")
        target = next((each[1 : each.index(">")] for each in links if 'rel="prev"' in each), None)
        assert answer.headers["livechat-seq"] == "27"
    assert (found, pages) == (["a&b=ü"] * 2, 4)


@pytest.mark.parametrize(
    "query",
    ["q=", f"q={'x' * 201}", "user=", f"user={'x' * 65}", "user=1&guest=yes", "q=x&limit=many",
     "q=x&limit=all", "q=x&before=1&after=1", "q=%ff", "user=1&user=2", "limit=all"],
)  # fmt: skip
def test_bad_searches_are_refused(port: Port, query: str) -> None:
    assert code(port.ask("GET", f"/chat/history/r/?{query}")) == (400, Kind.BAD_QUERY.code)


def test_who_may_not_search(port: Port, key: BackEnd) -> None:
    """A search needs the right to read: banned users, and keys without it, are refused."""
    say(key, "x", user="42")
    key.ask("POST", "/chat/actions/r/", {"type": "restrict", "user": "7", "kind": "ban"})
    banned = BackEnd(port, port.world.token("7"))
    assert code(banned.ask("GET", "/chat/history/r/?q=x")) == (403, "banned")
    deaf = BackEnd(port, rooms={"r": ["join", "send"]}, name="deaf")
    assert code(deaf.ask("GET", "/chat/history/r/?user=42")) == (403, "forbidden")
    assert code(port.ask("GET", "/chat/history/!audit/?q=x")) == (400, "bad_room")


def test_searches_are_rate_limited(make_world: Any) -> None:
    """Searches beyond the rate are refused; plain histories go on."""
    port = Port(make_world(rate_per_ip=1))
    statuses = [port.ask("GET", "/chat/history/r/?q=x").status for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert port.ask("GET", "/chat/history/r/").status == 200


def test_a_whole_history_has_all_messages(port: Port, key: BackEnd) -> None:
    """A whole history has all kept messages, one a line, beyond the bound of a page."""
    count = LONGEST_HISTORY + 5
    say(key, *(str(number) for number in range(count)))
    say(key, "mine", user="42")
    answer = key.ask("GET", WHOLE, **NDJSON)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["livechat-seq"] == str(count + 1)
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert [each["seq"] for each in lines] == list(range(1, count + 2))
    assert lines[-1]["user"] == {"id": "42", "name": "42", "verified": True}
    found = key.ask("GET", f"{WHOLE}&user=42", **NDJSON).body
    assert [json.loads(line)["message"] for line in found.splitlines()] == ["mine"]
    assert key.ask("GET", "/chat/history/empty/?limit=all", **NDJSON).body == b""


def test_who_gets_the_whole(port: Port, key: BackEnd) -> None:
    """A whole history is for callers who manage the room, in NDJSON only."""
    say(key, "x")
    assert code(port.ask("GET", WHOLE, **NDJSON)) == (401, "unauthorized")
    lesser = BackEnd(port, rooms={"r": ["join", "history", "moderate"]}, name="lesser")
    assert code(lesser.ask("GET", WHOLE, **NDJSON)) == (403, "forbidden")
    blind = BackEnd(port, rooms={"r": ["manage"]}, name="blind")
    assert code(blind.ask("GET", WHOLE, **NDJSON)) == (403, "forbidden")
    for accept in ("*/*", "application/json", "application/x-ndjson;q=0", ""):
        assert code(key.ask("GET", WHOLE, Accept=accept)) == (400, "bad_query")
    for more in ("before=1", "after=1"):
        assert code(key.ask("GET", f"{WHOLE}&{more}", **NDJSON)) == (400, "bad_query")


def test_plain_histories_ignore_the_accept_header(port: Port, key: BackEnd) -> None:
    """Plain histories are the same with any Accept header."""
    say(key, "x")
    plain = port.ask("GET", "/chat/history/r/")
    other = port.ask("GET", "/chat/history/r/?guest=1", **NDJSON)
    assert other.body == plain.body
    assert plain.body.startswith(b'{"chat_history":[{"message":"x","seq":1,"time":')


EXPORT = "/chat/export/?user=42"


def lines(answer: Answer) -> list[Any]:
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.body.splitlines()]


def test_an_export_has_messages_of_all_rooms(port: Port, key: BackEnd) -> None:
    """An export has a user's messages of all rooms, and moderators' data; its last line counts."""
    say(key, "one", "two", user="42")
    say(key, "another's", user="7")
    key.ask("POST", "/chat/send/other/", {"message": "three", "user": "42"})
    key.ask("POST", "/chat/actions/r/", {"type": "restrict", "user": "42", "kind": "mute"})
    key.ask("POST", "/chat/actions/r/", {"type": "report", "ref": 1, "reason": "rude"})
    found = lines(key.ask("GET", EXPORT))
    assert found[0]["line"] == "person"
    assert (found[0]["user"], found[0]["guest"]) == ("42", False)
    said = [(each["room"], each["message"]["message"]) for each in found if "message" in each]
    assert sorted(said) == [("other", "three"), ("r", "one"), ("r", "two")]
    (restriction,) = [each for each in found if each["line"] == "restriction"]
    assert (restriction["room"], restriction["restriction"]["kind"]) == ("r", "mute")
    (case,) = [each for each in found if each["line"] == "case"]
    assert case["kept"]["reason"] == "rude"
    assert [each["record"]["action"]["type"] for each in found if each["line"] == "record"] == [
        "restrict"
    ]
    end = {"line": "end", "restrictions": 1, "cases": 1, "messages": 3, "records": 1}
    assert found[-1] == end
    assert lines(key.ask("GET", f"{EXPORT}&guest=1"))[1:] == [
        {"line": "end", "restrictions": 0, "cases": 0, "messages": 0, "records": 0}
    ]


@pytest.mark.parametrize(
    "query", ["", "user=", f"user={'x' * 65}", "user=1&guest=2", "user=1&user=2"]
)
def test_bad_exports_are_refused(key: BackEnd, query: str) -> None:
    answer = key.ask("GET", f"/chat/export/?{query}")
    assert code(answer) == (400, Kind.BAD_QUERY.code)


def test_exports_are_for_managers_of_everything(port: Port, key: BackEnd) -> None:
    """Exports are for callers who manage everything."""
    assert port.ask("GET", EXPORT).status == 401
    world = port.world
    token = world.token("42", rooms={"*": ["join", "history", "send", "moderate"]})
    answer = port.ask("GET", EXPORT, Authorization=f"Bearer {token}")
    assert code(answer) == (403, "forbidden")


def test_a_broken_export_ends_with_an_error(
    key: BackEnd, port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export that breaks off ends with an error, and has no last line."""
    say(key, "one", user="42")

    def away(*_: object) -> Any:
        raise ChatError(Kind.UNAVAILABLE, "away")

    monkeypatch.setattr(port.world.backend.archive, "rooms", away)
    answer = key.ask("GET", EXPORT)
    assert lines(answer)[1:] == [{"line": "error", "code": "unavailable", "detail": "away"}]
