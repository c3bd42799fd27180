"""`livechat.backends.redis.reconnecting`: how often one tries again."""

from __future__ import annotations

from twisted.internet.task import Clock

from livechat.backends.redis.reconnecting import HELD, SLOWEST, Pace


def waits(pace: Pace, clock: Clock, seconds: float) -> list[float]:
    """The waits until *seconds* are over."""
    found: list[float] = []
    while sum(found) < seconds:
        found.append(pace(None))
        clock.advance(found[-1])
    return found


def test_attempts_come_slower_and_slower() -> None:
    """Few attempts in a minute; after a short outage the next one comes within two seconds."""
    clock = Clock()
    pace = Pace(clock)
    found = waits(pace, clock, 60)
    assert found[0] < 0.1
    assert len(found) < 24
    assert max(wait for number, wait in enumerate(found) if sum(found[:number]) < 3) < 2
    assert sum(wait > SLOWEST / 2 for wait in found) > 4
    assert max(waits(pace, clock, 2_000)) <= SLOWEST


def test_a_connection_that_holds() -> None:
    """Only one that was usable begins anew, and without a pause only one that was so for long."""
    clock = Clock()
    pace = Pace(clock)
    slow = waits(pace, clock, 30)[-1]
    clock.advance(60)
    assert pace(None) > slow / 2
    for _ in range(10):
        pace.usable()
        clock.advance(HELD / 2)
        assert 0.08 < pace(None) < 0.12
    pace.usable()
    clock.advance(HELD / 2)
    pace.usable()
    clock.advance(HELD / 2)
    assert pace(None) < 0.1
