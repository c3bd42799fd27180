"""`livechat.protocol.v1`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from livechat.errors import ChatError, Kind
from livechat.protocol import v1 as frames
from livechat.protocol.decoding import decode_frame
from livechat.protocol.encoding import Encoding, encode_frame
from livechat.protocol.messages import Message, User
from tests.protocol.v1_hostile import HOSTILE, UNDERSTOOD, named
from tests.support import server_frame

ANN = User("42", "Ann")


@pytest.mark.parametrize(("value", "frame"), UNDERSTOOD, ids=named)
def test_valid_frames_are_decoded(value: Any, frame: frames.ClientFrame) -> None:
    """Valid frames are decoded; unknown fields are ignored."""
    assert decode_frame(json.dumps(value).encode()) == frame


@pytest.mark.parametrize(("value", "kind"), HOSTILE, ids=lambda value: str(value)[:40])
def test_invalid_frames_are_refused(value: Any, kind: Kind) -> None:
    """An invalid frame is refused in a sentence."""
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
def test_frames_are_written_to_the_letter(frame: frames.ServerFrame, expected: Any) -> None:
    """Frames are what the protocol says, to the letter."""
    assert v1(frame) == expected
    assert encode_frame(Encoding.PLAIN, frame) == b""
