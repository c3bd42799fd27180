"""`livechat.rooms.directory`."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from livechat.errors import ChatError, Kind
from livechat.protocol.cluster import Report, Room
from livechat.protocol.messages import Newest
from livechat.rooms.directory import chart_of_all, rooms_of_all
from tests.rooms.saying import say
from tests.support import (
    ADMIN,
    ANN,
    SOMEBODY,
    Lane,
    RecordingClient,
    World,
    result,
    run,
)


def report(*rooms: Room, chart: tuple[float, ...] = ()) -> Report:
    return Report("p", 0, 0, 0.0, chart, rooms)


def test_rooms_of_all_processes_add_up() -> None:
    """Members and rates add up; the newest message is the newest that somebody knows."""
    one = report(Room("a", 1, 2.0, Newest(5, 50)), Room("b", 1), Room("c", 3, 1.0))
    two = report(Room("a", 2, 0.5, Newest(7, 70)), Room("c", 0, 0.0, Newest(1, 2)))
    three = report(Room("a", 4), Room("d", 0, 1.0, Newest(9, 9)))
    found = {room.name: room for room in rooms_of_all(each.rooms for each in (one, two, three))}
    assert found == {
        "a": Room("a", 7, 2.5, Newest(7, 70)),
        "b": Room("b", 1),
        "c": Room("c", 3, 1.0, Newest(1, 2)),
        "d": Room("d", 0, 1.0, Newest(9, 9)),
    }
    assert rooms_of_all([]) == []


def test_charts_of_all_processes_add_up() -> None:
    """Charts add up, bar by bar."""
    assert chart_of_all([report(chart=(1, 2)), report(chart=(0, 3))]) == [1, 5]


def rooms(world: World) -> dict[str, tuple[int, Newest | None]]:
    return {
        room.name: (room.members, room.newest) for room in run(world.chat.overview.rooms(ADMIN))
    }


def test_active_rooms_are_listed(world: World) -> None:
    """Rooms with members, and those spoken in lately, with what was said there last."""
    say(world, "before", room="quiet")
    say(world, "x", room="over")
    world.clock.advance(1_000)
    run(world.chat.join(ANN, "quiet", RecordingClient()))
    run(world.chat.join(ANN, "new", RecordingClient()))
    say(world, "a", "b", room="busy")
    found = rooms(world)
    time = int(world.wall * 1_000)
    assert found == {
        "quiet": (1, Newest(1, time - 1_000_000)),
        "new": (1, Newest(0, 0)),
        "busy": (0, Newest(2, time)),
    }


def test_active_rooms_are_looked_up_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend is asked about a quiet room when somebody looks, and not again."""
    client = RecordingClient()
    run(world.chat.join(ANN, "r", client))
    assert rooms(world) == {"r": (1, Newest(0, 0))}
    asked: list[list[str]] = []

    def newest(names: list[str]) -> Deferred[dict[str, Newest]]:
        asked.append(names)
        return succeed({})

    monkeypatch.setattr(world.backend.messages, "newest", newest)
    assert rooms(world) == {"r": (1, Newest(0, 0))}
    assert asked == []
    world.chat.leave(ANN, "r", client)
    assert rooms(world) == {}
    run(world.chat.join(ANN, "r", client))
    rooms(world)
    assert asked == [["r"]]


def test_active_rooms_while_the_backend_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backend that is away leaves the members of rooms visible."""
    run(world.chat.join(ANN, "r", RecordingClient()))
    monkeypatch.setattr(
        world.backend.messages, "newest", lambda names: fail(ChatError(Kind.UNAVAILABLE, "away"))
    )
    assert rooms(world) == {"r": (1, None)}
    assert run(world.chat.overview.room(SOMEBODY, "r")).members == 1


def test_active_rooms_on_a_disk_that_hangs(world: World) -> None:
    """The same if nothing answers, after a while."""
    run(world.chat.join(ANN, "r", RecordingClient()))
    lane = Lane(held=True)
    world.backend.messages._readers = lane
    asked = Deferred.fromCoroutine(world.chat.overview.rooms(ADMIN))
    world.clock.advance(4)
    assert not asked.called
    world.clock.advance(1)
    assert [room.newest for room in result(asked)] == [None]
    lane.step()


def test_any_room_can_be_looked_at(world: World) -> None:
    """Any room can be looked at."""
    say(world, "a", room="said")
    time = int(world.wall * 1_000)
    world.clock.advance(10_000)
    assert run(world.chat.overview.room(SOMEBODY, "said")).newest == Newest(1, time)
    assert run(world.chat.overview.room(SOMEBODY, "never")).newest == Newest(0, 0)
