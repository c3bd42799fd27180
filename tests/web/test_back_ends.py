"""`livechat.web.back_ends`: actions, batches, rooms and members by HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from livechat.errors import ChatError, Kind
from livechat.protocol.back_ends import MOST_ACTIONS
from livechat.protocol.cluster import Share
from livechat.protocol.messages import User
from livechat.rooms.presence import LARGE_ROOM
from livechat.web.queries import LARGEST_BATCH, MOST_LAST
from tests.support import LOCAL_KEY, Answer, Port, World, request
from tests.web.back_end import BackEnd, code, records

ACTIONS = "/chat/actions/"
NEWS = {"news": ["join", "send"]}


def batch(of: BackEnd, *actions: Any, **headers: str) -> Answer:
    return of.ask("POST", ACTIONS, {"actions": list(actions)}, **headers)


def results(answer: Answer) -> list[Any]:
    """Numbers of what was stored, and codes of what was refused."""
    assert answer.status == 200
    return [
        each["error"]["code"] if each["type"] == "error" else each.get("seq")
        for each in answer.json()["results"]
    ]


def said(port: Port, room: str) -> list[str]:
    answer = port.ask("GET", f"/chat/history/{room}/?limit=1000")
    return [each["message"] for each in answer.json()["chat_history"]]


def say(room: str, text: Any = "x", **more: Any) -> dict[str, Any]:
    return {"room": room, "message": text, **more}


@pytest.fixture
def key(port: Port) -> BackEnd:
    return BackEnd(port, as_users=True)


def test_a_batch(key: BackEnd) -> None:
    """A hundred in two rooms are stored and answered in order, and so are their errors."""
    actions = [say("ab"[n % 2], str(n), nonce=f"n{n}") for n in range(MOST_ACTIONS)]
    actions[10] = {"type": "edit", "room": "a", "ref": 1, "message": "mine?"}
    actions[11] = say("b", "\u200b")
    found = batch(key, *actions)
    numbers = [n // 2 + 1 - (n > 10) for n in range(MOST_ACTIONS)]
    expected: list[Any] = numbers.copy()
    expected[10], expected[11] = "forbidden", "empty_message"
    assert results(found) == expected
    assert found.json()["results"][0]["nonce"] == "n0"
    texts = [str(n) for n in range(MOST_ACTIONS) if n not in (10, 11)]
    assert said(key.port, "a") == texts[::2]
    assert said(key.port, "b") == texts[1::2]
    again = batch(key, *actions[:2])
    assert [each["duplicate"] for each in again.json()["results"]] == [True, True]


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
def test_no_batch(key: BackEnd, body: bytes) -> None:
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


def test_a_bug_in_an_action(key: BackEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    """An action that hits a bug is answered as internal, without details; the others are done."""
    say_it = key.port.world.chat.say

    def broken(actor: Any, room: str, *args: Any, **more: Any) -> None:
        if room == "bug":
            raise ZeroDivisionError
        say_it(actor, room, *args, **more)

    monkeypatch.setattr(key.port.world.chat, "say", broken)
    assert results(batch(key, say("a"), say("bug"), say("a"))) == [1, "internal", 2]


def test_each_by_its_own_rights(port: Port) -> None:
    """A key that may only send in one room does that, and nothing else."""
    news = BackEnd(port, rooms=NEWS, name="news")
    found = batch(
        news,
        say("news"),
        say("lobby"),
        {"type": "revoke", "user": "42"},
        say("news", **{"as": "42"}),
        {"type": "retract", "room": "news", "ref": 1},
    )
    assert results(found) == [1, "forbidden", "forbidden", "forbidden", "forbidden"]
    assert code(news.ask("POST", "/chat/actions/lobby/", {"message": "x"})) == (403, "forbidden")
    assert records(port.world) == []


def test_guests_and_users(make_world: Callable[..., World]) -> None:
    """Batches are for all, within their rates; a guest's nonces are as long as elsewhere."""
    port = Port(make_world(rate=1))
    guest, user = BackEnd(port, ""), BackEnd(port, port.world.token())
    nonces = [say("a", nonce="n" * 15), say("a", nonce="n" * 16), say("a", **{"as": {"x": 1}})]
    assert results(batch(guest, *nonces, say("a"))) == ["bad_request", 1, 2, "rate_limited"]
    retract = {"type": "retract", "room": "a", "ref": 3}
    assert results(batch(user, say("a", nonce="n"), retract)) == [3, 4]


