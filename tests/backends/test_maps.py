"""`livechat.backends.maps`."""

from __future__ import annotations

import pytest

from livechat.backends.maps import LONGEST_KEY, MapCopy, MapEntry


def test_copy() -> None:
    """What is over is hidden, and counts until somebody needs its room."""
    now = [100.0]
    copy = MapCopy("x", lambda: now[0], most=2, largest=3)
    copy.set("a", MapEntry(b"1", 101))
    copy.set("b", MapEntry(b"2"))
    assert copy.get("a") == b"1"
    now[0] = 101.0
    assert copy.get("a") is None
    assert copy.items() == [("b", b"2")]
    assert copy.is_full("c")
    assert not copy.is_full("b")
    assert copy.over() == ["a"]


@pytest.mark.parametrize(
    ("key", "value"), [("", b"1"), ("x" * (LONGEST_KEY + 1), b"1"), ("x", b"1234")]
)
def test_too_long(key: str, value: bytes) -> None:
    with pytest.raises(ValueError, match="has"):
        MapCopy("x", lambda: 0, most=2, largest=3).check(key, value)


def test_replaced() -> None:
    """Only what has changed is told."""
    copy = MapCopy("x", lambda: 0, most=9, largest=9)
    copy.replace({"same": MapEntry(b"1"), "other": MapEntry(b"1"), "gone": MapEntry(b"1")})
    changed = copy.replace(
        {"same": MapEntry(b"1"), "other": MapEntry(b"1", 7), "new": MapEntry(b"1")}
    )
    assert sorted(changed) == ["gone", "new", "other"]
