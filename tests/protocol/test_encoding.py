"""`livechat.protocol.encoding`."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from msgspec import Raw
from msgspec.structs import fields

from livechat.identity.actor import OPERATOR
from livechat.protocol import v1 as frames
from livechat.protocol.encoding import Encoding, encode_entries, encode_frame
from livechat.protocol.messages import Edited, Event, Gone, Message, Place, Retracted, User
from tests.support import server_frame

ANN = User("42", "Ann")


def test_only_an_operator_has_a_role() -> None:
    """Only an operator has a role; a plain member is told of neither."""
    message = Message("hi", 1, 2, OPERATOR)
    user = {"id": "!operator", "name": "Operator", "role": "operator"}
    _, payload, _ = server_frame(encode_entries(Encoding.V1, "k", [message]))
    assert json.loads(payload)["user"] == user
    _, data = encode_entries(Encoding.EVENTS, "k", [message]).split(b"data: ")
    assert json.loads(data)["user"] == user
    plain = encode_entries(Encoding.PLAIN, "k", [message])
    assert plain == encode_entries(Encoding.PLAIN, "k", [Message("hi", 1, 2)])


def test_a_message_is_written_in_each_encoding() -> None:
    """A message is written in each encoding."""
    said = [Message("hi\nthere", 7, 8, ANN), Message("x", 8, 9)]
    plain = encode_entries(Encoding.PLAIN, "k", said)
    _, payload, rest = server_frame(plain)
    assert json.loads(payload) == {"message": "hi\nthere"}
    assert json.loads(server_frame(rest)[1]) == {"message": "x"}
    framed = encode_entries(Encoding.V1, "k", said)
    _, payload, rest = server_frame(framed)
    first = {
        "type": "message",
        "message": "hi\nthere",
        "seq": 7,
        "time": 8,
        "user": {"id": "42", "name": "Ann"},
    }
    assert json.loads(payload) == first
    assert json.loads(server_frame(rest)[1]) == {
        "type": "message", "message": "x", "seq": 8, "time": 9,
    }  # fmt: skip
    events = encode_entries(Encoding.EVENTS, "k", said).decode().split("\n\n")
    assert events[2] == ""
    name, number, data = events[0].split("\n")
    assert (name, number) == ("event: message", "id: k:7")
    assert json.loads(data.removeprefix("data: ")) == first
    assert events[1].startswith("event: message\nid: k:8\ndata: {")


def test_an_event_has_its_type_and_perhaps_an_id() -> None:
    """A frame as an event has its type as a name, and no id unless it is given one."""
    assert encode_frame(Encoding.EVENTS, frames.Joined(ANN)) == (
        b'event: joined\ndata: {"type":"joined","user":{"id":"42","name":"Ann"}}\n\n'
    )
    assert encode_frame(Encoding.EVENTS, frames.Left(ANN), Place("k", 3)).startswith(
        b"event: left\nid: k:3\ndata: "
    )
    assert encode_frame(Encoding.EVENTS, frames.GoAway(1_730)).startswith(
        b"retry: 1730\nevent: goaway\ndata: "
    )


EVENTS: list[tuple[Event, dict[str, object]]] = [
    (
        Retracted(8, 9, (5, 7), "moderator"),
        {"event": "retracted", "refs": [5, 7], "by": "moderator"},
    ),
    (Edited(8, 9, 5, "new\ntext"), {"event": "edited", "ref": 5, "text": "new\ntext"}),
    (
        Edited(8, 9, 5, "x", Raw('{"a":"\u2028"}'.encode())),
        {"event": "edited", "ref": 5, "text": "x", "data": {"a": "\u2028"}},
    ),
    (Gone(8, 9), {"event": "gone"}),
]


@pytest.mark.parametrize(("event", "expected"), EVENTS)
def test_entries_that_are_no_messages(event: Event, expected: dict[str, object]) -> None:
    """Events are numbered frames of one type, and nothing to plain members."""
    assert encode_entries(Encoding.PLAIN, "k", [event]) == b""
    _, payload, rest = server_frame(encode_entries(Encoding.V1, "k", [event]))
    assert rest == b""
    assert json.loads(payload) == {"type": "event", "seq": 8, "time": 9} | expected
    name, number, data, *end = encode_entries(Encoding.EVENTS, "k", [event]).split(b"\n")
    assert (name, number, end) == (b"event: event", b"id: k:8", [b"", b""])
    assert json.loads(data.removeprefix(b"data: ")) == json.loads(payload)


def test_plain_members_get_messages_alone() -> None:
    """Among events, a message is to them as it ever was."""
    alone = encode_entries(Encoding.PLAIN, "k", [Message("hi", 2, 2)])
    full = Message("hi", 2, 2, ANN, 1, Raw(b'{"a":1}'), 9)
    assert encode_entries(Encoding.PLAIN, "k", [Gone(1, 1), full, Edited(3, 3, 2, "x")]) == alone


def test_messages_with_all_parts() -> None:
    """Numbers in the data stay as they came."""
    message = Message("hi", 2, 3, None, 1, Raw(b'{"a":1.0e2,"b":123456789012345678901}'), 9)
    _, payload, _ = server_frame(encode_entries(Encoding.V1, "k", [message]))
    assert payload == (
        b'{"type":"message","message":"hi","seq":2,"time":3,"reply_to":1,'
        b'"data":{"a":1.0e2,"b":123456789012345678901},"edited":9}'
    )


@pytest.mark.parametrize("frame", get_args(frames.ServerFrame))
def test_frames_for_plain_members(frame: type[frames.ServerFrame]) -> None:
    """Every frame is nothing to them, whichever comes to the protocol."""
    required: dict[str, Any] = {each.name: None for each in fields(frame) if each.required}
    assert encode_frame(Encoding.PLAIN, frame(**required)) == b""
    assert encode_frame(Encoding.V1, frame(**required))
