"""`livechat.limits.deadlines`."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from livechat.limits.deadlines import MOST_AT_ONCE, Deadlines, Rounds
from tests.support import TURN, TurnClock


class Room:
    """Deadlines of ten seconds, and who has missed them."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.missed: list[str] = []
        self.deadlines: Deadlines[str] = Deadlines(self.clock, 10, self.missed.append)

    def timers(self) -> int:
        return len(self.clock.getDelayedCalls())


def test_missed_deadlines_are_reported_in_order() -> None:
    """A missed deadline is reported once, in the order of the deadlines."""
    room = Room()
    room.deadlines.start("a")
    room.clock.advance(4)
    room.deadlines.start("b")
    room.clock.advance(5.9)
    assert room.missed == []
    room.clock.advance(0.1)
    assert room.missed == ["a"]
    assert "a" not in room.deadlines
    assert "b" in room.deadlines
    room.clock.advance(4)
    assert room.missed == ["a", "b"]
    room.clock.advance(100)
    assert room.missed == ["a", "b"]


def test_a_stopped_deadline_is_not_reported() -> None:
    """A stopped deadline is not reported, and no timer runs when none is left."""
    room = Room()
    for one in ("a", "b", "c"):
        room.deadlines.start(one)
    room.deadlines.stop("a")
    room.deadlines.stop("stranger")
    assert (len(room.deadlines), room.timers()) == (2, 1)
    room.deadlines.stop("b")
    room.deadlines.stop("c")
    assert (len(room.deadlines), room.timers()) == (0, 0)
    room.clock.advance(100)
    assert room.missed == []


def test_starting_again_gives_the_full_time() -> None:
    """Starting again gives the full time again."""
    room = Room()
    room.deadlines.start("a")
    room.clock.advance(9)
    room.deadlines.start("a")
    room.clock.advance(9)
    assert room.missed == []
    room.clock.advance(1)
    assert room.missed == ["a"]


def test_one_timer_serves_all_deadlines() -> None:
    """However many wait, one timer does."""
    room = Room()
    for number in range(1_000):
        room.deadlines.start(str(number))
        room.clock.advance(0.001)
    assert room.timers() == 1


def test_beginning_and_ending_meanwhile() -> None:
    """The callback of a missed deadline may stop other deadlines and start its own anew."""
    clock = Clock()
    missed: list[str] = []

    def miss(one: str) -> None:
        missed.append(one)
        deadlines.stop("b")
        if len(missed) < 3:
            deadlines.start("a")

    deadlines: Deadlines[str] = Deadlines(clock, 10, miss)
    for one in ("a", "b", "c"):
        deadlines.start(one)
    clock.advance(10)
    assert missed == ["a", "c"]
    clock.advance(10)
    assert missed == ["a", "c", "a"]
    assert clock.getDelayedCalls() == []


def test_many_at_once() -> None:
    """Deadlines missed together are reported a part per turn."""
    clock = TurnClock()
    missed: list[str] = []
    deadlines: Deadlines[str] = Deadlines(clock, 10, missed.append)
    count = 2 * MOST_AT_ONCE + 1
    for number in range(count):
        deadlines.start(str(number))
    clock.advance(10 + TURN)
    assert len(missed) == MOST_AT_ONCE
    clock.advance(TURN)
    assert len(missed) == 2 * MOST_AT_ONCE
    clock.advance(TURN)
    assert missed == [str(number) for number in range(count)]
    assert clock.getDelayedCalls() == []


def test_beginning_anew_delays_nobody() -> None:
    """Restarting a missed deadline does not delay those that follow it."""
    clock = Clock()
    missed: list[tuple[float, str]] = []

    def miss(one: str) -> None:
        missed.append((clock.seconds(), one))
        deadlines.start(one)

    deadlines: Deadlines[str] = Deadlines(clock, 10, miss)
    deadlines.start("a")
    clock.advance(5)
    deadlines.start("b")
    for _ in range(5):
        clock.advance(5)
    assert missed == [(10, "a"), (15, "b"), (20, "a"), (25, "b"), (30, "a")]
    assert len(clock.getDelayedCalls()) == 1


