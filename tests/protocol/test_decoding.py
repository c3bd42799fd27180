"""`livechat.protocol.decoding`; all that clients may send is in test_v1."""

from __future__ import annotations

import pytest

from livechat.errors import ChatError, Kind
from livechat.protocol.actions import Say
from livechat.protocol.decoding import decode_action, decode_frame


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"message":"hi","other":"\xff"}', Kind.BAD_JSON),
        (b'{"type":"resume","epoch":"k","seq":1}', Kind.UNKNOWN_TYPE),
        (b'{"type":"ping"}', Kind.UNKNOWN_TYPE),
        (b"[" * 100_000, Kind.BAD_JSON),
        (b"", Kind.BAD_JSON),
    ],
)
def test_bodies_that_are_no_actions_are_refused(body: bytes, kind: Kind) -> None:
    """A body has an action, in UTF-8; other frames are none."""
    with pytest.raises(ChatError) as refused:
        decode_action(body)
    assert refused.value.kind is kind


def test_an_action_without_a_type_is_a_message() -> None:
    """A message need not say that it is one."""
    assert decode_action(b'{"message":"hi"}') == decode_frame(b'{"message":"hi"}') == Say("hi")
