"""Clocks."""

from __future__ import annotations

import time
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer


@implementer(IReactorTime)
class Time:
    """
    The reactor's clock for intervals and timers, and the wall clock for dates.

    No interval is measured by the wall clock, which can be set.
    """

    def __init__(self, reactor: IReactorTime, wall: Callable[[], float] = time.time) -> None:
        """
        @param wall: returns the seconds since 1970, UTC.
        """
        # Bound once, so that a call costs no more than the reactor's own.
        self.seconds = reactor.seconds
        self.callLater = reactor.callLater
        self.getDelayedCalls = reactor.getDelayedCalls
        self.wall = wall
