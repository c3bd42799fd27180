"""`livechat.members.session`: ``livechat.v1``, frames in, frames out (``docs/protocol.md``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from livechat.errors import Kind
from livechat.members.base import NOISE_RATE
from livechat.members.session import ASK_RATE
from livechat.protocol.settings import EDIT_WITHIN
from livechat.rooms.chat import Chat
from livechat.rooms.history import HISTORY_PAGE
from livechat.rooms.presence import LARGE_ROOM, RETURN_WITHIN, TYPING_EVERY
from tests.conformance import SCENES, Scene
from tests.members.paging import place, seqs
from tests.members.plain_client import Client as PlainClient
from tests.members.session_client import KEY, Client, say
from tests.protocol.v1_hostile import HOSTILE
from tests.support import SOMEBODY, World, run


class Alone:
    """A stage of one process."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock: Any = world.clock

    def chat(self, which: int) -> Chat:
        return self.world.chat

    def until(self, holds: Callable[[], Any]) -> None:
        self.clock.advance(0)
        self.world.hub.flush()
        assert holds()


@pytest.mark.parametrize("scene", SCENES)
def test_frames_conform_to_the_protocol(world: World, scene: str) -> None:
    """Frames in, frames out."""
    Scene(Alone(world)).play(SCENES[scene])


def test_hello_says_identity_place_and_rights(make_world: Callable[..., World]) -> None:
    """The first frame says who one is, where the room stands, and what one may do."""
    world = make_world(rate=20)
    say(world, "a", "b")
    client = Client(world, name="Ann", key=KEY)
    hello = client.heard()[0]
    assert hello.pop("connection")
    ann = client.session._actor.user
    assert ann is not None
    assert hello.pop("user") == {"id": ann.id, "name": "Ann"}
    assert hello == {
        "type": "hello",
        "room": "r",
        "epoch": place(world, 0).epoch,
        "seq": 2,
        "limits": {
            "message_bytes": 16_384,
            "rate": 20.0,
            "burst": 40.0,
            "page": HISTORY_PAGE,
            "edit": EDIT_WITHIN,
        },
        "heartbeat": 25,
        "time": 1_790_000_000_000,
        "can": ["join", "history", "send"],
    }


def test_a_message_is_acknowledged_and_delivered(world: World) -> None:
    """A message is acknowledged to its sender and told to all, with who said it."""
    one, two = Client(world, name="Ann"), Client(world)
    user = one.heard()[0]["user"]
    two.heard()
    one.sends({"type": "message", "message": "hi", "nonce": "n-17"})
    said = {
        "type": "message", "message": "hi", "seq": 1, "time": 1_790_000_000_000, "user": user,
    }  # fmt: skip
    assert sorted(one.hears("ack", "message"), key=lambda frame: str(frame["type"])) == [
        {"type": "ack", "nonce": "n-17", "seq": 1, "time": 1_790_000_000_000},
        said,
    ]
    assert two.hears("ack", "message") == [said]
    # Neither a type nor a nonce is needed.
    two.sends({"message": "x"})
    assert two.hears("ack") == [{"type": "ack", "seq": 2, "time": 1_790_000_000_000}]


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "\u200d", "\u3164", "\ufe0f", "\u0301", "\u2800 \x07"]
)
def test_messages_of_which_nothing_is_seen(world: World, text: str) -> None:
    """Invisible messages are refused, except from plain clients: their contract delivers them."""
    client, plain = Client(world), PlainClient(world)
    client.sends({"message": text, "nonce": "n"})
    (refused,) = client.hears("error", "ack", "message")
    assert refused["error"]["code"] == "empty_message"
    assert refused["nonce"] == "n"
    plain.says({"message": text})
    assert client.hears("message")[0]["message"] == text
    assert plain.heard() == [{"message": text}]
    # Unseen characters around a visible one stay.
    client.sends({"message": f"{text}x{text}", "nonce": "n"})
    assert client.hears("message")[0]["message"] == f"{text}x{text}"


