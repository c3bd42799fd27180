"""`livechat.backends.redis.excess`: which rooms give something up."""

from __future__ import annotations

from typing import Any

import pytest

from livechat.backends import outbox
from livechat.backends.redis.excess import Held, drops


@pytest.mark.parametrize(
    ("entries", "given"),
    [
        ([], []),
        ([10], [0]),
        ([11], [1]),
        ([3, 3, 4], [0, 0, 0]),
        ([1, 20, 2], [0, 13, 0]),
        ([20, 1, 20], [16, 0, 16]),
        ([100] * 20, [100] * 20),
    ],
)
def test_rooms_with_most_entries_drop_the_oldest(
    monkeypatch: Any, entries: list[int], given: list[int]
) -> None:
    """Rooms that hold most drop their oldest entries, down to one level."""
    monkeypatch.setattr(outbox, "MOST", 10)
    assert drops([Held("r", 1, each, 0) for each in entries]) == given


def test_long_entries_weigh_by_their_bytes(monkeypatch: Any) -> None:
    """Few that are long count as much as many that are short."""
    monkeypatch.setattr(outbox, "MOST_BYTES", 1_000)
    assert drops([Held("r", 1, 10, 5_000), Held("s", 1, 1, 20)]) == [9, 0]
