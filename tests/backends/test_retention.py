"""`livechat.backends.retention`."""

from __future__ import annotations

from livechat.backends.retention import Retention


def test_by_count() -> None:
    """So many newest ones, or all of them."""
    assert [Retention(3).first_by_count(top) for top in (0, 1, 3, 4, 100)] == [1, 1, 1, 2, 98]
    assert Retention().first_by_count(100) == 1


def test_by_age() -> None:
    """Those of so many seconds, or all of them."""
    assert Retention(0, 60).first_time(100_000) == 40_000
    assert Retention().first_time(100_000) == 0
