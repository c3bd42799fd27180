"""`livechat.protocol.wire`."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.errors import ChatError, Kind
from livechat.protocol import wire
from livechat.protocol.wire import Message, SendRequest
from tests.support import server_frame

HOSTILE = [
    (b"", Kind.BAD_JSON),
    (b"x", Kind.BAD_JSON),
    (b'{"message": "a"', Kind.BAD_JSON),
    (b'{"message": "a"} x', Kind.BAD_JSON),
    (b'\xef\xbb\xbf{"message": "a"}', Kind.BAD_JSON),
    (b'{"message": "a\x01"}', Kind.BAD_JSON),
    (rb'{"message": "\ud800"}', Kind.BAD_JSON),
    (rb'{"message": "\udc00\ud800"}', Kind.BAD_JSON),
    (b'{"message": "a", "x": NaN}', Kind.BAD_JSON),
    (b'{"message": "a", "x": Infinity}', Kind.BAD_JSON),
    (b'{"message": "a", "x": ' + b"[" * 100_000 + b"}", Kind.BAD_JSON),
    (b"[" * 100_000, Kind.BAD_JSON),
    (b"[]", Kind.BAD_MESSAGE),
    (b"null", Kind.BAD_MESSAGE),
    (b'"a"', Kind.BAD_MESSAGE),
    (b"1e999", Kind.BAD_MESSAGE),
    (b"9" * 5_000, Kind.BAD_MESSAGE),
    (b"{}", Kind.BAD_MESSAGE),
    (b'{"Message": "a"}', Kind.BAD_MESSAGE),
    (b'{"message": 7}', Kind.BAD_MESSAGE),
    (b'{"message": null}', Kind.BAD_MESSAGE),
    (b'{"message": ["a"]}', Kind.BAD_MESSAGE),
    (b'{"message": 1e999}', Kind.BAD_MESSAGE),
    (b'{"message": ' + b"9" * 5_000 + b"}", Kind.BAD_MESSAGE),
]


@pytest.mark.parametrize(("data", "kind"), HOSTILE)
def test_hostile_json(data: bytes, kind: Kind) -> None:
    """What is no message is refused with a reason, on the socket and over HTTP."""
    for decode in (wire.decode_plain, wire.decode_send_request):
        with pytest.raises(ChatError) as caught:
            decode(data)
        assert caught.value.kind is kind
        assert "truncated" not in caught.value.detail


@pytest.mark.parametrize(
    "data",
    [b'{"message": "\xff"}', b'{"message": "a", "x": "\xff"}', b'{"message": "\xed\xa0\x80"}'],
)
def test_bodies_are_utf8(data: bytes) -> None:
    """A body that is not UTF-8 is refused, even where the fault is in an ignored key."""
    with pytest.raises(ChatError) as caught:
        wire.decode_send_request(data)
    assert caught.value.kind is Kind.BAD_JSON


@pytest.mark.parametrize(
    "text",
    ["", "hi", "007", "42", "1e5", "null", "true", "\0", "😀", "a\u2028b", "</script>", "é" * 9],
)
def test_texts_are_kept(text: str) -> None:
    """A text comes out as it went in, whatever it looks like."""
    assert wire.decode_plain(json.dumps({"message": text}).encode()) == text
    assert wire.decode_plain(json.dumps({"message": text}, ensure_ascii=False).encode()) == text


def test_other_keys_are_ignored() -> None:
    """Keys that are not known change nothing, and the last of two equal keys counts."""
    assert wire.decode_plain(b'{"a": [1, {"b": null}], "message": "x", "type": "y"}') == "x"
    assert wire.decode_plain(b'{"message": "x", "message": "y"}') == "y"
    request = wire.decode_send_request(b'{"message": "x", "room": "r", "other": 1}')
    assert request == SendRequest("x", "r")


@given(st.text())
def test_plain_frames(text: str) -> None:
    """A member gets a frame with an object whose only key is the message."""
    opcode, payload, rest = server_frame(wire.plain_frame(Message(text, 7, 9)))
    assert (opcode, rest) == (1, b"")
    assert json.loads(payload) == {"message": text}


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 200_000])
def test_frame_lengths(size: int) -> None:
    """Each of the three forms of a length is used where RFC 6455 wants it."""
    payload = b"x" * size
    assert server_frame(wire.text_frame(payload)) == (1, payload, b"")


def test_error_frames() -> None:
    """An error's frame has its code and its detail."""
    _, payload, _ = server_frame(wire.error_frame(ChatError(Kind.BAD_JSON, "Why.")))
    assert json.loads(payload) == {"error": {"code": "bad_json", "detail": "Why."}}


def test_limit() -> None:
    """The longest text fits its frame, however it is escaped."""
    text = "\x07" * 1_000
    assert len(json.dumps({"message": text})) <= wire.wire_limit(1_000)
    assert wire.wire_limit(16_384) == 6 * 16_384 + 4_096
