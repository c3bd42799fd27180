"""
One timer for many deadlines of the same length.

Ten thousand connections need no ten thousand timers.  Deadlines of equal length end in the
order in which they started, so only the first one needs a timer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

_T = TypeVar("_T")

#: Missed deadlines that are handled in one turn of the reactor: ten thousand clients that
#: connected together must not be pinged together.
MOST_AT_ONCE: Final = 500


class Deadlines(Generic[_T]):
    """
    Deadlines of *seconds* each, by key.

    A timer runs only while there is a deadline.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        seconds: float,
        missed: Callable[[_T], None],
        failed: Callable[[_T], None] | None = None,
    ) -> None:
        """
        @param missed: called with the key of a deadline that passed, after its removal.
        @param failed: called in the handler of an exception that *missed* raised; must log it.
        """
        self._clock = clock
        self._seconds = seconds
        self._missed = missed
        self._failed = failed or self._log_failure
        # In the order of their ends.
        self._ends: dict[_T, float] = {}
        self._timer: IDelayedCall | None = None

    def __contains__(self, one: _T) -> bool:
        return one in self._ends

    def __len__(self) -> int:
        return len(self._ends)

    def start(self, one: _T) -> None:
        """Give *one* its full time from now; a deadline that it had is replaced."""
        self._ends.pop(one, None)
        self._ends[one] = self._clock.seconds() + self._seconds
        if self._timer is None:
            self._timer = self._clock.callLater(self._seconds, self._check)

    def stop(self, one: _T) -> None:
        """Remove the deadline of *one*.  No-op if it has none."""
        self._ends.pop(one, None)
        # While missed deadlines are handled, the timer exists and is not active.
        if not self._ends and self._timer is not None and self._timer.active():
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        now = self._clock.seconds()
        missed: list[_T] = []
        for one, end in self._ends.items():
            if end > now or len(missed) == MOST_AT_ONCE:
                break
            missed.append(one)
        for one in missed:
            # Handling one may have stopped another.
            if self._ends.pop(one, None) is not None:
                self._miss(one)
        # Only now: a deadline that started meanwhile may not be the first to end.
        self._timer = None
        if self._ends:
            first = next(iter(self._ends.values()))
            self._timer = self._clock.callLater(max(0.0, first - now), self._check)

    def _miss(self, one: _T) -> None:
        """Handle a missed deadline.  An exception must not cost the others theirs."""
        try:
            self._missed(one)
        except Exception:  # noqa: BLE001 - whatever it is, it concerns this one only
            self._failed(one)

    def _log_failure(self, one: _T) -> None:
        self._log.failure("A missed deadline met a bug.")
