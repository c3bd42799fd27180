"""`livechat.rooms.renaming`: guests take other names, and stay who they are."""

from __future__ import annotations

from typing import Any

import pytest

from livechat.errors import ChatError, Kind
from livechat.identity.door import Claim
from livechat.members.base import JoinRequest
from livechat.members.plain import PlainSession
from livechat.protocol.actions import Rename
from livechat.rooms.presence import LARGE_ROOM, RETURN_WITHIN
from tests.members.session_client import KEY, Client
from tests.support import ADMIN, RecordingClient, World, run
from tests.support.world import LOCAL_KEY


def rename(client: Client, name: Any, nonce: str = "n") -> Any:
    """The answer to a client that asks for another name."""
    client.sends({"type": "rename", "name": name, "nonce": nonce})
    answers = client.hears("ack", "error", "renamed")
    return next(each for each in answers if each.get("nonce") == nonce)


def code(answer: Any) -> str:
    assert answer["type"] == "error", answer
    assert answer["nonce"] == "n"
    found: str = answer["error"]["code"]
    return found


def name_of(world: World, client: Client) -> str:
    """The name under which the others see what *client* says."""
    other = Client(world)
    client.sends({"message": "hi"})
    found: str = other.hears("message")[-1]["user"]["name"]
    other.session.close()
    return found


def comes_plain(world: World, claim: Claim) -> tuple[RecordingClient, PlainSession]:
    client = RecordingClient()
    actor = run(world.door.member(world.source("192.0.2.3"), claim))
    session = PlainSession(world.chat, world.clock, actor, JoinRequest("r"), client)
    run(session.open())
    return client, session


@pytest.mark.parametrize(
    "name",
    ["", " ", " Ann", "Ann\u200b", "A\nB", "\u202eAnn", "\u0301", "\u3164", "x" * 41, "\x00"],
)
def test_names_that_nobody_has(world: World, name: str) -> None:
    """A name that is refused at the door is refused here, and nobody is told anything."""
    client, other = Client(world, name="Ann", key=KEY), Client(world)
    other.heard()
    assert code(rename(client, name)) == "bad_message"
    assert other.heard() == []
    assert name_of(world, client) == "Ann"


@pytest.mark.parametrize("name", ["Operator", "ad\u200dmin", "\u041eperator", "you", "Modérator"])
def test_a_reserved_name_is_replaced(world: World, name: str) -> None:
    """A reserved name, or a look-alike, is replaced by one that is made up."""
    client = Client(world, name="Ann", key=KEY)
    called = rename(client, name)["name"]
    assert called.startswith("guest-")
    assert name_of(world, client) == called
    assert Client(world, name=name, key=KEY).heard()[0]["user"]["name"] == called


def test_users_and_keys_cannot_rename(world: World) -> None:
    """A user's name is the site's to say; a back end, or an operator, has none to change."""
    user = Client(world, token=world.token("42", name="Ann"))
    assert code(rename(user, "Bob")) == "forbidden"
    assert name_of(world, user) == "Ann"
    claim = Claim(credential=LOCAL_KEY, here=True)
    back_end = run(world.door.member(world.source("127.0.0.1"), claim))
    for other in (back_end, ADMIN):
        with pytest.raises(ChatError) as refused:
            world.chat.renaming.rename(other, "r", Rename("Bob"))
        assert refused.value.kind is Kind.FORBIDDEN


def test_somebody_who_may_not_speak(world: World) -> None:
    """A name is a way to say something: a muted guest keeps theirs, and so the restriction."""
    client = Client(world, name="Ann", key=KEY)
    assert rename(client, "Bob")["name"] == "Bob"
    known_as = client.session._actor.user
    assert known_as is not None
    mute = {"type": "restrict", "user": known_as.id, "guest": True, "kind": "mute"}
    moderator = Client(world, token=world.token("1", rooms={"*": ["*"]}))
    moderator.sends(mute)
    assert code(rename(client, "Cat")) == "muted"
    # A new name is no way out of it.
    client.sends({"message": "hi", "nonce": "n"})
    assert code(client.hears("error")[-1]) == "muted"


def test_too_many_names(world: World) -> None:
    """Five a minute, whichever connection asks; the sixth is told when."""
    client, tab = Client(world, key=KEY), Client(world, key=KEY)
    for number in range(5):
        assert rename((client, tab)[number % 2], f"Ann {number}")["name"] == f"Ann {number}"
    refused = rename(tab, "Bob")
    assert code(refused) == "rate_limited"
    assert 11_000 < refused["error"]["retry_ms"] <= 12_000
    assert name_of(world, client) == "Ann 4"
    # Names that are refused do not count.
    world.clock.advance(12)
    assert code(rename(tab, "")) == "bad_message"
    assert rename(tab, "Bob")["name"] == "Bob"


