"""Bounds of histories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from livechat.protocol.names import EVENTS_ROOM, is_internal

#: Rules of rooms that are remembered.
MOST_MADE: Final = 1_000
#: Seconds for which the last entry of `EVENTS_ROOM` stays.  Nobody reads that room's history, and
#: entries that wait for receivers are held (`livechat.backends.outbox`).
EVENTS_SECONDS: Final = 600


@dataclass(frozen=True)
class Retention:
    """
    The bounds of a history: a number of entries and an age in seconds; 0 is no limit.

    @ivar internal_seconds: the age in internal rooms, whose entries are not counted.
    """

    messages: int = 0
    seconds: int = 0
    internal_seconds: int = 0

    def of(self, room: str) -> Retention:
        """Return what *room* keeps."""
        if room == EVENTS_ROOM:
            return _EVENTS
        if is_internal(room):
            return Retention(0, self.internal_seconds, self.internal_seconds)
        return self

    def first_by_count(self, top: int) -> int:
        """The oldest number that the count lets live."""
        return max(1, top - self.messages + 1) if self.messages else 1

    def first_time(self, now: int) -> int:
        """The oldest time, in milliseconds, that the age lets live."""
        return now - 1000 * self.seconds if self.seconds else 0


_EVENTS: Final = Retention(1, EVENTS_SECONDS)


class RoomRetention:
    """
    The bounds of one backend's histories; some rooms keep less than others.

    @ivar server: what the server keeps; no room keeps more.
    """

    def __init__(self, server: Retention) -> None:
        self.server = server
        self._of: Callable[[str], tuple[int, int]] | None = None
        # The number of changes to the rules of rooms.
        self.changes = 0
        # Made retentions by the rules of rooms: stores need one for each room of each group.
        self._made: dict[tuple[int, int], Retention] = {}

    def retain(self, of: Callable[[str], tuple[int, int]]) -> None:
        """Implement `livechat.interfaces.IMessageLog.retain`."""
        self._of = of
        self.changes += 1

    def of(self, room: str) -> Retention:
        """Return what *room* keeps; may be called in any thread."""
        if self._of is None or is_internal(room):
            return self.server.of(room)
        asked = self._of(room)
        if asked == (0, 0):
            return self.server
        found = self._made.get(asked)
        if found is None:
            if len(self._made) >= MOST_MADE:
                self._made.clear()
            server, (messages, seconds) = self.server, asked
            found = Retention(_less(server.messages, messages), _less(server.seconds, seconds))
            self._made[asked] = found
        return found


def _less(one: int, other: int) -> int:
    """Return the smaller of two limits; 0 is no limit."""
    return min(one, other) if one and other else one or other
