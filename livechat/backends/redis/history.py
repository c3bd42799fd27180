"""
What Redis has of a room, and how it is asked.

    lc:{room}:s    the stream: an entry's id is the message's number, its fields are
                   t (time in milliseconds), i (tag), m (text) and, maybe, u (user)
    lc:{room}:m    the state: s, t and i of the newest message; it outlives the stream
    lc:{room}:n:…  what a nonce was used for: number, time, tag and digest of a message
    lc:{room}:p    who is in the room, at each process (`livechat.backends.redis.company`)
    lc:{room}      the channel

The braces have all keys of a room in the same place where there are several.  Names go
in as they are: there are no braces in them (`livechat.names`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

from twisted.internet.defer import Deferred

from livechat.backends.redis.link import Link, Script, answers
from livechat.backends.redis.stream import Entry, user_of_bytes
from livechat.backends.retention import Retention

READ: Final = Script("read")
#: Characters after which a part ends.
CHARACTERS: Final = 256 * 1024
#: Rooms that are asked for together.
_STEP: Final = 500


def stream_key(room: str) -> bytes:
    """The key of *room*'s stream."""
    return f"lc:{{{room}}}:s".encode()


def state_key(room: str) -> bytes:
    """The key of *room*'s state."""
    return f"lc:{{{room}}}:m".encode()


def nonce_key(room: str, nonce: str) -> bytes:
    """The key of what *nonce* was used for in *room*."""
    return f"lc:{{{room}}}:n:{nonce}".encode()


def company_key(room: str) -> bytes:
    """The key of who is in *room*."""
    return f"lc:{{{room}}}:p".encode()


def channel_of(room: str) -> bytes:
    """Where what is said in *room* is told."""
    return f"lc:{{{room}}}".encode()


def room_of(channel: bytes) -> str:
    """The room of which *channel* tells."""
    return channel[4:-1].decode()


class State(NamedTuple):
    """A room's newest message; zeros and an empty tag if there never was one."""

    seq: int
    time: int
    tag: bytes


class Part(NamedTuple):
    """
    Consecutive entries of a room.

    @ivar top: the newest number.
    @ivar oldest: the oldest one that is kept; ``top + 1`` where none is.
    """

    top: int
    oldest: int
    entries: list[Entry]

    def tag_of(self, seq: int) -> bytes | None:
        """The tag of message *seq*, if it is among them."""
        return next((entry.tag for entry in self.entries if entry.seq == seq), None)


class History:
    """
    Asks; everything may fail as `Link.command` does.

    @ivar now: for tests: milliseconds since 1970, in place of what Redis's clock says.
    """

    def __init__(self, link: Link, retention: Retention) -> None:
        self._link = link
        self._retention = retention
        self.now: int | None = None

    def what_is_kept(self) -> tuple[bytes, bytes, bytes]:
        """The arguments of scripts that say so: now, messages, milliseconds."""
        now = b"" if self.now is None else b"%d" % self.now
        return now, b"%d" % self._retention.messages, b"%d" % (1000 * self._retention.seconds)

    async def read(self, room: str, after: int, limit: int, *, later: int | None = None) -> Part:
        """
        What follows number *after*: at most *limit* messages, and not many more than
        `CHARACTERS`.

        @param later: only what was stored after this time in milliseconds.
        """
        args = [
            b"%d" % after,
            b"" if later is None else b"%d" % later,
            b"%d" % limit,
            b"%d" % CHARACTERS,
            *self.what_is_kept(),
        ]
        top, oldest, found = await self._link.call(READ, [stream_key(room), state_key(room)], args)
        return Part(top, oldest, [_entry(number, values) for number, values in found])

    async def state(self, room: str) -> State:
        """Of one room."""
        return _state(await self._ask(room))

    async def states(self, rooms: Sequence[str]) -> AsyncIterator[tuple[str, State]]:
        """Those of many rooms, some at a time."""
        for start in range(0, len(rooms), _STEP):
            some = rooms[start : start + _STEP]
            found = await answers(map(self._ask, some))
            for room, fields in zip(some, found, strict=True):
                yield room, _state(fields)

    def _ask(self, room: str) -> Deferred[list[bytes | None]]:
        return self._link.command(b"HMGET", state_key(room), b"s", b"t", b"i")


def _entry(number: bytes, values: Sequence[bytes]) -> Entry:
    """An entry of a stream: its id, and its fields' names and values in turn."""
    user = user_of_bytes(values[7]) if len(values) > 7 else None
    return Entry(
        int(number.partition(b"-")[0]), int(values[1]), values[3], values[5].decode(), user
    )


def _state(found: Sequence[bytes | None]) -> State:
    seq, time, tag = found
    return State(int(seq or 0), int(time or 0), tag or b"")