@pytest.mark.parametrize("name", ["Admin", "You", "\u041eperator", "sys\u034ftem"])
def test_a_reserved_name_is_replaced(world: World, name: str) -> None:
    """A reserved name is not for guests: `hello` says which they have, and all see that."""
    other = Client(world)
    other.heard()
    guest = Client(world, name=name, key=KEY)
    called = guest.heard()[0]["user"]["name"]
    assert called.startswith("guest-")
    guest.sends({"message": "hi"})
    assert other.hears("message")[0]["user"]["name"] == called
    assert Client(world, key=KEY).heard()[0]["user"]["name"] == called


def test_modes_share_a_room(world: World) -> None:
    """Plain clients hear what others say, and are heard, with a name."""
    plain, client = PlainClient(world), Client(world)
    client.sends({"message": "from v1"})
    plain.says({"message": "from plain"})
    assert plain.heard() == [{"message": "from v1"}, {"message": "from plain"}]
    first, second = client.hears("message")
    assert (first["message"], second["message"]) == ("from v1", "from plain")
    assert second["user"]["name"].startswith("guest-")


def test_a_repeated_nonce_is_delivered_once(world: World) -> None:
    """A repeated nonce is acknowledged again, and its message delivered once."""
    one = Client(world, key=KEY)
    again = {"message": "hi", "nonce": "n"}
    one.sends(again, again)
    first, second = one.hears("ack")
    assert second == {**first, "duplicate": True}
    one.session.close()
    # From another connection of the same user as well, but from nobody else.
    back, other = Client(world, key=KEY), Client(world, key=KEY + "x")
    back.sends(again)
    assert back.hears("ack") == [second]
    other.sends(again)
    assert other.hears("ack")[0]["seq"] == 2
    back.sends({"message": "another", "nonce": "n"})
    (refused,) = back.hears("error")
    assert refused["error"]["code"] == "nonce_reused"
    assert refused["nonce"] == "n"
    assert seqs(other.heard()) == []


@pytest.mark.parametrize(("value", "kind"), HOSTILE, ids=lambda value: str(value)[:40])
def test_a_bad_frame_is_answered_to_its_sender(world: World, value: Any, kind: Kind) -> None:
    """A bad frame is answered to its sender alone, who can go on."""
    one, two = Client(world), Client(world)
    one.heard(), two.heard()
    one.sends(value)
    (answer,) = one.heard()
    assert answer["type"] == "error"
    assert answer["error"]["code"] == kind.code
    assert two.heard() == []
    one.sends({"message": "hi"})
    assert len(two.hears("message")) == 1


def test_a_refusal_has_the_nonce_and_the_wait(make_world: Callable[..., World]) -> None:
    """A message that may not be sent is answered with its nonce, and when it may."""
    one = Client(make_world(rate=1, max_message=10))
    one.sends({"message": "x" * 11, "nonce": "long"})
    one.sends(*({"message": "x", "nonce": str(number)} for number in range(3)))
    long, fast = one.hears("error")
    assert long["error"]["code"] == "message_too_long"
    assert long["nonce"] == "long"
    assert "retry_ms" not in long["error"]
    assert fast["error"]["code"] == "rate_limited"
    assert fast["error"]["retry_ms"] == 1_000
    assert fast["nonce"] == "2"


def test_a_ping_is_answered(world: World) -> None:
    """Browsers, which see no RFC 6455 pings, may send a ping of their own."""
    one = Client(world)
    one.heard()
    one.sends({"type": "ping"}, {"type": "ping", "new": 1})
    assert one.heard() == [{"type": "pong"}, {"type": "pong"}]


@pytest.mark.parametrize("kind", ["nonsense", "typing", "presence", "ping"])
def test_frames_without_messages_have_a_budget(world: World, kind: str) -> None:
    """Frames that are no messages have a budget."""
    one = Client(world)
    one.sends(*[{"type": kind}] * (int(NOISE_RATE.burst) + int(ASK_RATE.burst) + 1))
    assert one.flood is not None


def test_asking_too_much(world: World) -> None:
    """Frames that make the server read are rate limited."""
    one = Client(world)
    one.sends(*[{"type": "presence"}] * (int(ASK_RATE.burst) + 1))
    refused = one.hears("error")
    assert [frame["error"]["code"] for frame in refused] == ["rate_limited"]
    assert one.flood is None


