"""How long a history is."""

from __future__ import annotations

from dataclasses import dataclass

from livechat.protocol.names import is_internal


@dataclass(frozen=True)
class Retention:
    """
    What a history keeps: a number of entries and an age in seconds; 0 is no limit.

    @ivar internal_seconds: the age in internal rooms, whose entries are not counted.
    """

    messages: int = 0
    seconds: int = 0
    internal_seconds: int = 0

    def of(self, room: str) -> Retention:
        """Return what *room* keeps."""
        if is_internal(room):
            return Retention(0, self.internal_seconds, self.internal_seconds)
        return self

    def first_by_count(self, top: int) -> int:
        """The oldest number that the count lets live."""
        return max(1, top - self.messages + 1) if self.messages else 1

    def first_time(self, now: int) -> int:
        """The oldest time, in milliseconds, that the age lets live."""
        return now - 1000 * self.seconds if self.seconds else 0
