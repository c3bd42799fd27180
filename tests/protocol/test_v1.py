"""`livechat.protocol.v1`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw, Struct

from livechat.errors import ChatError, Kind
from livechat.protocol import v1 as frames
from livechat.protocol.actions import Rename, Retract, Revoke, Reword, Say
from livechat.protocol.decoding import decode_frame
from livechat.protocol.encoding import Encoding, encode_frame
from livechat.protocol.messages import Message, User
from tests.support import server_frame

ANN = User("42", "Ann")


def named(case: Any) -> str:
    """Name a case: the workers of a parallel run must do it alike."""
    return type(case).__name__ if isinstance(case, Struct) else str(case)


UNDERSTOOD = [
    ({"type": "message", "message": "hi", "nonce": "n"}, Say("hi", "n")),
    ({"type": "message", "message": "hi"}, Say("hi")),
    ({"message": "hi", "nonce": "n"}, Say("hi", "n")),
    ({"type": "revoke", "user": "42", "nonce": "n"}, Revoke("42", nonce="n")),
    ({"type": "revoke", "token": "t"}, Revoke(token="t")),
    ({"message": "hi", "more": [1]}, Say("hi")),
    ({"message": "hi", "reply_to": 3}, Say("hi", reply_to=3)),
    ({"message": "hi", "data": {"a": 1}}, Say("hi", data=Raw(b'{"a": 1}'))),
    ({"type": "edit", "ref": 3, "message": "hi"}, Reword(3, "hi")),
    (
        {"type": "edit", "ref": 3, "message": "hi", "data": {}, "nonce": "n"},
        Reword(3, "hi", Raw(b"{}"), "n"),
    ),
    ({"type": "retract", "ref": 3, "nonce": "n"}, Retract(3, nonce="n")),
    ({"type": "retract", "refs": [3, 1]}, Retract(refs=(3, 1))),
    ({"type": "resume", "epoch": "k", "seq": 0}, frames.Resume("k", 0)),
    ({"type": "history"}, frames.AskHistory()),
    ({"type": "history", "before": 9, "limit": 2}, frames.AskHistory(9, None, 2)),
    ({"type": "presence"}, frames.AskPresence()),
    ({"type": "typing"}, frames.Type()),
    ({"type": "ping"}, frames.Ping()),
    ({"type": "rename", "name": "Ann", "nonce": "n"}, Rename("Ann", "n")),
]

HOSTILE: list[tuple[Any, Kind]] = [
    (b"", Kind.BAD_JSON),
    (b"hi", Kind.BAD_JSON),
    (b'{"type":"message"', Kind.BAD_JSON),
    (b'{"more":' + b"[" * 100_000, Kind.BAD_JSON),
    (b'{"message":"a"}x', Kind.BAD_JSON),
    (b'{"message":"a"}}', Kind.BAD_JSON),
    ({"type": "missing required field `type`"}, Kind.UNKNOWN_TYPE),
    (b'{"message":"\\ud800"}', Kind.BAD_JSON),
    (b'{"type":"resume","epoch":"k","seq":1e999}', Kind.BAD_MESSAGE),
    ([], Kind.BAD_MESSAGE),
    ("hi", Kind.BAD_MESSAGE),
    ({}, Kind.BAD_MESSAGE),
    ({"nonce": "n"}, Kind.BAD_MESSAGE),
    ({"message": 7}, Kind.BAD_MESSAGE),
    ({"type": "message"}, Kind.BAD_MESSAGE),
    ({"type": "message", "message": None}, Kind.BAD_MESSAGE),
    ({"type": "message", "message": "x", "nonce": ""}, Kind.BAD_MESSAGE),
    ({"type": "message", "message": "x", "nonce": "n" * 65}, Kind.BAD_MESSAGE),
    ({"type": "message", "message": "x", "nonce": 7}, Kind.BAD_MESSAGE),
    ({"type": 7}, Kind.BAD_MESSAGE),
    ({"type": "nonsense"}, Kind.UNKNOWN_TYPE),
    ({"type": "hello"}, Kind.UNKNOWN_TYPE),
    ({"type": "Message", "message": "x"}, Kind.UNKNOWN_TYPE),
    ({"type": "resume"}, Kind.BAD_MESSAGE),
    ({"type": "resume", "epoch": "k"}, Kind.BAD_MESSAGE),
    ({"type": "resume", "epoch": "k", "seq": -1}, Kind.BAD_MESSAGE),
    ({"type": "resume", "epoch": "k", "seq": 1.5}, Kind.BAD_MESSAGE),
    ({"type": "resume", "epoch": "k", "seq": "1"}, Kind.BAD_MESSAGE),
    ({"type": "resume", "epoch": "k", "seq": 2**53}, Kind.BAD_MESSAGE),
    ({"type": "resume", "epoch": "", "seq": 1}, Kind.BAD_MESSAGE),
    ({"type": "resume", "epoch": "k" * 65, "seq": 1}, Kind.BAD_MESSAGE),
    ({"type": "history", "before": -1}, Kind.BAD_MESSAGE),
    ({"type": "history", "limit": "all"}, Kind.BAD_MESSAGE),
    ({"type": "rename"}, Kind.BAD_MESSAGE),
    ({"type": "rename", "name": None}, Kind.BAD_MESSAGE),
    (b'{"type":"rename","name":"\\ud800"}', Kind.BAD_JSON),
]


@pytest.mark.parametrize(("value", "frame"), UNDERSTOOD, ids=named)
def test_understood(value: Any, frame: frames.ClientFrame) -> None:
    """What a client may send; what it says besides is ignored."""
    assert decode_frame(json.dumps(value).encode()) == frame


@pytest.mark.parametrize(("value", "kind"), HOSTILE, ids=lambda value: str(value)[:40])
def test_hostile(value: Any, kind: Kind) -> None:
    """What is no frame is refused, in a sentence."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    with pytest.raises(ChatError) as refused:
        decode_frame(data)
    assert refused.value.kind is kind
    assert refused.value.detail.endswith(".")
    assert "`$" not in refused.value.detail