def test_beside_an_action(port: Port) -> None:
    """Extra fields beside an action, sent to a room's address, are ignored."""
    for who in (BackEnd(port, ""), BackEnd(port, port.world.token())):
        for more in ({"room": 7}, {"room": "other"}, {"as": {"no": "id"}}):
            answer = who.ask("POST", "/chat/actions/r/", {"message": "x", **more})
            assert (answer.status, answer.json()["type"]) == (200, "ack")
    assert len(said(port, "r")) == 6


def test_looks_count(make_world: Callable[..., World]) -> None:
    """A client that looks too often is told to wait."""
    port = Port(make_world(rate_per_ip=1))
    for target in ("/chat/rooms/r/", "/chat/members/r/"):
        assert [port.ask("GET", target).status for _ in range(3)] == [200, 200, 429]
        port.world.clock.advance(10)


def test_for_several_users(key: BackEnd) -> None:
    """Each act has its own user, who can change their own messages, and no others."""
    found = batch(
        key,
        say("a", "1", **{"as": {"id": "42", "name": "Ann"}}),
        say("a", "2", **{"as": "7"}),
        say("a", "3"),
        {"type": "edit", "room": "a", "ref": 1, "message": "one", "as": "42"},
        {"type": "edit", "room": "a", "ref": 2, "message": "two", "as": "42"},
    )
    assert results(found) == [1, 2, 3, 4, "forbidden"]
    answer = key.ask("POST", "/chat/actions/a/", {"message": "4", "as": "42"})
    assert answer.json()["seq"] == 5
    history = key.ask("GET", "/chat/history/a/").json()["chat_history"]
    assert [each.get("user", {}).get("id") for each in history] == ["42", "7", None, "42"]


def test_a_key_of_idempotency_for_many(key: BackEnd) -> None:
    """An Idempotency-Key with a batch is refused: its action would be unclear."""
    answer = batch(key, say("a"), Idempotency_Key="k" * 16)
    assert code(answer) == (400, "bad_request")
    single = key.ask("POST", ACTIONS, say("a"), Idempotency_Key="k" * 16)
    assert single.json()["nonce"] == "k" * 16


def test_a_single_action(key: BackEnd) -> None:
    """A single action is answered as at its room's address, and may need no room."""
    assert key.ask("POST", ACTIONS, say("a")).json()["seq"] == 1
    assert code(key.ask("POST", ACTIONS, {"message": "x"})) == (400, "bad_room")
    assert code(key.ask("POST", ACTIONS, {"type": "revoke"})) == (400, "bad_message")
    for path in (ACTIONS, "/chat/actions/a/"):
        done = key.ask("POST", path, {"type": "revoke", "user": "42"}).json()
        assert done.keys() == {"type", "time"}
    assert [each.action.type for each in records(key.port.world)] == ["revoke", "revoke"]


def test_revoked(key: BackEnd) -> None:
    """A revoked user is out by every way, and another is not."""
    port = key.port
    wires = []
    for known_as in ("42", "7"):
        given = {"Authorization": f"Bearer {port.world.token(known_as)}"}
        wire = port.connect()
        wire.send(request("GET", "/chat/events/a/", **given))
        assert wire.events()
        wires.append(wire)
    user = BackEnd(port, port.world.token("42"))
    assert results(batch(key, {"type": "revoke", "user": "42"})) == [None]
    assert [wire.closing for wire in wires] == [True, False]
    for method, target in (("POST", "/chat/send/a/"), ("GET", "/chat/history/a/")):
        body = {"message": "x"} if method == "POST" else None
        assert code(user.ask(method, target, body)) == (401, "token_revoked")


def test_long_batches(port: Port) -> None:
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


def enter(port: Port, room: str, name: str, count: int = 1) -> None:
    for _ in range(count):
        wire = port.connect()
        wire.send(request("GET", f"/chat/events/{room}/?name={name}&client={name:-<16}"))
        assert wire.events()


