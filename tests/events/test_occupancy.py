"""Rooms that become occupied or vacated."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from livechat.backends.alone import LoneMaps
from livechat.errors import ChatError, Kind
from livechat.events import occupancy
from livechat.events.announcing import Announcer
from livechat.events.occupancy import BUCKETS, GRACE, LOOK_EVERY, Occupancy
from livechat.protocol.cluster import Report, Room
from livechat.protocol.events import KINDS, note_of
from livechat.protocol.messages import Draft, Message

AWAY = ChatError(Kind.UNAVAILABLE, "away")


class World:
    """
    Processes and their rooms.

    @ivar processes: the rooms of each, with their members.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.processes: list[dict[str, int]] = [{}]
        self.shared = LoneMaps(lambda: 1.0).get("occupied", most=BUCKETS, largest=65_536)
        self.told: list[str] = []
        self.away = False
        self.running: Deferred[None] = Deferred()
        self.lead()

    def lead(self) -> None:
        """Begin to lead, as another process does once the last one is killed."""
        announcer = Announcer(self._publish, KINDS, self.clock)
        seen = Occupancy(self._reports, self.shared, announcer, self.clock)
        self.running = Deferred.fromCoroutine(seen.run())
        self.running.addErrback(lambda _: None)

    def _publish(self, draft: Draft) -> Deferred[object]:
        if self.away:
            return fail(AWAY)
        note = note_of(Message(draft.message, 1, 1))
        assert note is not None
        self.told.append(f"{note.event} {note.room}")
        return succeed(None)

    def _reports(self) -> Deferred[Sequence[Report]]:
        return succeed(
            [
                Report("p", 0, 0, 0, (), tuple(Room(name, count) for name, count in rooms.items()))
                for rooms in self.processes
            ]
        )

    def news(self, seconds: float = LOOK_EVERY) -> list[str]:
        for _ in range(round(seconds / LOOK_EVERY)):
            self.clock.advance(LOOK_EVERY)
        told, self.told = self.told, []
        return sorted(told)


def test_occupied_and_vacated() -> None:
    """A room is told once when somebody comes, and once when nobody has been there for a while."""
    world = World()
    world.processes[0] = {"r": 1, "quiet": 0, "!internal": 1}
    assert world.news() == ["occupied r"]
    world.processes[0] = {"r": 2, "s": 1}
    assert world.news() == ["occupied s"]
    world.processes[0] = {"s": 1}
    assert world.news(GRACE) == []
    assert world.news() == ["vacated r"]
    assert world.news(60) == []


def test_a_room_empty_for_a_moment_is_not_vacated() -> None:
    """A room that is empty for a moment is not vacated."""
    world = World()
    world.processes[0] = {"r": 1}
    world.news()
    for _ in range(10):
        world.processes[0] = {}
        assert world.news(GRACE / 2) == []
        world.processes[0] = {"r": 1}
        assert world.news() == []


def test_a_room_is_occupied_at_any_process() -> None:
    """A room is occupied while somebody is in it at any process."""
    world = World()
    world.processes = [{"r": 1}, {"r": 1}]
    assert world.news() == ["occupied r"]
    world.processes = [{"r": 1}]
    assert world.news(2 * GRACE) == []
    world.processes = [{}]
    assert world.news(2 * GRACE) == ["vacated r"]


def test_the_next_leader_vacates_rooms_that_stay_empty() -> None:
    """The next leader vacates rooms that stay empty, and tells of no other room twice."""
    world = World()
    world.processes[0] = {"r": 1, "s": 1}
    world.news()
    world.running.cancel()
    world.processes[0] = {}
    world.clock.advance(100)
    world.lead()
    assert world.news(GRACE / 2) == []
    world.processes[0] = {"s": 1}
    assert world.news(GRACE) == ["vacated r"]
    assert world.news(60) == []


def test_unstored_events_are_told_later() -> None:
    """Events that cannot be stored are told once they can."""
    world = World()
    world.away = True
    world.processes[0] = {"r": 1}
    with capturedLogs() as logs:
        assert world.news(60) == []
    assert len(logs) == 1
    world.away = False
    assert world.news() == ["occupied r"]


def test_unreadable_lists_begin_anew() -> None:
    """Unreadable lists are begun anew."""
    world = World()
    world.running.cancel()
    for key, value in (("x", b"[]"), ("1", b"{"), ("2", b"[1]")):
        world.shared.put(key, value)
    with capturedLogs():
        world.lead()
        world.processes[0] = {"r": 1}
        assert world.news() == ["occupied r"]


def test_rooms_beyond_the_bound_are_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a bound, rooms are not told of, and the log says so."""
    monkeypatch.setattr(occupancy, "MOST_ROOMS", 10)
    world = World()
    world.processes[0] = {f"r{number:02}": 1 for number in range(15)}
    with capturedLogs() as logs:
        assert len(world.news(10)) == 10
    assert len(logs) == 1


def test_a_hundred_thousand_rooms_are_few_writes() -> None:
    """A hundred thousand rooms are few writes, and no write while nothing changes."""
    world = World()
    names = [f"room-{number}-{'x' * 100}" for number in range(occupancy.MOST_ROOMS // 10)]
    world.processes[0] = dict.fromkeys(names, 1)
    assert len(world.news()) == len(names)
    assert len(world.shared.items()) <= BUCKETS
    assert max(len(value) for _, value in world.shared.items()) < 65_536 / 10
    before = dict(world.shared.items())
    assert world.news(10) == []
    assert dict(world.shared.items()) == before


def test_looking_takes_a_small_part_of_the_time() -> None:
    """A process spends a small part of its time on looking."""
    world = World()
    asked = 0

    def reports() -> Deferred[Sequence[Report]]:
        nonlocal asked
        asked += 1
        later: Deferred[Sequence[Report]] = Deferred()
        world.clock.callLater(1, later.callback, [])
        return later

    announcer = Announcer(world._publish, KINDS, world.clock)
    world.running.cancel()
    running = Deferred.fromCoroutine(Occupancy(reports, world.shared, announcer, world.clock).run())
    running.addErrback(lambda _: None)
    for _ in range(100):
        world.clock.advance(1)
    assert asked <= 3
    running.cancel()
