"""
Activity of the last minutes in this process, for operators: rates, newest messages, a chart.

A message costs a few dictionary operations, and the time between messages nothing: a room's rate is
a mean that fades by itself, computed on request.  A room is forgotten after `ACTIVE_FOR` without a
message, or after messages in `MOST_ROOMS` others.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from typing import Final

from msgspec import Struct
from twisted.internet.interfaces import IReactorTime

from livechat.protocol.cluster import Room
from livechat.protocol.messages import Message, Newest

#: Seconds for which a room counts as active after its last message.
ACTIVE_FOR: Final = 900.0
#: Rooms that are remembered at most.
MOST_ROOMS: Final = 20_000
#: Seconds in which a message's share of its room's rate fades to 1/e.
_FADE: Final = 60.0
#: The chart: so many bars of so many seconds.
BARS: Final = 60
BAR: Final = 5
#: Seconds over which the current rate is a mean.
_RATE_SECONDS: Final = 10


class _Said(Struct, gc=False):
    """The newest message of a room, and the room's rate when it was said."""

    newest: Newest
    rate: float
    at: float


class Activity:
    """The rooms with messages lately, and how many messages there were in all."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        # The room that has been quiet for the longest time comes first.
        self._said: dict[str, _Said] = {}
        # Messages in each of the last seconds; the newest one is `_second`.
        self._counts = [0] * (BARS * BAR)
        self._second = int(clock.seconds())

    def record(self, room: str, newest: Message, count: int) -> None:
        """Count messages that were stored in *room*; *newest* is the last one."""
        now = self._clock.seconds()
        second = int(now)
        if second > self._second:
            self._advance(second)
            self._expire(now)
        said = self._said
        known = said.pop(room, None)
        rate = count * 60 / _FADE
        if known is not None:
            rate += _faded(known, now)
        said[room] = _Said(Newest(newest.seq, newest.time), rate, now)
        if len(said) > MOST_ROOMS:
            self._expire(now)
        self._counts[second % len(self._counts)] += count

    def rooms(self, members: Mapping[str, int]) -> list[Room]:
        """
        Return the rooms that have members, or had messages lately, in no order.

        @param members: how many each room has that has any.
        """
        now = self._clock.seconds()
        self._expire(now)
        rooms = [
            Room(name, members.get(name, 0), _faded(said, now), said.newest)
            for name, said in self._said.items()
        ]
        rooms += (Room(name, count) for name, count in members.items() if name not in self._said)
        return rooms

    def rate(self) -> float:
        """Return the current messages a second: the mean of the last full seconds."""
        self._advance(int(self._clock.seconds()))
        size = len(self._counts)
        return (
            sum(self._counts[(self._second - ago) % size] for ago in range(1, _RATE_SECONDS + 1))
            / _RATE_SECONDS
        )

    def chart(self) -> list[float]:
        """Return the messages a second in each of the last `BARS` spans of `BAR` seconds."""
        self._advance(int(self._clock.seconds()))
        # Bars begin at full multiples, so that they keep their height while they move.
        newest, end = self._second // BAR, self._second + 1
        size = len(self._counts)
        return [
            sum(self._counts[at % size] for at in range(bar * BAR, min(bar * BAR + BAR, end))) / BAR
            for bar in range(newest - BARS + 1, newest + 1)
        ]

    def _advance(self, second: int) -> None:
        """Make *second* the newest one."""
        size = len(self._counts)
        for new in range(self._second + 1, min(second, self._second + size) + 1):
            self._counts[new % size] = 0
        self._second = max(second, self._second)

    def _expire(self, now: float) -> None:
        while self._said:
            oldest = next(iter(self._said))
            if len(self._said) <= MOST_ROOMS and self._said[oldest].at > now - ACTIVE_FOR:
                return
            del self._said[oldest]


def _faded(said: _Said, now: float) -> float:
    """Return the messages a minute at *now*."""
    return said.rate * exp((said.at - now) / _FADE)
