"""`livechat.backends.maps`."""

from __future__ import annotations

import pytest

from livechat.backends.maps import LONGEST_KEY, MOST_OVER, MapCopy, MapEntry


def test_an_expired_key_is_hidden_from_the_copy() -> None:
    """An expired key is hidden, and counts until its room is needed."""
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


def test_ends_cost_nothing() -> None:
    """The ends of a large map are looked at only when they come; each is found once."""
    asked = 0

    def now() -> float:
        nonlocal asked
        asked += 1
        return 100.0 + ahead

    ahead = 0
    copy = MapCopy("x", now, most=50_000, largest=9)
    copy.replace({f"{n}": MapEntry(b"1", 200 + n) for n in range(50_000)})
    for number in range(1_000):
        assert copy.over() == []
        assert copy.is_full("new")
        copy.set("0", MapEntry(b"1", 1_000_000 + number))
    assert asked <= 2_000
    # A key that is changed again and again leaves no trail.
    for number in range(200_000):
        copy.set("0", MapEntry(b"1", 1_000_000 + number))
    assert len(copy._ends) <= 2 * 50_000 + MOST_OVER
    ahead = 300
    found = set()
    while over := copy.over():
        assert len(over) <= MOST_OVER
        found |= set(over)
        for key in over:
            copy.set(key, None)
    assert found == {f"{n}" for n in range(1, 201)}
    assert len(copy.items()) == 50_000 - 200


def test_a_clock_that_is_set_back() -> None:
    """A clock set back brings expired keys into force again, until their end comes."""
    now = [100.0]
    copy = MapCopy("x", lambda: now[0], most=9, largest=9)
    copy.set("a", MapEntry(b"1", 150))
    copy.set("b", MapEntry(b"1", 160))
    now[0] = 170.0
    assert copy.over() == ["a", "b"]
    now[0] = 155.0
    assert copy.over() == ["a"]
    assert copy.items() == [("b", b"1")]
    copy.set("a", MapEntry(b"2"))
    now[0] = 170.0
    assert copy.over() == ["b"]


@pytest.mark.parametrize(
    ("key", "value"), [("", b"1"), ("x" * (LONGEST_KEY + 1), b"1"), ("x", b"1234")]
)
def test_keys_and_values_have_a_length(key: str, value: bytes) -> None:
    with pytest.raises(ValueError, match="has"):
        MapCopy("x", lambda: 0, most=2, largest=3).check(key, value)


def test_a_replaced_copy_tells_only_changes() -> None:
    """Only what has changed is told."""
    copy = MapCopy("x", lambda: 0, most=9, largest=9)
    copy.replace({"same": MapEntry(b"1"), "other": MapEntry(b"1"), "gone": MapEntry(b"1")})
    changed = copy.replace(
        {"same": MapEntry(b"1"), "other": MapEntry(b"1", 7), "new": MapEntry(b"1")}
    )
    assert sorted(changed) == ["gone", "new", "other"]
