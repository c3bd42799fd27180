"""Clocks that tests move."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

#: Seconds of a turn of `TurnClock`.
TURN = 1.0


class TurnClock(Clock):
    """A clock on which "at once" is the next turn, and a turn is `TURN`."""

    def callLater(self, delay: float, callable: Any, *args: Any, **kw: Any) -> Any:  # noqa: A002
        return super().callLater(delay + TURN, callable, *args, **kw)
