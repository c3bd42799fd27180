"""Frames of sockets and of event streams, held against `/asyncapi.json`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, get_args

import pytest

from livechat.backends.retention import Retention
from livechat.errors import Kind
from livechat.members.session import ASK_RATE
from livechat.protocol import v1 as frames
from livechat.protocol.messages import Place
from livechat.rooms.presence import LARGE_ROOM
from tests.members.plain_client import Client as PlainClient
from tests.members.session_client import KEY, Client, say
from tests.protocol.plain_hostile import HOSTILE as HOSTILE_JSON
from tests.protocol.v1_hostile import HOSTILE, UNDERSTOOD, named
from tests.support import SOMEBODY, Port, World, request, run
from tests.web.described import Described


def test_each_channel_is_a_path_with_its_messages(openapi: Described, asyncapi: Described) -> None:
    """Each channel is a path, and each of its messages goes one way or the other."""
    document = asyncapi.document
    assert document["asyncapi"] == "3.0.0"
    carried: dict[str, list[str]] = {name: [] for name in document["channels"]}
    for operation in document["operations"].values():
        assert operation["action"] in ("send", "receive")
        channel = operation["channel"]["$ref"].removeprefix("#/channels/")
        for each in operation["messages"]:
            at, _, name = each["$ref"].rpartition("/")
            assert at == f"#/channels/{channel}/messages"
            carried[channel].append(name)
    for name, channel in document["channels"].items():
        assert channel["address"] in openapi.document["paths"]
        assert sorted(carried[name]) == sorted(channel["messages"])
    assert set().union(*carried.values()) == document["components"]["messages"].keys()


@pytest.mark.parametrize(
    ("operation", "union"), [("receiveV1", frames.ClientFrame), ("sendV1", frames.ServerFrame)]
)
def test_every_frame_is_described_in_its_own_words(
    asyncapi: Described, operation: str, union: Any
) -> None:
    """Every frame is described, in the words of its struct."""
    document = asyncapi.document
    carried = document["operations"][operation]["messages"]
    names = [each["$ref"].rpartition("/")[2] for each in carried]
    assert names == [each.__name__ for each in get_args(union)]
    for struct in get_args(union):
        schema = document["components"]["schemas"][struct.__name__]
        assert schema["properties"]["type"] == {"enum": [struct.__struct_config__.tag]}
        words = document["components"]["messages"][struct.__name__]["description"].split()
        assert words
        assert " ".join(struct.__doc__.replace("``", "`").split()).startswith(" ".join(words))


def test_fields_are_described_by_their_wire_names(asyncapi: Described) -> None:
    """Fields are described under their names on the wire."""
    fields = asyncapi.document["components"]["schemas"]["Resumed"]["properties"]
    assert "first message that follows" in fields["from"]["description"]
    # Optional fields are left out, and never null.
    assert fields["to"] == {"type": "integer", "description": "the newest number."}


@pytest.mark.parametrize(("value", "frame"), UNDERSTOOD, ids=named)
def test_an_understood_frame_is_described(
    asyncapi: Described, value: Any, frame: frames.ClientFrame
) -> None:
    """A frame that the session understands is described as that frame."""
    assert asyncapi.carried("receiveV1", value, more=True) == [type(frame).__name__]


@pytest.mark.parametrize(
    "value", [value for value, _ in HOSTILE if not isinstance(value, bytes)], ids=str
)
def test_a_refused_frame_is_not_described(asyncapi: Described, value: Any) -> None:
    """A frame that the session refuses is not described."""
    assert asyncapi.carried("receiveV1", value, more=True) == []


def test_every_frame_as_it_is_sent(make_world: Callable[..., World], asyncapi: Described) -> None:
    """Each frame that a session sends is described, and each that is described is sent."""
    world = make_world(retention=Retention(5, 0), max_message=100)
    heard: list[Any] = []

    def hears(client: Client) -> None:
        for frame in client.heard():
            (name,) = asyncapi.carried("sendV1", frame)
            heard.append((name, frame))

    ann = Client(world, name="Ann", key=KEY)
    ann.sends({"message": "hi", "nonce": "n"}, {"message": "hi", "nonce": "n"}, {"message": "x"})
    ann.sends({"message": "other", "nonce": "n"}, {"message": "x" * 101}, b"{", {"type": "no"})
    ann.sends({"type": "history"}, {"type": "history", "limit": 0}, {"type": "typing"})
    ann.sends({"type": "ping"})
    known = Client(world, token=world.token())
    known.sends({"type": "auth", "token": world.token()})
    hears(known)
    ann.session.binary_received()
    say(world, "of no user")
    ann.sends({"type": "edit", "ref": 1, "message": "ho", "data": {"a": 1}})
    ann.sends({"type": "retract", "refs": [1, 2]}, {"type": "retract", "ref": 1})
    manager = Client(world, token=world.token("7", rooms={"*": ["*"]}))
    manager.sends({"type": "room", "set": {"topic": "ships"}})
    world.clock.advance(0)
    hears(manager)
    bob = Client(world, name="Bob")
    bob.sends({"type": "rename", "name": "Rob"})
    bob.session.close()
    ann.sends(*[{"type": "presence"}] * int(ASK_RATE.burst))
    ann.session.announce_restart(1_730)
    hears(ann)
    say(world, *"123456")
    epoch, seq = run(world.chat.place(SOMEBODY, "r"))
    for since in (Place(epoch, seq), Place(epoch, seq - 1), Place(epoch, 1), Place("other", 1)):
        hears(Client(world, since=since))
    for _ in range(LARGE_ROOM + 1):
        Client(world)
    world.clock.advance(1)
    hears(ann)
    assert {name for name, _ in heard} | {"CaseChanged"} == {
        each.__name__ for each in get_args(frames.ServerFrame)
    }
    told = [frame for _, frame in heard]
    assert {frame.get("reason") for frame in told if frame["type"] == "resumed"} == {
        None, "trimmed", "epoch",
    }  # fmt: skip
    assert {frame["error"]["code"] for frame in told if frame["type"] == "error"} == {
        "nonce_reused", "message_too_long", "bad_json", "unknown_type", "not_text", "not_found",
        "rate_limited",
    }  # fmt: skip
    assert {"members" in frame for frame in told if frame["type"] == "presence"} == {True, False}
    assert {"user" in frame for frame in told if frame["type"] == "message"} == {True, False}
    assert {bool(frame["messages"]) for frame in told if frame["type"] == "history"} == {
        True, False,
    }  # fmt: skip


def test_each_frame_of_plain_mode_is_described(world: World, asyncapi: Described) -> None:
    """Each frame of plain mode is described."""
    client = PlainClient(world)
    for data, kind in HOSTILE_JSON:
        client.session.text_received(data)
        (error,) = client.heard()
        assert asyncapi.carried("sendPlain", error) == ["PlainError"]
        if kind == Kind.BAD_MESSAGE and len(data) < 100:
            assert asyncapi.carried("receivePlain", json.loads(data), more=True) == []
    hello = {"message": "hi", "more": 1}
    assert asyncapi.carried("receivePlain", hello, more=True) == ["PlainSay"]
    client.says(hello)
    (said,) = client.heard()
    assert asyncapi.carried("sendPlain", said) == ["PlainSaid"]


def test_each_server_sent_event_is_described(port: Port, asyncapi: Described) -> None:
    """Server-sent events are described, by the types of their frames."""
    wire = port.connect()
    wire.send(request("GET", "/chat/events/r/"))
    say(port.world, "hi")
    Client(port.world).session.close()
    port.world.hub.flush()
    events = wire.events()
    assert [name for name, _ in events] == ["hello", "presence", "message", "joined", "left"]
    for name, data in events:
        (described,) = asyncapi.carried("sendEvents", json.loads(data))
        struct = getattr(frames, described)
        assert struct.__struct_config__.tag == name