def test_rooms(port: Port) -> None:
    """Active rooms are listed by name, in pages, for callers who manage everything."""
    for room in "cab":
        enter(port, room, "Ann", 2)
    key = BackEnd(port)
    key.ask("POST", "/chat/send/d/", {"message": "x"})
    found = key.ask("GET", "/chat/rooms/").json()
    assert [each["room"] for each in found["rooms"]] == ["a", "b", "c", "d"]
    assert found["next"] is None
    assert found["rooms"][0] == {
        "room": "a", "connections": 2, "rate": 0.0, "seq": 0, "time": 0, "title": "", "topic": "",
    }  # fmt: skip
    assert (found["rooms"][3]["seq"], found["rooms"][3]["time"] > 0) == (1, True)
    page = key.ask("GET", "/chat/rooms/?limit=2&after=a").json()
    assert ([each["room"] for each in page["rooms"]], page["next"]) == (["b", "c"], "c")
    last = key.ask("GET", "/chat/rooms/?after=c&limit=1").json()
    assert ([each["room"] for each in last["rooms"]], last["next"]) == (["d"], None)
    assert key.ask("GET", "/chat/rooms/?after=zzz").json() == {"rooms": [], "next": None}
    assert len(key.ask("GET", "/chat/rooms/?limit=0").json()["rooms"]) == 1
    assert code(key.ask("GET", "/chat/rooms/?limit=-1")) == (400, "bad_query")


def test_listed_rooms(port: Port) -> None:
    """Others find the active rooms that are listed, and that they may join."""
    key = BackEnd(port)
    for room in ("lobby", "news", "team-a", "team-b"):
        key.ask("POST", f"/chat/send/{room}/", {"message": "x"})
    assert port.ask("GET", "/chat/rooms/").json() == {"rooms": [], "next": None}
    sets(key, "*", listed=True)
    sets(key, "lobby", title="The <b>lobby</b>", topic="ships")
    sets(key, "news", listed=False)
    sets(key, "team-*", guests="off")
    (line,) = port.ask("GET", "/chat/rooms/").json()["rooms"]
    assert (line["room"], line["title"], line["topic"]) == ("lobby", "The <b>lobby</b>", "ships")
    ann = BackEnd(port, port.world.token("7"))
    assert names(ann) == ["lobby", "team-a", "team-b"]
    key.ask("POST", "/chat/actions/team-a/", {"type": "restrict", "user": "7", "kind": "ban"})
    assert names(ann) == ["lobby", "team-b"]
    assert names(BackEnd(port, rooms={"team-b": ["*"]}, name="lesser")) == ["team-b"]
    sets(key, "*", closed=True)
    assert names(ann) == []
    assert names(key) == ["lobby", "news", "team-a", "team-b"]


def names(of: BackEnd) -> list[str]:
    return [each["room"] for each in of.ask("GET", "/chat/rooms/").json()["rooms"]]


def sets(by: BackEnd, room: str, **settings: Any) -> None:
    answer = by.ask("POST", ACTIONS, {"type": "room", "room": room, "set": settings})
    assert answer.status == 200, answer.json()


def test_patterns(port: Port) -> None:
    """Settings are for a room, a beginning of rooms, or all, one at a time or in a batch."""
    key = BackEnd(port)
    sets(key, "team-*", slow=5)
    found = batch(
        key,
        {"type": "room", "room": "*", "set": {"topic": "all"}},
        {"type": "room", "room": "team-a", "set": {"slow": 9}},
        {"type": "room", "room": "t*m", "set": {"slow": 9}},
        {"type": "room", "room": "!audit*", "set": {"slow": 9}},
        {"type": "room", "set": {"slow": 9}},
        {"type": "retract", "room": "team-*", "ref": 1},
        {"type": "restrict", "room": "*", "user": "42", "kind": "ban"},
    )
    assert results(found) == [None, None, *["bad_room"] * 5]
    settings = {room: state(key, room)["settings"] for room in ("x", "team-a", "team-b")}
    assert settings == {
        "x": {"topic": "all"},
        "team-a": {"topic": "all", "slow": 9},
        "team-b": {"topic": "all", "slow": 5},
    }
    lesser = BackEnd(port, rooms={"team-*": ["*"]}, name="lesser")
    for room in ("*", "team-*", "team-a*"):
        change = {"type": "room", "room": room, "set": {"slow": 1}}
        assert code(lesser.ask("POST", ACTIONS, change)) == (403, "forbidden")
    # A path names rooms only.
    for path in ("team-%2A", "%2A", "team-*"):
        answer = key.ask("POST", f"{ACTIONS}{path}/", {"type": "room", "set": {"slow": 1}})
        assert code(answer) == (400, "bad_room")


