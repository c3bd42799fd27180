"""`livechat.backends.retention`."""

from __future__ import annotations

import pytest

from livechat.backends.retention import EVENTS_SECONDS, Retention, RoomRetention
from livechat.protocol.names import AUDIT_ROOM, EVENTS_ROOM


def test_a_count_keeps_the_newest() -> None:
    """So many newest ones, or all of them."""
    assert [Retention(3).first_by_count(top) for top in (0, 1, 3, 4, 100)] == [1, 1, 1, 2, 98]
    assert Retention().first_by_count(100) == 1


def test_an_age_keeps_entries_of_so_many_seconds() -> None:
    """An age keeps entries of so many seconds, or all of them."""
    assert Retention(0, 60).first_time(100_000) == 40_000
    assert Retention().first_time(100_000) == 0


@pytest.mark.parametrize("age", [0, 600])
def test_internal_rooms_have_an_age_of_their_own(age: int) -> None:
    """Internal rooms have an age of their own and no count; that age holds for them alone."""
    retention = Retention(3, 60, age)
    assert retention.of("r") == retention.of("audit") == retention
    kept = retention.of(AUDIT_ROOM)
    assert (kept.messages, kept.seconds) == (0, age)
    assert kept.of(AUDIT_ROOM) == kept


@pytest.mark.parametrize("server", [Retention(), Retention(3, 60, 0), Retention(0, 0, 60)])
def test_the_room_of_events_keeps_next_to_nothing(server: Retention) -> None:
    """The room of events keeps next to nothing, whatever the others keep."""
    rooms = RoomRetention(server)
    rooms.retain(lambda _: (9, 9))
    for kept in (server.of(EVENTS_ROOM), rooms.of(EVENTS_ROOM)):
        assert (kept.messages, kept.seconds) == (1, EVENTS_SECONDS)


@pytest.mark.parametrize(
    ("server", "asked", "kept"),
    [
        ((0, 0), (0, 0), (0, 0)),
        ((5, 60), (0, 0), (5, 60)),
        ((5, 60), (3, 90), (3, 60)),
        ((5, 60), (9, 0), (5, 60)),
        ((0, 60), (3, 10), (3, 10)),
        ((5, 0), (0, 10), (5, 10)),
    ],
)
def test_rooms_that_keep_less(
    server: tuple[int, int], asked: tuple[int, int], kept: tuple[int, int]
) -> None:
    """A room's own bound holds where it is the smaller one, and 0 is none."""
    retention = RoomRetention(Retention(*server, 7))
    assert retention.of("r") is retention.server
    retention.retain(lambda room: asked if room == "r" else (0, 0))
    assert (retention.of("r").messages, retention.of("r").seconds) == kept
    assert retention.of("other") is retention.server
    assert retention.of(AUDIT_ROOM) == retention.server.of(AUDIT_ROOM)
