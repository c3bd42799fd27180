"""`livechat.protocol.counts`."""

from __future__ import annotations

import pytest

from livechat.protocol.counts import counted


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 rooms"),
        (1, "1 room"),
        (1.0, "1 room"),
        (0.5, "0.5 rooms"),
        (1_234, "1234 rooms"),
    ],
)
def test_one_has_no_plural(count: float, words: str) -> None:
    """One room has no s, whatever the type of the number."""
    assert counted(count, "room") == words


def test_counted_with_more_than_a_noun() -> None:
    """A plural that is no s is given."""
    assert counted(1, "entry", "entries") == "1 entry"
    assert counted(2, "message was", "messages were") == "2 messages were"
