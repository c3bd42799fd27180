"""`livechat.rooms.listing`."""

from __future__ import annotations

from typing import Any

import pytest

from livechat.protocol.settings import SettingsChange
from livechat.rooms.listing import BUSIEST, LISTED_FOR, Listing
from tests.support import ANN, RecordingClient, World, result, run


@pytest.fixture
def listed(world: World) -> Listing:
    return Listing(world.chat.directory, world.chat.settings, world.time)


def sets(world: World, room: str, **given: Any) -> None:
    run(world.chat.settings.change(room, SettingsChange(**given)))


def names(of: Listing) -> list[str]:
    return list(run(of.rooms()).names)


def test_rooms_with_the_setting_are_listed(world: World, listed: Listing) -> None:
    """Rooms are listed whose setting says so, empty ones too; of a pattern those in use."""
    assert names(listed) == []
    sets(world, "news", listed=True, title="The <b>\u202enews", topic="x" * 200)
    sets(world, "team-*", listed=True)
    sets(world, "other", title="Other")
    result(world.chat.send(ANN, "team-a", "hi"))
    world.clock.advance(LISTED_FOR)
    assert names(listed) == ["news", "team-a"]
    found = listed.line("news")
    assert (found.title, found.topic, found.members) == ("The <b>news", "x" * 200, 0)


@pytest.mark.parametrize(
    "setting", [{"closed": True}, {"members": True}, {"guests": "off"}, {"listed": False}]
)
def test_rooms_closed_to_guests_are_not_listed(
    world: World, listed: Listing, setting: dict[str, Any]
) -> None:
    """A room that guests cannot enter is not listed, from when its settings say so."""
    sets(world, "*", listed=True)
    sets(world, "news", title="News")
    assert names(listed) == ["news"]
    sets(world, "news", **setting)
    assert names(listed) == []


def test_the_list_is_made_once_in_seconds(
    world: World, listed: Listing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is asked for, the list is made once in some seconds."""
    sets(world, "news", listed=True)
    counted: list[int] = []
    reports = world.chat.directory.reports

    def count() -> Any:
        counted.append(1)
        return reports()

    monkeypatch.setattr(world.chat.directory, "reports", count)
    for _ in range(100):
        assert names(listed) == ["news"]
    assert len(counted) == 1
    world.clock.advance(LISTED_FOR)
    assert names(listed) == ["news"]
    assert len(counted) == 2


def test_rooms_come_and_go_with_settings(world: World, listed: Listing) -> None:
    """Rooms come and go with their settings, one by one, and by patterns."""
    for room in "cab":
        sets(world, room, listed=True)
        names(listed)
    assert names(listed) == ["a", "b", "c"]
    sets(world, "b", closed=True)
    sets(world, "c", listed=None)
    assert names(listed) == ["a"]
    sets(world, "b", closed=None)
    sets(world, "a*", guests="off")
    assert names(listed) == ["b"]
    sets(world, "a*", guests=None)
    assert names(listed) == ["a", "b"]


def test_thousands_of_rooms_are_listed(world: World, listed: Listing) -> None:
    """A page of them, and those with most people, are found in all of them."""
    for number in range(500):
        sets(world, f"r{number:03}", listed=True)
    member = RecordingClient()
    run(world.chat.join(ANN, "r300", member))
    found = run(listed.rooms())
    assert found.busiest == ["r300", *(f"r{number:03}" for number in range(BUSIEST - 1))]
    assert listed.line("r300").members == 1
    assert found.page("r0989", 2) == ["r099", "r100"]
    assert found.page("r499", 2) == []
