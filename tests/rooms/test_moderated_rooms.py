"""Settings that moderators change, and what holds in their rooms then."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import convert

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.protocol.actions import ChangeRoom
from tests.members.session_client import KEY, Client
from tests.rooms.moderating import (
    acts,
    closed,
    code,
    manager,
    moderator,
    restricts,
    user,
)
from tests.support import World, kind


def test_members_are_told_settings_without_words(world: World) -> None:
    """Members are told the room's settings, but for its words; one that comes sees them."""
    ann, bob = user(world), moderator(world)
    assert "settings" not in ann.heard()[0]
    acts(bob, type="room", set={"slow": 5, "words": ["bad"], "topic": "ships"})
    assert ann.hears("room") == [{"type": "room", "settings": {"slow": 5, "topic": "ships"}}]
    assert user(world).heard()[0]["settings"] == {"slow": 5, "topic": "ships"}
    acts(bob, type="room", set={"words": ["worse"]})
    assert ann.hears("room") == []
    acts(bob, type="room", set={"slow": None, "topic": None, "words": None})
    assert ann.hears("room") == [{"type": "room", "settings": {}}]


def test_slow_mode_spaces_messages_of_a_user(world: World) -> None:
    """A user waits between two messages, wherever it is; moderators do not."""
    ann, again, bob = user(world), user(world), moderator(world)
    acts(bob, type="room", set={"slow": 10})
    assert acts(ann, type="message", message="1")["type"] == "ack"
    refused = acts(again, type="message", message="2")["error"]
    assert refused["code"] == "slow_mode"
    assert 0 < refused["retry_ms"] <= 10_000
    assert acts(bob, type="message", message="3")["type"] == "ack"
    assert acts(bob, type="message", message="4")["type"] == "ack"
    world.clock.advance(10)
    assert acts(ann, type="message", message="5")["type"] == "ack"


def test_slow_mode_of_guests(world: World) -> None:
    """A guest that comes by another key from the same address waits all the same."""
    bob = moderator(world)
    acts(bob, type="room", set={"slow": 10})
    assert acts(Client(world, key=KEY), type="message", message="1")["type"] == "ack"
    assert code(acts(Client(world, key="z" * 16), type="message", message="2")) == "slow_mode"
    assert acts(user(world), type="message", message="3")["type"] == "ack"


def test_a_room_has_one_rate(world: World) -> None:
    """All together have so many messages a second."""
    eve = manager(world)
    acts(eve, type="room", set={"rate": 2})
    ann, bob = user(world), user(world, "43")
    for client in (ann, bob):
        client.sends({"message": "x"}, {"message": "x"}, {"message": "x"})
    assert len(ann.hears("ack") + bob.hears("ack")) <= 3
    assert {each["error"]["code"] for each in bob.hears("error")} <= {"slow_mode"}
    assert acts(eve, type="message", message="x")["type"] == "ack"


def test_a_closed_room_empties(world: World) -> None:
    """All but those that moderate or manage leave, and are told why."""
    ann, bob, eve = user(world), moderator(world), manager(world)
    guest = Client(world)
    acts(bob, type="room", set={"closed": True})
    world.clock.advance(0)
    assert closed(ann) == closed(guest) == (Kind.ROOM_CLOSED, "This room is closed.")
    assert closed(bob) is closed(eve) is None
    assert kind(user(world).opening) is Kind.ROOM_CLOSED
    acts(bob, type="room", set={"closed": False})
    assert user(world).heard()[0]["type"] == "hello"


def test_guests_that_only_read(world: World) -> None:
    """The rights of those that are there change with the setting."""
    guest, eve = Client(world), manager(world)
    guest.heard()
    acts(eve, type="room", set={"guests": "read"})
    world.clock.advance(0)
    assert guest.hears("rights") == [{"type": "rights", "can": ["join", "history"]}]
    acts(eve, type="room", set={"members": True})
    world.clock.advance(0)
    assert closed(guest) == (Kind.UNAUTHORIZED, "Only members may enter this room.")


def test_presence_off_shows_numbers(world: World) -> None:
    """Members are told numbers when they ask, and nothing of each other; a moderator sees all."""
    bob, eve = moderator(world), manager(world)
    acts(eve, type="room", set={"presence": False})
    ann, carl = user(world), user(world, "43")
    ann.heard()
    ann.sends({"type": "typing"})
    ann.session.close()
    world.clock.advance(30)
    carl.sends({"type": "presence"})
    assert [frame for frame in carl.heard() if frame["type"] not in ("hello", "room")] == [
        {"type": "presence", "users": 3, "connections": 3, "members": []}
    ]
    bob.heard()
    bob.sends({"type": "presence"})
    assert len(bob.hears("presence")[0]["members"]) == 3


@pytest.mark.parametrize("room", ["*", "team-*", "r*", "!audit*", "a*b", ""])
def test_patterns_need_managing_all_rooms(world: World, room: str) -> None:
    """Settings of a pattern of rooms are for who manages all rooms."""
    change: Any = {"type": "room", "set": {"slow": 5}}
    fits = room in ("*", "team-*", "r*")
    expected = None if fits else Kind.BAD_ROOM
    eve: Actor = manager(world).session._actor
    assert set_for(world, eve, room, change) is expected
    bob: Actor = moderator(world).session._actor
    assert set_for(world, bob, room, change) is (Kind.FORBIDDEN if fits else Kind.BAD_ROOM)
    assert world.chat.settings.of("r").slow == (5 if room in ("*", "r*") else 0)


def set_for(world: World, actor: Actor, room: str, change: Any) -> Kind | None:
    action = convert({"set": change["set"], "type": "room"}, ChangeRoom)
    try:
        world.chat.moderation.change(actor, room, action)
    except ChatError as reason:
        return reason.kind
    return None


def test_acts_count_and_need_a_living_token(world: World) -> None:
    """Acts count as any others do, and those of a token that has ended are refused."""
    bob = moderator(world)
    world.clock.advance(3_600)
    assert code(restricts(bob)) == "token_expired"
    assert code(acts(bob, type="room", set={"slow": 3})) == "token_expired"
