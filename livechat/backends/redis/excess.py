"""
The bound of all entries together that are only kept for receivers outside.

Each room is bounded where it is stored.  The process that leads looks at all rooms now and then,
and those that hold most give up their oldest.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from twisted.internet.defer import Deferred

from livechat.backends import outbox
from livechat.backends.redis.connection import (
    Commands,
    RefusedError,
    Script,
    UnansweredError,
    answers,
)
from livechat.backends.redis.entering import Entered
from livechat.backends.redis.keys import Keys

EXCESS: Final = Script("excess")
#: Rooms whose sizes are asked for together.
STEP: Final = 200


class Held(NamedTuple):
    """
    Entries that a room only holds.

    @ivar first: the number of its oldest entry.
    """

    room: str
    first: int
    entries: int
    size: int


class Excess:
    """Entries that are only held in one Redis, or in one cluster."""

    def __init__(self, connection: Commands, keys: Keys, entered: Entered) -> None:
        self._connection = connection
        self._keys = keys
        self._entered = entered

    async def look(self) -> list[Held]:
        """
        Find the rooms that hold something.

        @raise UnansweredError: as `Commands.command`.
        @raise RefusedError: as `Commands.command`.
        """
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

    async def give_up(self, given: Sequence[tuple[Held, int]]) -> None:
        """
        Have rooms give up so many entries.

        @raise UnansweredError: as `Commands.command`.
        @raise RefusedError: as `Commands.command`.
        """
        for start in range(0, len(given), STEP):
            some = given[start : start + STEP]
            await answers(self._ask(each.room, b"%d" % (each.first + drop)) for each, drop in some)

    def _ask(self, room: str, first: bytes) -> Deferred[Any]:
        return self._connection.call(EXCESS, self._keys.numbering(room), [first])


async def give_up(several: Sequence[Excess]) -> int:
    """
    Have what several hold together be within the bounds; those that are away are passed over.

    @return: how many entries were given up.
    """
    found: list[tuple[Excess, Held]] = []
    for each in several:
        with suppress(UnansweredError, RefusedError):
            found += [(each, held) for held in await each.look()]
    given: dict[Excess, list[tuple[Held, int]]] = {}
    for (each, held), drop in zip(found, drops([held for _, held in found]), strict=True):
        if drop:
            given.setdefault(each, []).append((held, drop))
    count = 0
    for each, some in given.items():
        with suppress(UnansweredError, RefusedError):
            await each.give_up(some)
            count += sum(drop for _, drop in some)
    return count


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
    """Find the size to which the largest are cut, so that all together have *most*."""
    left = most
    ordered = sorted(sizes)
    for at, size in enumerate(ordered):
        share = left // (len(ordered) - at)
        if size > share:
            return share
        left -= size
    return most
