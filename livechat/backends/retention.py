"""How long a history is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Retention:
    """What a history keeps: a number of messages and an age in seconds; 0 is no limit."""

    messages: int = 0
    seconds: int = 0

    def first_by_count(self, top: int) -> int:
        """The oldest number that the count lets live."""
        return max(1, top - self.messages + 1) if self.messages else 1

    def first_time(self, now: int) -> int:
        """The oldest time, in milliseconds, that the age lets live."""
        return now - 1000 * self.seconds if self.seconds else 0
