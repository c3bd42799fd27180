"""`livechat.protocol.back_ends`; `tests.web.test_keys` and `test_back_ends` have the rest."""

from __future__ import annotations

import pytest

from livechat.errors import ChatError
from livechat.protocol.back_ends import MOST_ACTIONS, decode_batch, decode_target


@pytest.mark.parametrize("count", [0, MOST_ACTIONS + 1])
def test_too_few_or_too_many(count: int) -> None:
    """A batch has at least one action, and not too many."""
    with pytest.raises(ChatError, match="actions"):
        decode_batch(b'{"actions":[' + b",".join([b"{}"] * count) + b"]}")


def test_single_action() -> None:
    """A body without a list of actions is one itself."""
    assert decode_batch(b'{"message":"x"}') is None
    assert [bytes(each) for each in decode_batch(b'{"actions":[{"a": 1},2]}') or ()] == [
        b'{"a": 1}',
        b"2",
    ]


def test_rooms_of_a_target_are_text() -> None:
    """Rooms are text; who is meant is looked at later, and by keys only."""
    assert decode_target(b'{"message":"x"}').room is None
    target = decode_target(b'{"room":"a","as":{"id":"42"}}')
    assert (target.room, bytes(target.as_user)) == ("a", b'{"id":"42"}')
    with pytest.raises(ChatError):
        decode_target(b'{"room":1}')