def test_everybody_but_plain_clients_is_told(world: World) -> None:
    """All but plain clients, in this room alone; the id stays, and so does what was said."""
    client, other, elsewhere = Client(world, name="Ann", key=KEY), Client(world), Client(world, "s")
    plain, _ = comes_plain(world, Claim("Zoe"))
    ann = client.heard()[0]["user"]
    client.sends({"message": "before"})
    other.heard(), elsewhere.heard(), plain.frames()
    assert rename(client, "Bob") == {
        "type": "ack", "time": 1_790_000_000_000, "nonce": "n", "name": "Bob",
    }  # fmt: skip
    assert other.heard() == [{"type": "renamed", "user": {"id": ann["id"], "name": "Bob"}}]
    assert elsewhere.heard() == plain.frames() == []
    client.sends({"type": "typing"}, {"message": "after"}, {"type": "history"})
    typing, message = other.heard()
    assert typing["user"] == message["user"] == {"id": ann["id"], "name": "Bob"}
    (page,) = client.hears("history")
    assert [each["user"]["name"] for each in page["messages"]] == ["Ann", "Bob"]
    other.sends({"type": "presence"})
    names = [each["name"] for each in other.hears("presence")[0]["members"]]
    assert "Bob" in names
    assert "Ann" not in names
    client.session.close()
    world.clock.advance(RETURN_WITHIN)
    assert other.hears("left") == [{"type": "left", "user": {"id": ann["id"], "name": "Bob"}}]


def test_other_connections_follow(world: World) -> None:
    """Tabs, plain connections and those that are coming are the same user, with the same name."""
    client, tab = Client(world, name="Ann", key=KEY), Client(world, name="Ann", key=KEY)
    _, session = comes_plain(world, Claim("Ann", KEY))
    stranger = Client(world, name="Ann", key=KEY + "x")
    rename(client, "Bob")
    assert name_of(world, tab) == "Bob"
    assert name_of(world, stranger) == "Ann"
    session.text_received(b'{"message":"plain"}')
    assert stranger.hears("message")[-1]["user"]["name"] == "Bob"
    # A tab that was away comes back with the name that it knew.
    late = Client(world, name="Ann", key=KEY)
    assert late.heard()[0]["user"]["name"] == "Bob"
    assert name_of(world, late) == name_of(world, client) == "Bob"


def test_a_guest_comes_back_with_another_name(world: World) -> None:
    """A guest who had left, and comes by another name, has that one; the others are told."""
    client, other = Client(world, name="Ann", key=KEY), Client(world)
    rename(client, "Bob")
    client.session.close()
    other.heard()
    again = Client(world, name="Cat", key=KEY)
    user = again.heard()[0]["user"]
    assert user["name"] == "Cat"
    assert other.hears("joined", "renamed", "left") == [{"type": "renamed", "user": user}]


def test_large_and_silent_rooms(world: World) -> None:
    """Large rooms are not told of single users; the guest's own connections are."""
    client, tab = Client(world, name="Ann", key=KEY), Client(world, name="Ann", key=KEY)
    others = [Client(world) for _ in range(LARGE_ROOM)]
    for each in (client, tab, others[0]):
        each.heard()
    rename(client, "Bob")
    assert [each["user"]["name"] for each in tab.hears("renamed")] == ["Bob"]
    assert others[0].hears("renamed") == []
    assert name_of(world, tab) == "Bob"


def test_guests_without_a_connection(world: World) -> None:
    """An event stream's names are changed by a request with its key; others have none to change."""
    stream = Client(world, name="Ann", key=KEY)
    caller = run(world.door.caller(world.source("192.0.2.1"), Claim("Ann", KEY)))
    ack = world.chat.renaming.rename(caller, "r", Rename("Bob"))
    assert ack.name == "Bob"
    assert name_of(world, stream) == "Bob"
    passer_by = run(world.door.caller(world.source("192.0.2.1"), Claim("Zoe")))
    for nobody in (passer_by, world.caller("192.0.2.1")):
        with pytest.raises(ChatError) as refused:
            world.chat.renaming.rename(nobody, "r", Rename("Bob"))
        assert refused.value.kind is Kind.FORBIDDEN
