"""`livechat.protocol.wire`."""

from __future__ import annotations

import json

import pytest

from livechat.errors import ChatError, Kind
from livechat.protocol.wire import DEEPEST, check_depth, text_frame, wire_limit
from tests.support import server_frame


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 200_000])
def test_frame_lengths(size: int) -> None:
    """Each of the three forms of a length is used where RFC 6455 wants it."""
    payload = b"x" * size
    assert server_frame(text_frame(payload)) == (1, payload, b"")


def test_limit() -> None:
    """The longest text fits its frame, however it is escaped."""
    text = "\x07" * 1_000
    assert len(json.dumps({"message": text})) <= wire_limit(1_000)
    assert wire_limit(16_384) == 6 * 16_384 + 4_096


def test_nesting() -> None:
    """JSON may be nested so deep; brackets in strings do not count."""
    check_depth(b"[" * DEEPEST + b"]" * DEEPEST)
    check_depth(b"[" + b"{}," * 100 + b"0]")
    check_depth(b'{"a": "\\"' + b"[" * 100 + b'"}')
    with pytest.raises(ChatError) as caught:
        check_depth(b"[" * (DEEPEST + 1))
    assert caught.value.kind is Kind.BAD_JSON