def state(of: BackEnd, room: str) -> Any:
    return of.ask("GET", f"/chat/rooms/{room}/").json()


def test_everywhere(port: Port) -> None:
    """An action in all rooms needs no room's name."""
    key = BackEnd(port)
    ban = {"type": "restrict", "user": "7", "kind": "ban", "everywhere": True}
    assert key.ask("POST", ACTIONS, ban).status == 200
    user = BackEnd(port, port.world.token("7"))
    assert code(user.ask("GET", "/chat/rooms/x/")) == (403, "banned")
    pardon = {"type": "pardon", "user": "7", "everywhere": True}
    found = batch(key, pardon, {**ban, "room": "*"}, {**pardon, "room": "x"})
    assert results(found) == [None, None, None]
    assert user.ask("GET", "/chat/rooms/x/").status == 200
    assert code(key.ask("POST", ACTIONS, {**ban, "everywhere": False})) == (400, "bad_room")
    lesser = BackEnd(port, rooms={"x": ["*"]}, name="lesser")
    assert results(batch(lesser, {**ban, "room": "x"}, ban)) == ["forbidden", "forbidden"]


def test_settings_of_a_room(port: Port) -> None:
    """A room's settings are for all, but its filter's words only for moderators."""
    key = BackEnd(port)
    sets(key, "a", words=["bad"], slow=5, members=False)
    assert state(key, "a")["settings"] == {"words": ["bad"], "slow": 5}
    assert port.ask("GET", "/chat/rooms/a/").json()["settings"] == {"slow": 5}


def test_reasons(port: Port) -> None:
    """A refusal has the moderator's own words, and says how long it holds."""
    key = BackEnd(port)
    action = {"type": "restrict", "user": "7", "kind": "mute", "seconds": 60, "reason": "spam"}
    assert key.ask("POST", f"{ACTIONS}a/", action).status == 200
    answer = BackEnd(port, port.world.token("7")).ask("POST", "/chat/send/a/", {"message": "x"})
    problem = answer.json()
    assert (answer.status, problem["code"], problem["reason"]) == (403, "muted", "spam")
    assert answer.headers["retry-after"] == "60"
    assert "case" not in problem
    assert "reason" not in key.ask("POST", "/chat/send/a/", {}).json()


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
def test_hostile_actions(port: Port, action: dict[str, Any], expected: str) -> None:
    """A hostile action is refused by itself, in its room and in a batch, and not recorded."""
    key = BackEnd(port)
    assert key.ask("POST", f"{ACTIONS}r/", action).code() == expected
    found = batch(key, {"room": "r", **action}, say("a"))
    assert results(found) == [expected, 1]
    assert records(port.world) == []


def test_a_room(port: Port) -> None:
    """A room has its users, its place and the caller's rights, for callers who may join."""
    enter(port, "a", "Ann", 2)
    enter(port, "a", "Ben")
    key = BackEnd(port)
    key.ask("POST", "/chat/send/a/", {"message": "x"})
    found = port.ask("GET", "/chat/rooms/a/").json()
    assert found.pop("epoch")
    assert found == {
        "room": "a", "users": 2, "connections": 3, "seq": 1, "can": ["join", "history", "send"],
        "settings": {},
    }  # fmt: skip
    empty = key.ask("GET", "/chat/rooms/nowhere/").json()
    assert (empty["users"], empty["seq"], empty["can"][-1]) == (0, 0, "manage")
    for target in ("/chat/rooms/a/", "/chat/members/a/"):
        lesser = BackEnd(port, rooms={"a": ["send"]}, name=target)
        assert code(lesser.ask("GET", target)) == (403, "forbidden")
        assert code(key.ask("GET", target.replace("a/", "*/"))) == (400, "bad_room")
    assert code(key.ask("GET", "/chat/rooms/!audit/")) == (400, "bad_room")


