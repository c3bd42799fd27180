"""
What was said lately through this process, for people who watch.

It costs a few dictionary operations for each message, and nothing between
messages: a room's rate is a mean that fades by itself, computed when somebody
looks.  A room is forgotten when nothing was said there for `LATELY`, or when
`MOST_ROOMS` others were spoken in since.
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
LATELY: Final = 900.0
#: Rooms that are remembered at most.
MOST_ROOMS: Final = 20_000
#: Seconds in which a message's share of its room's rate fades to 1/e.
_FADE: Final = 60.0
#: The chart: so many bars of so many seconds.
BARS: Final = 60
BAR: Final = 5
#: Seconds over which the current rate is a mean.
_NOW: Final = 10


class _Said(Struct, gc=False):
    """The newest message of a room, and the room's rate when it was said."""

    newest: Newest
    rate: float
    at: float


class Activity:
    """The rooms in which something was said lately, and how much was said in all."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        # The room that was quiet for the longest time comes first.
        self._said: dict[str, _Said] = {}
        # What was said in each of the last seconds; the newest one is `_second`.
        self._counts = [0] * (BARS * BAR)
        self._second = int(clock.seconds())

    def said(self, room: str, message: Message) -> None:
        """*message* was stored in *room*."""
        now = self._clock.seconds()
        known = self._said.pop(room, None)
        rate = 0.0 if known is None else _faded(known, now)
        self._said[room] = _Said(Newest(message.seq, message.time), rate + 60 / _FADE, now)
        self._forget(now)
        self._turn(int(now))
        self._counts[self._second % len(self._counts)] += 1

    def rooms(self, members: Mapping[str, int]) -> list[Room]:
        """
        The rooms that have members or in which something was said lately, in no order.

        @param members: how many are in each room that has any.
        """
        now = self._clock.seconds()
        self._forget(now)
        rooms = [
            Room(name, members.get(name, 0), _faded(said, now), said.newest)
            for name, said in self._said.items()
        ]
        rooms += (Room(name, count) for name, count in members.items() if name not in self._said)
        return rooms

    def rate(self) -> float:
        """Messages a second, just now: the mean of the last full seconds."""
        self._turn(int(self._clock.seconds()))
        size = len(self._counts)
        return sum(self._counts[(self._second - ago) % size] for ago in range(1, _NOW + 1)) / _NOW

    def chart(self) -> list[float]:
        """Messages a second in each of the last `BARS` times `BAR` seconds, oldest first."""
        self._turn(int(self._clock.seconds()))
        # Bars begin at full multiples, so that they keep their height while they move.
        newest, end = self._second // BAR, self._second + 1
        size = len(self._counts)
        return [
            sum(self._counts[at % size] for at in range(bar * BAR, min(bar * BAR + BAR, end))) / BAR
            for bar in range(newest - BARS + 1, newest + 1)
        ]

    def _turn(self, second: int) -> None:
        """Make *second* the newest one."""
        size = len(self._counts)
        for new in range(self._second + 1, min(second, self._second + size) + 1):
            self._counts[new % size] = 0
        self._second = max(second, self._second)

    def _forget(self, now: float) -> None:
        while self._said:
            oldest = next(iter(self._said))
            if len(self._said) <= MOST_ROOMS and self._said[oldest].at > now - LATELY:
                return
            del self._said[oldest]


def _faded(said: _Said, now: float) -> float:
    """Messages a minute."""
    return said.rate * exp((said.at - now) / _FADE)