def test_many_at_once_again_and_again() -> None:
    """Very many who begin again each time, as with pings, all have their turn soon."""
    clock = TurnClock()
    missed: list[int] = []

    def miss(one: int) -> None:
        missed.append(one)
        deadlines.start(one)

    deadlines: Deadlines[int] = Deadlines(clock, 10, miss)
    count = 2 * MOST_AT_ONCE + 1
    for number in range(count):
        deadlines.start(number)
    for times in (1, 2):
        clock.advance(10 + TURN)
        clock.advance(TURN)
        clock.advance(TURN)
        assert missed == list(range(count)) * times


def test_the_last_one_is_done_meanwhile() -> None:
    """If a callback stops all other deadlines, no timer is left."""
    clock = Clock()
    deadlines: Deadlines[str] = Deadlines(clock, 10, lambda _: deadlines.stop("b"))
    deadlines.start("a")
    clock.advance(5)
    deadlines.start("b")
    clock.advance(5)
    assert (len(deadlines), clock.getDelayedCalls()) == (0, [])
    deadlines.start("c")
    assert len(clock.getDelayedCalls()) == 1


def test_a_bug_at_one_deadline_spares_the_others() -> None:
    """An error about one is logged, or answered, and the others are told of all the same."""
    clock = Clock()
    missed: list[str] = []
    failed: list[str] = []

    def miss(one: str) -> None:
        missed.append(one)
        if one == "a":
            raise ZeroDivisionError

    for told in (None, failed.append):
        deadlines: Deadlines[str] = Deadlines(clock, 10, miss, told)
        for one in ("a", "b"):
            deadlines.start(one)
        with capturedLogs() as events:
            clock.advance(10)
        assert missed == ["a", "b"]
        assert clock.getDelayedCalls() == []
        assert len(events) == (0 if told else 1)
        missed.clear()
    assert failed == ["a"]


def rounds(clock: Clock, early: float) -> tuple[Rounds[str], list[tuple[float, str]]]:
    """Rounds of ten seconds, and which were due together, when."""
    due: list[tuple[float, str]] = []
    made: Rounds[str] = Rounds(
        clock, 10, lambda ones: due.append((clock.seconds(), "".join(ones))), early=early
    )
    return made, due


def test_rounds_come_until_they_are_stopped() -> None:
    """Each is due again and again, those of a turn together, until it is stopped."""
    clock = Clock()
    made, due = rounds(clock, 1)
    for one in "abc":
        made.start(one)
        clock.advance(1)
    clock.pump([1] * 18)
    assert due == [(10, "ab"), (12, "c"), (20, "ab")]
    made.stop("a")
    clock.pump([1] * 10)
    assert due[3:] == [(22, "c"), (30, "b")]
    made.stop("b")
    made.stop("c")
    assert clock.getDelayedCalls() == []


def test_a_turn_of_rounds_is_bounded() -> None:
    """A turn has no more than so many, and nobody is left out."""
    clock = TurnClock()
    made, due = rounds(clock, 1)
    for number in range(MOST_AT_ONCE + 1):
        made.start(chr(number + 1_000))
    clock.advance(10 + TURN)
    clock.advance(TURN)
    assert [len(ones) for _, ones in due] == [MOST_AT_ONCE, 1]
    clock.advance(10)
    clock.advance(TURN)
    assert [len(ones) for _, ones in due] == [MOST_AT_ONCE, 1] * 2


def test_one_that_is_stopped_in_its_round() -> None:
    clock = Clock()
    made: Rounds[str] = Rounds(clock, 10, lambda _: made.stop("a"), early=0)
    made.start("a")
    clock.advance(10)
    assert clock.getDelayedCalls() == []
    made.start("b")
    assert len(clock.getDelayedCalls()) == 1


def test_a_bug_lets_rounds_go_on() -> None:
    """A bug is logged, and the rounds go on."""
    clock = Clock()

    def fail(ones: Sequence[str]) -> None:
        raise ZeroDivisionError

    made: Rounds[str] = Rounds(clock, 10, fail, early=0)
    made.start("a")
    with capturedLogs() as events:
        clock.pump([10, 10])
    assert len(events) == 2
    assert "a" in made
