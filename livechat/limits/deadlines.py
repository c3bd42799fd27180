"""
One timer for many deadlines of the same length.

Ten thousand connections need no ten thousand timers.  Deadlines of equal length end in the
order in which they started, so only the first one needs a timer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

_T = TypeVar("_T")

#: Deadlines that end in a turn of the reactor at most: ten thousand clients that connected together
#: must not be pinged together.
MOST_AT_ONCE: Final = 500


class _Ends(ABC, Generic[_T]):
    """
    Ends of times of *seconds* each, by key.

    A timer runs only while there is one.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, seconds: float, early: float = 0.0) -> None:
        """
        @param early: seconds by which an end may come early, together with another.
        """
        self._clock = clock
        self._seconds = seconds
        self._early = early
        # Ends by key, in the order of time.
        self._ends: dict[_T, float] = {}
        self._timer: IDelayedCall | None = None

    def __contains__(self, one: _T) -> bool:
        return one in self._ends

    def __len__(self) -> int:
        return len(self._ends)

    def start(self, one: _T) -> None:
        """Give *one* its full time from now; an end that it had is replaced."""
        self.start_all((one,))

    def start_all(self, ones: Sequence[_T]) -> None:
        """Call `start` for each of *ones*."""
        ends = self._ends
        end = self._clock.seconds() + self._seconds
        for one in ones:
            ends.pop(one, None)
            ends[one] = end
        if self._timer is None and ends:
            self._timer = self._clock.callLater(self._seconds, self._check)

    def stop(self, one: _T) -> None:
        """Remove the end of *one*.  No-op if it has none."""
        self._ends.pop(one, None)
        # While ends are handled, the timer exists and is not active.
        if not self._ends and self._timer is not None and self._timer.active():
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        now = self._clock.seconds()
        latest = now + self._early
        due: list[_T] = []
        for one, end in self._ends.items():
            if end > latest or len(due) == MOST_AT_ONCE:
                break
            due.append(one)
        self._handle(due)
        # Cleared only now, as an end that started meanwhile may not be the first one.
        self._timer = None
        if self._ends:
            first = next(iter(self._ends.values()))
            self._timer = self._clock.callLater(max(0.0, first - now), self._check)

    @abstractmethod
    def _handle(self, due: Sequence[_T]) -> None:
        """Remove or replace the ends of those that are *due*.  Must not raise."""


class Deadlines(_Ends[_T]):
    """Deadlines of *seconds* each, by key."""

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
        super().__init__(clock, seconds)
        self._missed = missed
        self._failed = failed or self._log_failure

    def _handle(self, due: Sequence[_T]) -> None:
        for one in due:
            # Handling one may have stopped another.
            if self._ends.pop(one, None) is not None:
                self._miss(one)

    def _miss(self, one: _T) -> None:
        """Handle a missed deadline.  An exception must not cost the others theirs."""
        try:
            self._missed(one)
        except Exception:  # noqa: BLE001 - whatever it is, it concerns this one only
            self._failed(one)

    def _log_failure(self, one: _T) -> None:
        self._log.failure("A missed deadline met a bug.")


class Rounds(_Ends[_T]):
    """Keys of which each is due every *seconds*, until it is stopped."""

    def __init__(
        self,
        clock: IReactorTime,
        seconds: float,
        due: Callable[[Sequence[_T]], None],
        *,
        early: float,
    ) -> None:
        """
        @param due: called with all keys that are due in a turn.
        @param early: seconds by which a key may be due early, so that a turn has more of them.
        """
        super().__init__(clock, seconds, early)
        self._due = due

    def _handle(self, due: Sequence[_T]) -> None:
        self.start_all(due)
        try:
            self._due(due)
        except Exception:  # noqa: BLE001 - the next round may do better
            self._log.failure("A round met a bug.")
