"""`livechat.protocol.encoding`."""

from __future__ import annotations

import json

from livechat.identity.actor import OPERATOR
from livechat.protocol import v1 as frames
from livechat.protocol.encoding import Encoding, encode_entries, encode_frame
from livechat.protocol.messages import Message, Place, User
from tests.support import server_frame

ANN = User("42", "Ann")


def test_an_operator() -> None:
    """Only an operator has a role; a plain member is told of neither."""
    message = Message("hi", 1, 2, OPERATOR)
    user = {"id": "livechat:operator", "name": "Operator", "role": "operator"}
    _, payload, _ = server_frame(encode_entries(Encoding.V1, "k", [message]))
    assert json.loads(payload)["user"] == user
    _, data = encode_entries(Encoding.EVENTS, "k", [message]).split(b"data: ")
    assert json.loads(data)["user"] == user
    plain = encode_entries(Encoding.PLAIN, "k", [message])
    assert plain == encode_entries(Encoding.PLAIN, "k", [Message("hi", 1, 2)])


def test_messages() -> None:
    """One message in each encoding."""
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


def test_events() -> None:
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
