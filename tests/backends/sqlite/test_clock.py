"""`livechat.backends.sqlite.clock`: removal under clocks that jump."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from livechat.backends.sqlite.clock import KeptClock
from livechat.system.wallclock import DAY, HOLD, WallClock
from tests.backends.disk import AGE, Disk, say, shown


class TestClocks:
    """Removal under a clock that is wrong."""

    @pytest.fixture(autouse=True)
    def _given(self, disk: Disk) -> None:
        self.disk = disk
        self.store = disk.store(seconds=AGE)
        say(self.store, "a", "b")

    def run(self, seconds: float) -> None:
        """Pass time, and sweep at the end."""
        while seconds > 0:
            self.disk.now += min(seconds, HOLD)
            seconds -= HOLD
            self.store.clock.compare()
        self.store.sweep()

    def test_ahead_for_a_minute(self) -> None:
        """Nothing is lost, and what is said afterwards has the right time."""
        self.disk.ahead = 40 * DAY
        self.run(HOLD + 2)
        self.run(HOLD + 2)
        say(self.store, "c")
        assert shown(self.store) == [3], "the time that has held is believed"
        self.disk.ahead = 0
        self.run(1)
        say(self.store, "d")
        assert shown(self.store) == [1, 2, 3, 4]
        last = self.store.read("r", 3, 1).messages[0]
        assert last.time == int(1000 * self.disk.now)

    def test_stamps_of_a_wrong_clock_expire(self) -> None:
        """Stamps of a wrong clock keep nothing longer in a silent room."""
        self.disk.ahead = 40 * DAY
        self.run(2 * HOLD)
        self.run(2 * HOLD)
        say(self.store, "c")
        self.disk.ahead = 0
        self.run(1)
        say(self.store, "d")
        self.disk.now += AGE - 1
        assert shown(self.store)[-1:] == [4]
        self.disk.now += 2
        assert shown(self.store) == []

    def test_ahead_for_a_day(self) -> None:
        """After it, the clock is right for all that is known."""
        self.disk.ahead = 40 * DAY
        self.run(DAY)
        assert shown(self.store) == []
        assert self.disk.rows() == [1, 2]
        self.run(2 * HOLD)
        assert self.disk.rows() == []

    @pytest.mark.parametrize("ahead", [40 * DAY, -40 * DAY])
    def test_starts_with_a_wrong_clock(self, ahead: float) -> None:
        """Each of them may be the first with it; the day is one of all of them."""
        self.disk.ahead = ahead
        for _ in range(23):
            self.store = self.disk.store(seconds=AGE)
            self.run(3_600)
            assert self.disk.rows() == [1, 2]
        self.disk.ahead = 0
        self.store = self.disk.store(seconds=AGE)
        assert shown(self.store) == [1, 2]
        assert self.store.clock.trusted

    def test_removal_is_not_put_off_for_ever(self) -> None:
        """A clock that is right is trusted at each of many starts."""
        for _ in range(31):
            self.run(5 * 3_600)
            self.disk.now += DAY - 5 * 3_600
            self.store = self.disk.store(seconds=AGE)
        self.run(HOLD)
        assert self.disk.rows() == []

    def test_messages_over_the_limit_go_under_any_clock(self) -> None:
        """Messages over the limit are removed under any clock."""
        self.disk.ahead = 40 * DAY
        self.store = self.disk.store(messages=1, seconds=AGE)
        self.run(HOLD)
        assert self.disk.rows() == [2]

    def test_behind_at_a_start(self) -> None:
        """A machine that wakes in 1970 stamps by the newest message until it knows better."""
        self.disk.ahead = -self.disk.now
        self.store = self.disk.store(seconds=AGE)
        say(self.store, "c")
        times = [message.time for message in self.store.read("r", 0, 9).messages]
        assert len(times) == 3
        assert times == sorted(times)


NOW = 1_790_000_000.0


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    """The tables that a clock looks at."""
    with closing(sqlite3.connect(":memory:")) as made:
        made.execute("CREATE TABLE clock (id INTEGER PRIMARY KEY, trusted, doubted, held)")
        made.execute("CREATE TABLE rooms (time)")
        yield made


def kept(db: sqlite3.Connection) -> list[float]:
    return [trusted for (trusted,) in db.execute("SELECT trusted FROM clock")]


@pytest.mark.parametrize(
    ("moved", "newest", "ahead", "doubted"),
    [(0, 0, 0, False), (NOW, 0, 60, False), (NOW, 0, 3 * DAY, True), (NOW, NOW + 3 * DAY, 0, True)],
)
def test_the_newest_message_dates_a_first_start(
    db: sqlite3.Connection, moved: float, newest: float, ahead: float, doubted: bool
) -> None:
    """Without a record the newest message decides, whether it is among the rooms or not."""
    if moved:
        db.execute("INSERT INTO rooms VALUES (?)", (1000 * moved,))
    clock = KeptClock(WallClock(lambda: NOW + ahead, lambda: 0.0))
    clock.start(db, int(1000 * newest))
    assert bool(clock.doubt) == doubted


def test_a_record_is_written_once_an_hour(db: sqlite3.Connection) -> None:
    """A trusted time is kept each hour, and again after a transaction that was rolled back."""
    passed = [0.0]
    wall = WallClock(lambda: NOW + passed[0], lambda: passed[0])
    clock = KeptClock(wall)
    clock.start(db, 0)
    found = []
    for passed[0] in (0.0, 1_800.0, 3_700.0):
        wall.compare()
        clock.keep(db)
        found += kept(db)
    assert found == [NOW, NOW, NOW + 3_700]
    db.execute("DELETE FROM clock")
    clock.keep(db)
    assert kept(db) == []
    clock.rolled_back()
    clock.keep(db)
    assert kept(db) == [NOW + 3_700]
