"""`livechat.daemon.departure`."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from livechat.daemon.departure import SETTLE, Departure, one_by_one


def test_a_process_ends_without_a_delay() -> None:
    """By default a process ends without a delay."""
    begun: list[float] = []
    departure = Departure(Clock(), begins=begun.append)
    departure.startService()
    assert departure.trouble() is None
    assert departure.stopService() is None
    assert departure.trouble() == "the server is about to stop"
    assert begun == [0]


def test_monitors_are_told_before_the_port_closes() -> None:
    """Monitors are told at once, and only then, after a while, the port is closed."""
    clock, begun = Clock(), list[float]()
    departure = Departure(clock, linger=5, drain=30, begins=begun.append)
    departure.startService()
    stopped = departure.stopService()
    assert stopped is not None
    assert departure.trouble() is not None
    assert begun == [35]
    clock.advance(4.9)
    assert not stopped.called
    clock.advance(0.1)
    assert stopped.called


def test_a_process_with_a_successor() -> None:
    """A process whose successor takes the connections drains, and does not linger."""
    departure = Departure(Clock(), linger=5, drain=30)
    departure.followed()
    assert departure.stopService() is None
    assert departure.seconds == 30
    # Clients that have just connected are not cut.
    at_once = Departure(Clock())
    at_once.followed()
    assert at_once.drain == SETTLE


def test_acts_are_spread_evenly() -> None:
    """Acts are spread evenly; all are done, though one fails."""
    clock, done = Clock(), list[float]()

    def act(number: int) -> None:
        done.append(clock.seconds())
        if number == 3:
            raise ZeroDivisionError

    acts = [lambda number=number: act(number) for number in range(10)]
    with capturedLogs() as events:
        ended = Deferred.fromCoroutine(one_by_one(clock, 20.0, acts))
        clock.pump([0.5] * 40)
    assert done == [2.0 * number for number in range(10)]
    assert ended.called
    assert len(events) == 1


def test_one_by_one_after_a_pause() -> None:
    """A process that stood still does all missed acts at once."""
    clock, done = Clock(), list[int]()
    acts = [lambda: done.append(1)] * 10
    ended = Deferred.fromCoroutine(one_by_one(clock, 10.0, acts))
    clock.advance(100)
    assert len(done) == 10
    assert ended.called


def test_no_acts_end_at_once() -> None:
    ended = Deferred.fromCoroutine(one_by_one(Clock(), 10.0, []))
    assert ended.called
