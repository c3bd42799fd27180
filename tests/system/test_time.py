"""`livechat.system.time`."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from livechat.system.time import Time


def test_intervals_ignore_the_wall_clock() -> None:
    """Intervals and timers are the reactor's; a step of the wall clock moves neither."""
    clock, wall = Clock(), [1_790_000_000.0]
    time = Time(clock, lambda: wall[0])
    assert verifyObject(IReactorTime, time)
    called: list[int] = []
    late, never = time.callLater(5, called.append, 1), time.callLater(6, called.append, 2)
    wall[0] -= 3_600
    assert time.wall() == 1_789_996_400
    assert time.seconds() == 0
    clock.advance(5)
    assert (time.seconds(), called) == (5, [1])
    assert late not in time.getDelayedCalls()
    assert never in time.getDelayedCalls()