def test_the_newest_messages_of_a_room(port: Port) -> None:
    """Visitors at the door see a few last messages, if they may read."""
    key = BackEnd(port)
    for number in range(MOST_LAST + 5):
        key.ask("POST", "/chat/send/a/", {"message": str(number)})
    assert last(port, 2) == ["23", "24"]
    assert last(port, 0) == []
    assert last(port, 10**9) == [str(number) for number in range(5, MOST_LAST + 5)]
    assert "messages" not in port.ask("GET", "/chat/rooms/a/").json()
    assert code(port.ask("GET", "/chat/rooms/a/?last=-1")) == (400, "bad_query")
    lesser = BackEnd(port, rooms={"a": ["join"]}, name="lesser")
    assert "messages" not in lesser.ask("GET", "/chat/rooms/a/?last=2").json()


@pytest.mark.parametrize(
    ("setting", "status"),
    [({"closed": True}, 404), ({"members": True}, 401), ({"guests": "off"}, 401)],
)
def test_the_door_of_a_room_that_is_not_open(port: Port, setting: Any, status: int) -> None:
    """Strangers learn neither how many are in a room that they cannot enter, nor what was said."""
    key = BackEnd(port)
    enter(port, "a", "Ann", 2)
    key.ask("POST", "/chat/send/a/", {"message": "secret"})
    sets(key, "a", title="Layoffs", **setting)
    answer = port.ask("GET", "/chat/rooms/a/?last=5")
    assert answer.status == status
    assert not {"users", "messages", "settings"} & answer.json().keys()
    assert b"secret" not in answer.body
    assert b"Layoffs" not in answer.body


def last(port: Port, count: int) -> list[str]:
    found = port.ask("GET", f"/chat/rooms/a/?last={count}").json()
    return [each["message"] for each in found["messages"]]


def test_members(port: Port) -> None:
    """Users with their names, each once, a page at a time."""
    names = [f"n{number:03}" for number in range(LARGE_ROOM + 5)]
    for name in names:
        enter(port, "a", name)
    enter(port, "a", names[0])
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = port.ask("GET", f"/chat/members/a/?limit=40&after={after}").json()
        assert page["users"] == len(names)
        found += [each["name"] for each in page["members"]]
        after = page["next"]
    assert sorted(found) == names
    assert len(port.ask("GET", "/chat/members/a/").json()["members"]) == 100
    assert port.ask("GET", "/chat/members/b/").json() == {"users": 0, "members": [], "next": None}


def test_members_elsewhere(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without members in the room asks the others for a moment, and forgets."""
    world = port.world
    ben = User("b", "Ben")
    subscribe = world.backend.messages.subscribe

    def tell(room: str) -> Any:
        world.chat.presence.present(room, [Share((ben,), 1, 2)])
        return subscribe(room)

    monkeypatch.setattr(world.backend.messages, "subscribe", tell)
    assert port.ask("GET", "/chat/members/a/").json() == {
        "users": 1, "members": [{"id": "b", "name": "Ben"}], "next": None,
    }  # fmt: skip
    found = port.ask("GET", "/chat/rooms/a/").json()
    assert (found["users"], found["connections"]) == (1, 2)
    assert world.chat.presence._rooms == {}
    assert not world.hub.is_open("a")


def test_members_that_are_not_told_of(port: Port) -> None:
    """A room without presence names its members to moderators only."""
    key = BackEnd(port)
    enter(port, "a", "Ann")
    sets(key, "a", presence=False)
    assert port.ask("GET", "/chat/members/a/").json() == {"users": 1, "members": [], "next": None}
    assert [each["name"] for each in key.ask("GET", "/chat/members/a/").json()["members"]] == [
        "Ann"
    ]


def test_a_backend_that_is_away(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that is away is an error, and leaves nothing behind."""

    def away(room: str) -> Any:
        raise ChatError(Kind.UNAVAILABLE, "away")

    monkeypatch.setattr(port.world.backend.messages, "subscribe", away)
    for target in ("/chat/rooms/a/", "/chat/members/a/"):
        assert code(port.ask("GET", target)) == (503, "unavailable")
    assert not port.world.hub.is_open("a")
