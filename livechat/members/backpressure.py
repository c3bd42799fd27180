"""
Slow consumers: bounds of size and time for the queue of a member that does not read.

The bytes that wait are the room's, not the member's own: all members that wait for the same
messages hold the same bytes.
"""

from __future__ import annotations

from typing import Final, Protocol

from twisted.internet.interfaces import IReactorTime

from livechat.limits.deadlines import Deadlines

#: Seconds for which more than the soft limit may wait: a burst that the rates allow
#: is no reason to close a member that is reading it.
SOFT_SECONDS: Final = 5.0
#: Frames of the largest size that may always wait.
LARGEST_FRAMES: Final = 4
#: The hard limit, as a multiple of the soft one: beyond it a connection ends at once.
HARD_LIMIT: Final = 64


class Consumer(Protocol):
    """A member for which frames wait."""

    def too_slow(self) -> None:
        """Close: too much waits, or for too long."""

    def met_a_bug(self) -> None:
        """Log the exception that is being handled; end only this connection."""


class Backpressure:
    """
    Tracks slow consumers: the members of a process for which too much waits.

    @ivar soft_limit: bytes that may wait for a member.
    """

    def __init__(self, clock: IReactorTime, *, max_frame: int, max_unsent: int) -> None:
        """
        @param max_frame: bytes of the largest frame.
        @param max_unsent: bytes that may wait, or more if a few of the largest frames are more.
        """
        self.soft_limit = max(max_unsent, LARGEST_FRAMES * max_frame)
        self._slow: Deadlines[Consumer] = Deadlines(
            clock, SOFT_SECONDS, lambda consumer: consumer.too_slow(), lambda one: one.met_a_bug()
        )

    def __len__(self) -> int:
        """Count the members beyond the soft limit."""
        return len(self._slow)

    def check(self, consumer: Consumer, unsent: int) -> None:
        """Note that *unsent* bytes wait for *consumer*; close it beyond the hard limit."""
        if unsent <= self.soft_limit:
            self._slow.stop(consumer)
        elif unsent > HARD_LIMIT * self.soft_limit:
            consumer.too_slow()
        elif consumer not in self._slow:
            self._slow.start(consumer)

    def forget(self, consumer: Consumer) -> None:
        """Note that nothing waits for *consumer* any more."""
        self._slow.stop(consumer)