def v1(frame: frames.ServerFrame) -> Any:
    """A frame as a client gets it."""
    opcode, payload, rest = server_frame(encode_frame(Encoding.V1, frame))
    assert (opcode, rest) == (1, b"")
    return json.loads(payload)


WRITTEN = [
    (frames.Ack(seq=7, time=8, nonce="n"), {"type": "ack", "seq": 7, "time": 8, "nonce": "n"}),
    (
        frames.Ack(seq=7, time=8, nonce="n", duplicate=True),
        {"type": "ack", "seq": 7, "time": 8, "nonce": "n", "duplicate": True},
    ),
    (
        frames.Resumed(True, first=3, to=2),
        {"type": "resumed", "complete": True, "from": 3, "to": 2},
    ),
    (
        frames.Resumed(False, "trimmed", oldest=3, to=9),
        {"type": "resumed", "complete": False, "reason": "trimmed", "oldest": 3, "to": 9},
    ),
    (
        frames.Resumed(False, "epoch", epoch="q", to=0),
        {"type": "resumed", "complete": False, "reason": "epoch", "epoch": "q", "to": 0},
    ),
    (frames.Present(2, 3), {"type": "presence", "users": 2, "connections": 3}),
    (
        frames.Present(1, 1, (ANN,)),
        {
            "type": "presence",
            "users": 1,
            "connections": 1,
            "members": [{"id": "42", "name": "Ann"}],
        },
    ),
    (frames.Joined(ANN), {"type": "joined", "user": {"id": "42", "name": "Ann"}}),
    (frames.Left(ANN), {"type": "left", "user": {"id": "42", "name": "Ann"}}),
    (frames.Typing(ANN, 6), {"type": "typing", "user": {"id": "42", "name": "Ann"}, "ttl": 6}),
    (frames.GoAway(9), {"type": "goaway", "retry_ms": 9}),
    (
        frames.error_of(ChatError(Kind.RATE_LIMITED, "Wait.", retry_after=0.8), "n"),
        {
            "type": "error",
            "error": {"code": "rate_limited", "detail": "Wait.", "retry_ms": 800},
            "nonce": "n",
        },
    ),
    (
        frames.error_of(ChatError(Kind.BAD_JSON, "No.")),
        {"type": "error", "error": {"code": "bad_json", "detail": "No."}},
    ),
    (
        frames.History([Message("a", 1, 2)], 1, 1, False),
        {
            "type": "history",
            "messages": [{"message": "a", "seq": 1, "time": 2}],
            "first": 1,
            "last": 1,
            "more": False,
        },
    ),
]


@pytest.mark.parametrize(("frame", "expected"), WRITTEN, ids=str)
def test_written(frame: frames.ServerFrame, expected: Any) -> None:
    """Frames are what the protocol says, to the letter."""
    assert v1(frame) == expected
    assert encode_frame(Encoding.PLAIN, frame) == b""
