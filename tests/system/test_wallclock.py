"""`livechat.system.wallclock`."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from livechat.system.wallclock import DAY, HOLD, JUMP, PAUSE, Record, WallClock

#: 2026-09-21.
NOW = 1_790_000_000.0
HOUR = 3_600.0


class Machine:
    """A machine whose wall clock can be set, and a process that runs on it."""

    def __init__(self) -> None:
        self.monotonic = Clock()
        self.ahead = NOW
        self.said: list[str] = []
        self.clock = self.process(None)

    def process(self, record: Record | None) -> WallClock:
        """A process that has just started."""
        self.clock = WallClock(self.wall, self.monotonic.seconds)
        self._hear(self.clock.start(record))
        return self.clock

    def wall(self) -> float:
        return self.monotonic.seconds() + self.ahead

    def run(self, seconds: float, each: float = 1.0) -> None:
        """Pass time, in which the process looks at its clocks."""
        for _ in range(round(seconds / each)):
            self.monotonic.advance(each)
            self._hear(self.clock.compare())

    def restart(self, away: float = 0.0) -> WallClock:
        """End the process, and start another one after some time."""
        record = self.clock.record()
        self.monotonic.advance(away)
        return self.process(record)

    def jump(self, seconds: float) -> None:
        self.ahead += seconds

    def wrong(self) -> float:
        """Seconds between the believed time and the wall clock."""
        return self.clock.now() - self.wall()

    def _hear(self, line: str) -> None:
        if line:
            self.said.append(line)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.mark.parametrize("jump", [40 * DAY, 8 * HOUR, -HOUR, -40 * DAY])
def test_a_jump_that_holds_is_followed(machine: Machine, jump: float) -> None:
    """Stamps follow after a minute, removal after a day; it is noticed and said once."""
    machine.jump(jump)
    machine.run(HOLD)
    assert machine.wrong() == -jump
    assert not machine.clock.trusted
    machine.run(2)
    assert machine.wrong() == 0
    machine.run(DAY - 2 * HOLD, HOLD / 2)
    assert not machine.clock.trusted
    assert len(machine.said) == 1
    assert "jumped" in machine.said[0]
    machine.run(2 * HOLD)
    assert machine.clock.trusted
    assert len(machine.said) == 2


def test_a_jump_of_a_minute_is_forgotten(machine: Machine) -> None:
    """A clock that is right again is trusted at once, whether it was believed meanwhile or not."""
    for seconds in (HOLD / 2, HOLD + 2):
        machine.jump(40 * DAY)
        machine.run(seconds)
        assert not machine.clock.trusted
        machine.jump(-40 * DAY)
        machine.run(1)
        assert machine.clock.trusted
        assert machine.wrong() == 0
    assert len(machine.said) == 4


def test_jump_while_another_is_waited_for(machine: Machine) -> None:
    """Each new time has to hold by itself."""
    for jump in (40 * DAY, -10 * DAY, DAY):
        machine.jump(jump)
        machine.run(HOLD - 1)
    assert machine.clock.now() == NOW + machine.monotonic.seconds()
    machine.run(3)
    assert machine.wrong() == 0


def test_second_jump_begins_the_day_anew(machine: Machine) -> None:
    machine.jump(40 * DAY)
    machine.run(DAY - HOUR, HOLD / 2)
    machine.jump(-3 * DAY)
    machine.run(DAY - HOUR, HOLD / 2)
    assert not machine.clock.trusted
    machine.run(HOUR + HOLD, HOLD / 2)
    assert machine.clock.trusted


def test_drift_and_small_steps(machine: Machine) -> None:
    """A clock that is slewed, or set by less than `JUMP`, is followed and trusted."""
    for step in (0.0005, 0.1, -JUMP, JUMP, -0.5):
        for _ in range(100):
            machine.jump(step)
            machine.run(1)
            assert machine.wrong() == 0
            assert machine.clock.trusted
    assert machine.said == []


def test_sleep_each_night(machine: Machine) -> None:
    """A machine that sleeps each night removes messages all the same."""
    trusted = 0
    for _ in range(6):
        machine.jump(8 * HOUR)
        machine.run(16 * HOUR, HOLD / 2)
        assert machine.wrong() == 0
        trusted += machine.clock.trusted
    assert trusted == 3


def test_time_without_looks_does_not_count(machine: Machine) -> None:
    """A process that hung does not know for how long a time has held."""
    machine.jump(40 * DAY)
    machine.run(2 * HOLD)
    machine.monotonic.advance(10 * DAY)
    machine.run(1)
    assert not machine.clock.trusted


def test_to_and_fro_fills_no_log(machine: Machine) -> None:
    for _ in range(600):
        machine.jump(HOUR)
        machine.run(1)
        machine.jump(-HOUR)
        machine.run(1)
    assert len(machine.said) < 12
    assert "more since" in machine.said[-1]


class TestStarts:
    """A start has no monotonic clock to compare with."""

    def test_an_empty_store_trusts_the_clock(self, machine: Machine) -> None:
        """The clock is trusted at once with an empty store."""
        assert machine.clock.trusted
        assert machine.said == []

    def test_removal_waits_where_nothing_is_known(self, machine: Machine) -> None:
        """Removal waits for a day in a store whose last time is not known."""
        clock = machine.process(Record())
        assert not clock.trusted
        assert machine.wrong() == 0
        machine.run(DAY, HOLD)
        assert clock.trusted

    @pytest.mark.parametrize("away", [0.0, HOUR, PAUSE])
    def test_away_for_up_to_a_day(self, machine: Machine, away: float) -> None:
        machine.run(HOUR, HOLD)
        assert machine.restart(away).trusted
        assert machine.said == []

    @pytest.mark.parametrize("jump", [40 * DAY, 2 * DAY, -HOUR, -40 * DAY])
    def test_a_wrong_clock_at_a_start_delays_removal(self, machine: Machine, jump: float) -> None:
        """At a start a new time is believed at once, and logged; only removal waits for a day."""
        machine.jump(jump)
        clock = machine.restart()
        assert machine.wrong() == 0
        assert len(machine.said) == 1
        machine.run(DAY - HOLD, HOLD)
        assert not clock.trusted
        machine.run(HOLD, HOLD)
        assert clock.trusted

    def test_wrong_until_ntp_answers(self, machine: Machine) -> None:
        """The right time is trusted as soon as it comes."""
        machine.run(HOUR, HOLD)
        machine.jump(40 * DAY)
        machine.restart(away=HOUR)
        machine.run(20)
        assert not machine.clock.trusted
        machine.jump(-40 * DAY)
        machine.run(1)
        assert machine.clock.trusted
        assert machine.wrong() == 0

    def test_restarts_with_a_wrong_clock(self, machine: Machine) -> None:
        """The day is one of running, over all restarts, each of which may be another jump."""
        machine.jump(40 * DAY)
        for _ in range(23):
            machine.restart(away=60)
            machine.run(HOUR, HOLD)
            assert not machine.clock.trusted
        machine.jump(40 * DAY)
        for _ in range(23):
            machine.restart(away=60)
            machine.run(HOUR, HOLD)
            assert not machine.clock.trusted
        machine.run(HOUR, HOLD)
        assert machine.clock.trusted

    def test_right_again_at_a_restart(self, machine: Machine) -> None:
        """The trusted time outlives starts with a wrong one."""
        machine.jump(40 * DAY)
        for _ in range(3):
            machine.restart(away=60)
            machine.run(HOUR, HOLD)
        machine.jump(-40 * DAY)
        assert machine.restart(away=60).trusted

    def test_restarts_with_a_right_clock(self, machine: Machine) -> None:
        """A right clock stays trusted over any number of starts and nights off."""
        for away in (60, 2 * HOUR, 14 * HOUR) * 10:
            machine.run(2 * HOUR, HOLD)
            assert machine.restart(away).trusted

    def test_waits_add_up_over_nights(self, machine: Machine) -> None:
        """A wait adds up over the days of a machine that is off each night."""
        machine.restart(away=3 * DAY)
        trusted = []
        for _ in range(4):
            machine.run(8 * HOUR, HOLD)
            trusted.append(machine.clock.trusted)
            machine.restart(away=16 * HOUR)
        assert trusted == [False, False, True, True]


def test_stamps_from_a_wrong_clock(machine: Machine) -> None:
    """Stamps later than a trusted now are those of a wrong clock."""
    assert machine.clock.latest_milliseconds() == 1000 * (NOW + JUMP)
    machine.jump(-HOUR)
    machine.run(2 * HOLD)
    assert machine.clock.latest_milliseconds() > 1000 * (NOW + 1_000 * 365 * DAY)
