"""`livechat.web.back_ends`: rooms and their members, as callers see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from livechat.errors import ChatError, Kind
from livechat.protocol.cluster import Share
from livechat.protocol.messages import User
from livechat.rooms.presence import LARGE_ROOM
from livechat.web.queries import MOST_LAST
from tests.support import Port, World
from tests.web.back_end import (
    BackEnd,
    code,
    enter,
    sets,
    state,
)


@pytest.mark.parametrize("target", ["/chat/rooms/r/", "/chat/members/r/"])
def test_looks_are_rate_limited(make_world: Callable[..., World], target: str) -> None:
    """A client that looks too often is told to wait."""
    port = Port(make_world(rate_per_ip=1))
    assert [port.ask("GET", target).status for _ in range(3)] == [200, 200, 429]


def test_active_rooms_are_paged_by_name(port: Port) -> None:
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


def test_others_find_listed_rooms(port: Port) -> None:
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


def test_words_of_a_room_are_for_moderators(port: Port) -> None:
    """A room's settings are for all, but its filter's words only for moderators."""
    key = BackEnd(port)
    sets(key, "a", words=["bad"], slow=5, members=False)
    assert state(key, "a")["settings"] == {"words": ["bad"], "slow": 5}
    assert port.ask("GET", "/chat/rooms/a/").json()["settings"] == {"slow": 5}


def test_a_room_has_users_place_and_rights(port: Port) -> None:
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


def test_members_are_paged_once_each(port: Port) -> None:
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


def test_members_at_other_processes_are_found(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_backend_that_is_away_leaves_nothing_behind(
    port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backend that is away is an error, and leaves nothing behind."""

    def away(room: str) -> Any:
        raise ChatError(Kind.UNAVAILABLE, "away")

    monkeypatch.setattr(port.world.backend.messages, "subscribe", away)
    for target in ("/chat/rooms/a/", "/chat/members/a/"):
        assert code(port.ask("GET", target)) == (503, "unavailable")
    assert not port.world.hub.is_open("a")