def test_presence_lists_users_once(world: World) -> None:
    """Presence lists users; three tabs of one user are one user."""
    tabs = [Client(world, name="Ann", key=KEY) for _ in range(3)]
    other = Client(world, name="Bob")
    other.heard()
    other.sends({"type": "presence"})
    (answer,) = other.heard()
    assert (answer["users"], answer["connections"]) == (2, 4)
    assert [user["name"] for user in answer["members"]] == ["Ann", "Bob"]
    assert [f["user"]["name"] for f in tabs[0].hears("joined")] == ["Bob"]


def test_first_and_last_connections_are_told(world: World) -> None:
    """A user's first connection comes, and its last one goes."""
    watcher = Client(world)
    watcher.heard()
    first, second = Client(world, name="Bob"), Client(world, name="Cid", key=KEY)
    assert [f["user"]["name"] for f in watcher.hears("joined", "left")] == ["Bob", "Cid"]
    first.session.close()
    assert [f["user"]["name"] for f in watcher.hears("left")] == ["Bob"]
    # A user who may return has not left at once.
    second.session.close()
    world.clock.advance(RETURN_WITHIN - 1)
    Client(world, name="Cid", key=KEY).session.close()
    world.clock.advance(RETURN_WITHIN - 1)
    assert watcher.hears("joined", "left") == []
    world.clock.advance(1)
    assert [f["user"]["name"] for f in watcher.hears("left")] == ["Cid"]


def test_large_rooms_are_told_numbers(world: World) -> None:
    """Large rooms are told the numbers of users, once a second."""
    clients = [Client(world) for _ in range(LARGE_ROOM + 3)]
    first = clients[0]
    assert len(first.hears("joined")) == LARGE_ROOM - 1
    for client in clients[-2:]:
        client.session.close()
    assert first.heard() == []
    world.clock.advance(1)
    assert first.heard() == [
        {"type": "presence", "users": LARGE_ROOM + 1, "connections": LARGE_ROOM + 1}
    ]
    world.clock.advance(10)
    assert first.heard() == []
    first.sends({"type": "presence"})
    assert len(first.heard()[0]["members"]) == LARGE_ROOM
    first.sends({"type": "typing"})
    assert first.heard() == []


def test_typing_is_rate_limited(world: World) -> None:
    """Typing is forwarded to all at a limited rate, and not stored."""
    one, two = Client(world, name="Ann", key=KEY), Client(world)
    tab = Client(world, name="Ann", key=KEY)
    user = one.heard()[0]["user"]
    two.heard()
    one.sends(*[{"type": "typing"}] * 5)
    tab.sends({"type": "typing"})
    assert two.heard() == [{"type": "typing", "user": user, "ttl": 6_000}]
    world.clock.advance(TYPING_EVERY)
    tab.sends({"type": "typing"})
    assert len(two.heard()) == 1
    assert place(world, 0) == run(world.chat.place(SOMEBODY, "r"))


def test_a_server_that_goes_says_when_to_be_back(world: World) -> None:
    """Before it goes, the server says when to be back."""
    client = Client(world)
    client.heard()
    client.session.announce_restart(1_730)
    assert client.heard() == [{"type": "goaway", "retry_ms": 1_730}]


def test_acts_are_acknowledged_with_their_events(world: World) -> None:
    """An edit and a retraction are acknowledged with the numbers of their events."""
    client = Client(world, key=KEY)
    client.sends({"message": "helo", "nonce": "a"})
    client.sends({"type": "edit", "ref": 1, "message": "hello", "nonce": "b"})
    client.sends({"type": "retract", "refs": [1], "nonce": "c"})
    acks = client.hears("ack")
    assert [(each["nonce"], each["seq"], each.get("count")) for each in acks] == [
        ("a", 1, None), ("b", 2, None), ("c", 3, 1),
    ]  # fmt: skip


def test_a_refused_act_keeps_the_connection(world: World) -> None:
    """A refusal has the nonce of what was refused; the connection stays."""
    client = Client(world, key=KEY)
    client.sends(
        {"type": "edit", "ref": 1, "message": "x", "nonce": "a"},
        {"type": "retract", "nonce": "b"},
        {"type": "edit", "ref": 1, "message": " ", "nonce": "c"},
    )
    found = [(each["nonce"], each["error"]["code"]) for each in client.hears("error")]
    assert sorted(found) == [("a", "not_found"), ("b", "bad_message"), ("c", "empty_message")]
