"""`livechat.backends.outbox`."""

from __future__ import annotations

import pytest

from livechat.backends.outbox import (
    LONGEST_PAGE,
    bounded,
    check_receivers,
    check_room,
    first_held,
    is_told,
)
from livechat.errors import ChatError, Kind
from livechat.protocol.names import AUDIT_ROOM, EVENTS_ROOM


def test_names_of_receivers_are_plain_and_few() -> None:
    """Names are plain, and not too many."""
    assert check_receivers(["a", "B-1", "a"]) == {"a", "B-1"}
    assert check_receivers([]) == frozenset()
    for bad in ([""], ["x" * 65], ["a\n"], ["a_b"], ["\u0661"], list("abcdefghijk")):
        with pytest.raises(ValueError, match="receiver"):
            check_receivers(bad)


def test_receivers_are_told_of_all_rooms_of_clients() -> None:
    """Receivers are told of all rooms that clients can name, and of events."""
    for name in ("r", "x" * 128, EVENTS_ROOM):
        assert check_room(name) == name
        assert is_told(name)
    assert not is_told(AUDIT_ROOM)
    for bad in (AUDIT_ROOM, "!x", "", "x" * 129, "."):
        with pytest.raises(ChatError) as raised:
            check_room(bad)
        assert raised.value.kind is Kind.BAD_ROOM


def test_the_limit_of_a_page_is_bounded() -> None:
    """A page is bounded, and never less than nothing."""
    limits = (-(10**30), -1, 0, 7, LONGEST_PAGE, 10**30)
    assert [bounded(each) for each in limits] == [0, 0, 0, 7, LONGEST_PAGE, LONGEST_PAGE]


@pytest.mark.parametrize(
    ("oldest", "told", "most", "first"),
    [
        (8, 10, 5, 8),  # all were told
        (8, 6, 5, 7),  # one waits that the history does not show
        (8, 0, 5, 6),  # and others that are too many
        (1, 0, 5, 1),  # a history that is longer than the bound
        (11, 9, 5, 10),  # a history that shows nothing
    ],
)
def test_the_first_held_number_is_within_the_bound(
    oldest: int, told: int, most: int, first: int
) -> None:
    """Held is what waits, within the bound; a history keeps what it shows."""
    assert first_held(oldest, told, 10, most) == first
