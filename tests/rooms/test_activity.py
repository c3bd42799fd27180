"""`livechat.rooms.activity`."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from livechat.protocol.cluster import Room
from livechat.protocol.messages import Message, Newest
from livechat.rooms import activity
from livechat.rooms.activity import ACTIVE_FOR, BAR, BARS, Activity


class ActivityTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.activity = Activity(self.clock)

    def say(self, room: str, seq: int = 1) -> None:
        self.activity.record(room, Message("x", seq, 1_000 * seq), 1)

    def rooms(self, **members: int) -> dict[str, Room]:
        return {room.name: room for room in self.activity.rooms(members)}

    def test_rooms_with_members_are_active(self) -> None:
        """Rooms with members are active, and those spoken in lately."""
        self.say("said", 7)
        self.say("both", 3)
        found = self.rooms(both=2, silent=1)
        assert found.keys() == {"said", "both", "silent"}
        assert (found["both"].members, found["both"].newest) == (2, Newest(3, 3_000))
        assert (found["said"].members, found["said"].newest) == (0, Newest(7, 7_000))
        assert (found["silent"].members, found["silent"].newest) == (1, None)

    def test_a_quiet_room_is_forgotten(self) -> None:
        """A room is forgotten when it was quiet for long, one that is spoken in is not."""
        self.say("a")
        self.say("b")
        self.clock.advance(ACTIVE_FOR - 1)
        self.say("a", 2)
        self.clock.advance(1)
        assert self.rooms().keys() == {"a"}
        self.clock.advance(ACTIVE_FOR)
        assert self.rooms() == {}

    def test_rooms_of_the_latest_messages_are_remembered(self) -> None:
        """Beyond the bound, the rooms with the latest messages are remembered."""
        self.patch(activity, "MOST_ROOMS", 100)
        for number in range(1_000):
            self.say(str(number))
        assert self.rooms().keys() == set(map(str, range(900, 1_000)))

    def test_a_room_s_rate(self) -> None:
        """A steady room's rate is what it is; it fades when the room is quiet."""
        for seq in range(600):
            self.say("a", seq)
            self.clock.advance(0.5)
        assert self.rooms()["a"].rate == pytest.approx(120, rel=0.02)
        self.clock.advance(300)
        assert 0 < self.rooms()["a"].rate < 1

    def test_the_rate_is_of_the_last_ten_seconds(self) -> None:
        """The rate of all rooms is that of the last ten full seconds."""
        assert self.activity.rate() == 0
        for _ in range(20):
            self.say("a")
        assert self.activity.rate() == 0
        self.clock.advance(1)
        assert self.activity.rate() == 2
        self.clock.advance(9)
        assert self.activity.rate() == 2
        self.clock.advance(1)
        assert self.activity.rate() == 0

    def test_the_chart_has_each_message_once(self) -> None:
        """The chart has what was said, each message once, in its place."""
        for second in range(BARS * BAR):
            for _ in range(second % 3):
                self.say("a")
            self.clock.advance(1)
        chart = self.activity.chart()
        assert len(chart) == BARS
        # A bar of five seconds has 5 messages, or 4, or 6; the newest has just begun.
        assert chart[-1] == 0
        assert {round(BAR * height) for height in chart[:-1]} == {4, 5, 6}
        assert chart.index(max(chart)) < BARS - 1

    def test_chart_after_silence(self) -> None:
        """After a long silence the chart is empty, however long it was."""
        for pause in (1, BAR, BARS * BAR - BAR, BARS * BAR, 10 * BARS * BAR):
            self.say("a")
            assert sum(self.activity.chart()) * BAR == pytest.approx(1)
            self.clock.advance(pause)
            left = 1 if pause < BARS * BAR else 0
            assert round(sum(self.activity.chart()) * BAR) == left
            self.clock.advance(BARS * BAR)
            assert sum(self.activity.chart()) == 0

    def test_the_newest_bar_has_no_old_messages(self) -> None:
        """Messages of five minutes ago are not shown as new ones."""
        self.clock.advance(BAR - self.clock.seconds() % BAR)
        for _ in range(BARS * BAR):
            self.say("a")
            self.clock.advance(1)
        for _ in range(BAR):
            assert self.activity.chart()[-1] == 0
            self.clock.advance(1)
