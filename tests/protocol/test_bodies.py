"""`livechat.protocol.bodies`."""

from __future__ import annotations

import pytest

from livechat.errors import ChatError, Kind
from livechat.protocol.bodies import SendRequest, decode_send_request
from tests.protocol.plain_hostile import HOSTILE


@pytest.mark.parametrize(("data", "kind"), HOSTILE)
def test_hostile_json_is_refused(data: bytes, kind: Kind) -> None:
    """A body without a message is refused with a reason."""
    with pytest.raises(ChatError) as caught:
        decode_send_request(data)
    assert caught.value.kind is kind
    assert "truncated" not in caught.value.detail


@pytest.mark.parametrize(
    "data",
    [b'{"message": "\xff"}', b'{"message": "a", "x": "\xff"}', b'{"message": "\xed\xa0\x80"}'],
)
def test_bodies_are_utf8(data: bytes) -> None:
    """A body that is not UTF-8 is refused, even where the fault is in an ignored key."""
    with pytest.raises(ChatError) as caught:
        decode_send_request(data)
    assert caught.value.kind is Kind.BAD_JSON


def test_other_keys_are_ignored() -> None:
    """Unknown keys change nothing."""
    request = decode_send_request(b'{"message": "x", "room": "r", "other": 1}')
    assert request == SendRequest("x", "r")
