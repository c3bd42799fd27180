"""
What was said lately through this process, for people who watch.

It costs a few dictionary operations for each message, and nothing between
messages: a room's rate is a mean that fades by itself, computed when somebody
looks.  A room is forgotten when nothing was said there for `LATELY`, or when
`MOST_ROOMS` others were spoken in since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import exp
from typing import Final

from msgspec import Struct
from twisted.internet.interfaces import IReactorTime

from livechat.wire import Message, Newest

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


class Room(Struct, frozen=True, gc=False):
    """
    A room, as those who watch see it.

    @ivar members: how many are there now.
    @ivar rate: messages a minute, lately.
    @ivar newest: the newest message; None if it is not known.
    """

    name: str
    members: int
    rate: float = 0.0
    newest: Newest | None = None


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
        # What the backend knows of other rooms that have members.
        self._quiet: dict[str, Newest] = {}
        # What was said in each of the last seconds; the newest one is `_second`.
        self._counts = [0] * (BARS * BAR)
        self._second = int(clock.seconds())

    def said(self, room: str, message: Message) -> None:
        """*message* was stored in *room*."""
        now = self._clock.seconds()
        known = self._said.pop(room, None)
        rate = 0.0 if known is None else _faded(known, now)
        self._said[room] = _Said(Newest(message.seq, message.time), rate + 60 / _FADE, now)
        self._quiet.pop(room, None)
        self._forget(now)
        self._turn(int(now))
        self._counts[self._second % len(self._counts)] += 1

    def ended(self, room: str) -> None:
        """The last member of *room* left."""
        self._quiet.pop(room, None)

    def unknown(self, rooms: Iterable[str]) -> list[str]:
        """Those of *rooms* whose newest message is not known here."""
        self._forget(self._clock.seconds())
        return [room for room in rooms if room not in self._said and room not in self._quiet]

    def learn(self, room: str, newest: Newest) -> None:
        """*room* has members; what the backend says of it."""
        if room not in self._said:
            self._quiet[room] = newest

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
        rooms += (
            Room(name, count, 0.0, self._quiet.get(name))
            for name, count in members.items()
            if name not in self._said
        )
        return rooms

    def room(self, name: str, members: int, newest: Newest | None) -> Room:
        """
        One room, active or not.

        @param newest: its newest message, if that was `unknown`.
        """
        said = self._said.get(name)
        if said is None:
            return Room(name, members, 0.0, self._quiet.get(name, newest))
        return Room(name, members, _faded(said, self._clock.seconds()), said.newest)

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
