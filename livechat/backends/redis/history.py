"""The entries that Redis has of a room, and how it is asked for them."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Final

from twisted.internet.defer import Deferred

from livechat.backends.redis.connection import Commands, Script, answers
from livechat.backends.redis.entries import Part, State, stored_entry
from livechat.backends.redis.keys import Keys
from livechat.backends.retention import Retention, RoomRetention
from livechat.system.wallclock import WallClock

READ: Final = Script("read")
#: Characters of texts after which a part ends.
CHARACTERS: Final = 256 * 1024
#: Seconds for which an empty room that was read keeps its word.
READ_WORD_LASTS: Final = 600
#: Rooms that are read together.
_STEP: Final = 500


class History:
    """Asks; everything may fail as `Commands.command` does."""

    def __init__(
        self, connection: Commands, keys: Keys, retention: RoomRetention, wall: WallClock
    ) -> None:
        """
        @param wall: Redis's clock, as far as it is believed.
        """
        self._connection = connection
        self._keys = keys
        self._retention = retention
        self._wall = wall

    async def read(
        self,
        room: str,
        after: int,
        limit: int,
        *,
        later: int | None = None,
        hidden: bool = False,
    ) -> Part:
        """
        Read the entries behind number *after*: at most *limit* of them, and not many more than
        `CHARACTERS`.

        @param later: only entries stored after this time in milliseconds.
        @param hidden: with what no history shows any more.
        """
        retention = Retention() if hidden else self._retention.of(room)
        args = [
            b"%d" % after,
            b"" if later is None else b"%d" % later,
            b"%d" % limit,
            b"%d" % CHARACTERS,
            b"%d" % self._wall.milliseconds(),
            b"%d" % retention.messages,
            b"-1" if hidden else b"%d" % (1000 * retention.seconds),
            secrets.token_urlsafe(9).encode(),
            b"%d" % (1000 * READ_WORD_LASTS),
        ]
        keys = self._keys.numbering(room)
        word, top, time, tag, event, oldest, found = await self._connection.call(READ, keys, args)
        entries = [stored_entry(number, kept, word) for number, kept in found]
        return Part(State(top, time, tag, word), oldest, entries, event)

    async def states(self, rooms: Sequence[str]) -> AsyncIterator[tuple[str, State]]:
        """Read the states of many rooms, some at a time."""
        for start in range(0, len(rooms), _STEP):
            some = rooms[start : start + _STEP]
            found = await answers(map(self._ask, some))
            for room, fields in zip(some, found, strict=True):
                yield room, _state(fields)

    def _ask(self, room: str) -> Deferred[list[bytes | None]]:
        return self._connection.command(b"HMGET", self._keys.state(room), b"s", b"t", b"i", b"w")


def _state(found: Sequence[bytes | None]) -> State:
    seq, time, tag, word = found
    return State(int(seq or 0), int(time or 0), tag or b"", word or b"")
