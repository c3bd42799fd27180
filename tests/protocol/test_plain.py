"""`livechat.protocol.plain`."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livechat.errors import ChatError, Kind
from livechat.protocol.messages import Message
from livechat.protocol.plain import decode_plain, error_frame, plain_frame
from tests.protocol.plain_hostile import HOSTILE
from tests.support import server_frame


@pytest.mark.parametrize(("data", "kind"), HOSTILE)
def test_hostile_json_is_refused(data: bytes, kind: Kind) -> None:
    """A frame without a message is refused with a reason."""
    with pytest.raises(ChatError) as caught:
        decode_plain(data)
    assert caught.value.kind is kind
    assert "truncated" not in caught.value.detail


@pytest.mark.parametrize(
    "text",
    ["", "hi", "007", "42", "1e5", "null", "true", "\0", "😀", "a\u2028b", "</script>", "é" * 9],
)
def test_texts_are_kept(text: str) -> None:
    """A text comes out as it went in, whatever it looks like."""
    assert decode_plain(json.dumps({"message": text}).encode()) == text
    assert decode_plain(json.dumps({"message": text}, ensure_ascii=False).encode()) == text


def test_other_keys_are_ignored() -> None:
    """Keys that are not known change nothing, and the last of two equal keys counts."""
    assert decode_plain(b'{"a": [1, {"b": null}], "message": "x", "type": "y"}') == "x"
    assert decode_plain(b'{"message": "x", "message": "y"}') == "y"


@given(st.text())
def test_a_plain_frame_has_only_the_message(text: str) -> None:
    """A member gets a frame with an object whose only key is the message."""
    opcode, payload, rest = server_frame(plain_frame(Message(text, 7, 9)))
    assert (opcode, rest) == (1, b"")
    assert json.loads(payload) == {"message": text}


def test_an_error_frame_has_code_and_detail() -> None:
    """An error's frame has its code and its detail."""
    _, payload, _ = server_frame(error_frame(ChatError(Kind.BAD_JSON, "Why.")))
    assert json.loads(payload) == {"error": {"code": "bad_json", "detail": "Why."}}
