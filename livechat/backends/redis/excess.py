"""
The bound of all entries together that are only kept for receivers outside.

Each room is bounded where it is stored.  The process that leads looks at all rooms now and then,
and those that hold most give up their oldest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from livechat.backends import outbox
from livechat.backends.redis.connection import Commands, Script, answers
from livechat.backends.redis.entering import Entered
from livechat.backends.redis.keys import Keys

EXCESS: Final = Script("excess")
#: Seconds between two looks.
LOOK_EVERY: Final = 5.0
#: Rooms that are asked for together.
STEP: Final = 200


class Held(NamedTuple):
    """
    What a room only holds.

    @ivar first: the number of its oldest entry.
    """

    room: str
    first: int
    entries: int
    size: int


class Excess:
    """What is held beyond the bound."""

    def __init__(
        self, connection: Commands, keys: Keys, clock: IReactorTime, entered: Entered
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._clock = clock
        self._entered = entered
        self._next = float("-inf")

    async def give_up(self, *, now: bool = False) -> int:
        """
        Give up what is beyond the bound, if it is time to look.

        @return: how many entries.
        @raise UnansweredError: as `Commands.command`.
        @raise RefusedError: as `Commands.command`.
        """
        if self._clock.seconds() < self._next and not now:
            return 0
        self._next = self._clock.seconds() + LOOK_EVERY
        held = await self._look()
        given = [
            each._replace(first=each.first + drop, entries=drop)
            for each, drop in zip(held, drops(held), strict=True)
            if drop
        ]
        for start in range(0, len(given), STEP):
            await answers(
                self._ask(each.room, b"%d" % each.first) for each in given[start : start + STEP]
            )
        return sum(each.entries for each in given)

    async def _look(self) -> list[Held]:
        found: list[Held] = []
        after = ""
        while rooms := await self._entered.behind(after, STEP):
            told = await answers(self._ask(room, b"") for room in rooms)
            for room, each in zip(rooms, told, strict=True):
                held = Held(room, *each)
                if held.entries:
                    found.append(held)
            after = next(reversed(rooms))
        return found

    def _ask(self, room: str, first: bytes) -> Deferred[Any]:
        return self._connection.call(EXCESS, self._keys.numbering(room), [first])


def drops(held: Sequence[Held]) -> list[int]:
    """Return how many entries each room has to give up, so that all are within the bounds."""
    given = [0] * len(held)
    for most, sizes in (
        (outbox.MOST, [each.entries for each in held]),
        (outbox.MOST_BYTES, [each.size for each in held]),
    ):
        level = _level(sizes, most)
        for at, (each, size) in enumerate(zip(held, sizes, strict=True)):
            if size > level:
                share = -(-each.entries * (size - level) // size)
                given[at] = max(given[at], share)
    return given


def _level(sizes: Sequence[int], most: int) -> int:
    """The size to which the largest are cut, so that all of them are *most* together."""
    left = most
    ordered = sorted(sizes)
    for at, size in enumerate(ordered):
        share = left // (len(ordered) - at)
        if size > share:
            return share
        left -= size
    return most
