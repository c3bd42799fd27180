"""`livechat.web.back_ends`: actions and batches by HTTP, each by the rights of its key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from livechat.protocol.back_ends import MOST_ACTIONS
from tests.support import Port, World, request
from tests.web.back_end import (
    ACTIONS,
    BackEnd,
    batch,
    code,
    records,
    results,
    said,
    say,
    sets,
    state,
)

NEWS = {"news": ["join", "send"]}


def test_a_batch_is_answered_in_order(key: BackEnd) -> None:
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


def test_a_bug_in_an_action(key: BackEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    """An action that hits a bug is answered as internal, without details; the others are done."""
    say_it = key.port.world.chat.say

    def broken(actor: Any, room: str, *args: Any, **more: Any) -> None:
        if room == "bug":
            raise ZeroDivisionError
        say_it(actor, room, *args, **more)

    monkeypatch.setattr(key.port.world.chat, "say", broken)
    assert results(batch(key, say("a"), say("bug"), say("a"))) == [1, "internal", 2]


def test_each_action_has_the_rights_of_its_key(port: Port) -> None:
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


def test_guests_and_users_send_batches(make_world: Callable[..., World]) -> None:
    """Batches are for all, within their rates; a guest's nonces are as long as elsewhere."""
    port = Port(make_world(rate=1))
    guest, user = BackEnd(port, ""), BackEnd(port, port.world.token())
    nonces = [say("a", nonce="n" * 15), say("a", nonce="n" * 16), say("a", **{"as": {"x": 1}})]
    assert results(batch(guest, *nonces, say("a"))) == ["bad_request", 1, 2, "rate_limited"]
    retract = {"type": "retract", "room": "a", "ref": 3}
    assert results(batch(user, say("a", nonce="n"), retract)) == [3, 4]


def test_extra_fields_beside_an_action_are_ignored(port: Port) -> None:
    """Extra fields beside an action, sent to a room's address, are ignored."""
    for who in (BackEnd(port, ""), BackEnd(port, port.world.token())):
        for more in ({"room": 7}, {"room": "other"}, {"as": {"no": "id"}}):
            answer = who.ask("POST", "/chat/actions/r/", {"message": "x", **more})
            assert (answer.status, answer.json()["type"]) == (200, "ack")
    assert len(said(port, "r")) == 6


def test_each_act_has_its_own_user(key: BackEnd) -> None:
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


def test_a_batch_takes_no_idempotency_key(key: BackEnd) -> None:
    """An Idempotency-Key with a batch is refused: its action would be unclear."""
    answer = batch(key, say("a"), Idempotency_Key="k" * 16)
    assert code(answer) == (400, "bad_request")
    single = key.ask("POST", ACTIONS, say("a"), Idempotency_Key="k" * 16)
    assert single.json()["nonce"] == "k" * 16


def test_a_single_action_needs_no_batch(key: BackEnd) -> None:
    """A single action is answered as at its room's address, and may need no room."""
    assert key.ask("POST", ACTIONS, say("a")).json()["seq"] == 1
    assert code(key.ask("POST", ACTIONS, {"message": "x"})) == (400, "bad_room")
    assert code(key.ask("POST", ACTIONS, {"type": "revoke"})) == (400, "bad_message")
    for path in (ACTIONS, "/chat/actions/a/"):
        done = key.ask("POST", path, {"type": "revoke", "user": "42"}).json()
        assert done.keys() == {"type", "time"}
    assert [each.action.type for each in records(key.port.world)] == ["revoke", "revoke"]


def test_a_revoked_user_is_out_by_every_way(key: BackEnd) -> None:
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


def test_settings_are_for_rooms_and_patterns(port: Port) -> None:
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


def test_an_act_everywhere_needs_no_room(port: Port) -> None:
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


def test_a_refusal_has_the_words_of_the_moderator(port: Port) -> None:
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
