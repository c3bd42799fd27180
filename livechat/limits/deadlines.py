"""
One timer for many deadlines of the same length.

Ten thousand connections need no ten thousand timers: where all wait equally
long, who came first is over first, and only that one needs the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

_T = TypeVar("_T")

#: Who has missed a deadline and is told so in one turn of the reactor: ten thousand who
#: connected together shall not be pinged together.
MOST_AT_ONCE: Final = 500


class Deadlines(Generic[_T]):
    """
    Who has to be done with something within *seconds*.

    A timer runs only while somebody waits.
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
        @param missed: called with whoever was not done; it is forgotten by then.
        @param failed: called where that raised, while the exception is handled: has to log it.
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

    def begin(self, one: _T) -> None:
        """From now on *one* has its full time, again if it had some before."""
        self._ends.pop(one, None)
        self._ends[one] = self._clock.seconds() + self._seconds
        if self._timer is None:
            self._timer = self._clock.callLater(self._seconds, self._look)

    def done(self, one: _T) -> None:
        """*one* is done, or gone; nothing if it did not wait."""
        self._ends.pop(one, None)
        # While those who have missed it are told, the timer is there and not active.
        if not self._ends and self._timer is not None and self._timer.active():
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        now = self._clock.seconds()
        missed: list[_T] = []
        for one, end in self._ends.items():
            if end > now or len(missed) == MOST_AT_ONCE:
                break
            missed.append(one)
        for one in missed:
            # It may be done because of what was done to those before it.
            if self._ends.pop(one, None) is not None:
                self._tell(one)
        # Now, and not by who began meanwhile: others may have less time left.
        self._timer = None
        if self._ends:
            first = next(iter(self._ends.values()))
            self._timer = self._clock.callLater(max(0.0, first - now), self._look)

    def _tell(self, one: _T) -> None:
        """One's bug must not cost the others their deadlines."""
        try:
            self._missed(one)
        except Exception:  # noqa: BLE001 - whatever it is, it is this one's own
            self._failed(one)

    def _log_failure(self, one: _T) -> None:
        self._log.failure("A missed deadline met a bug.")
