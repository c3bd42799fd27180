"""`livechat.rooms.directory`."""

from __future__ import annotations

from livechat.protocol.cluster import Report, Room
from livechat.protocol.messages import Newest
from livechat.rooms.directory import chart_of_all, rooms_of_all


def report(*rooms: Room, chart: tuple[float, ...] = ()) -> Report:
    return Report("p", 0, 0, 0.0, chart, rooms)


def test_rooms_of_all() -> None:
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


def test_chart_of_all() -> None:
    """Charts add up, bar by bar."""
    assert chart_of_all([report(chart=(1, 2)), report(chart=(0, 3))]) == [1, 5]
