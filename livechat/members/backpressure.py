"""
How much may wait for a member that does not read, and for how long.

What waits is the room's, not the member's own: all that wait for the same messages hold the
same bytes.
"""

from __future__ import annotations

from typing import Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from livechat.limits.deadlines import Deadlines

#: Seconds for which more than the bound may wait for a member: a burst that the
#: limits allow is no reason to close a member that is reading it.
SLOW: Final = 5.0
#: So many frames of the largest size may always wait.
LARGEST_FRAMES: Final = 4
#: So many times the bytes that may wait end a member's connection at once.
FAR_TOO_MUCH: Final = 64


class Drain:
    """Those who wait until what was written to a member has gone out."""

    def __init__(self) -> None:
        self._waiting: list[Deferred[None]] = []

    def wait(self) -> Deferred[None]:
        """Fires then."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def over(self) -> None:
        """It has gone out, or never will."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)


class Reader(Protocol):
    """One for whom something waits."""

    def too_slow(self) -> None:
        """Too much does: it is to be closed."""

    def met_a_bug(self) -> None:
        """Log the exception that is handled; end only this connection."""


class Patience:
    """
    With all members of a process.

    @ivar unsent: bytes that may wait for one of them.
    """

    def __init__(self, clock: IReactorTime, *, max_frame: int, max_unsent: int) -> None:
        """
        @param max_frame: bytes of the largest frame.
        @param max_unsent: bytes that may wait, or more if a few of the largest frames are more.
        """
        self.unsent = max(max_unsent, LARGEST_FRAMES * max_frame)
        self._slow: Deadlines[Reader] = Deadlines(
            clock, SLOW, lambda one: one.too_slow(), lambda one: one.met_a_bug()
        )

    def __len__(self) -> int:
        """For how many too much waits just now."""
        return len(self._slow)

    def look(self, one: Reader, waiting: int) -> None:
        """So many bytes wait for *one*."""
        if waiting <= self.unsent:
            self._slow.stop(one)
        elif waiting > FAR_TOO_MUCH * self.unsent:
            one.too_slow()
        elif one not in self._slow:
            self._slow.start(one)

    def done(self, one: Reader) -> None:
        """Nothing waits for *one*, or it is gone."""
        self._slow.stop(one)
