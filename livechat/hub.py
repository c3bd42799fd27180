"""
The rooms of this process, their members, and those who watch them.

A room is here from when the first of them comes until the last one goes.
`deliver` is the only way in which a message reaches anybody, whoever sent it
and however it came.

What is delivered within one turn of the reactor is written at its end, in one
*batch* for each room: encoded once, joined, and written to each member in one
piece.  Nobody waits for that: a lone message leaves in its own turn.

A turn writes to `SLICE` members at most; then everybody else has a turn, and
rooms with batches left take theirs one after the other.  So a room of ten
thousand delays the others by a slice and not by all of itself.  A room's next
batch begins when its last one is with everybody, and meanwhile grows.

A batch is for those who were there when its messages were delivered: who joins
between two messages of a turn gets the second one only.

A watcher, such as an operator's page, is told what is said like a member, and
counts as none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from livechat import wire
from livechat.interfaces import IMember, ISink
from livechat.wire import Message

_T = TypeVar("_T")

#: Members that are written to in one turn: some 5 ms of one core.
SLICE: Final = 500


class _Batch:
    """Messages that are written together, and who is yet to get them."""

    __slots__ = ("frames", "messages", "readers")

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.readers: Iterator[IMember] | None = None
        self.frames = b""

    def close(self, members: Mapping[IMember, None]) -> None:
        """It is for *members*, and takes no more messages."""
        if self.readers is None:
            self.readers = iter(tuple(members))
            self.frames = b"".join(map(wire.plain_frame, self.messages))
            self.messages.clear()


class _Room:
    """Its members, in the order they came, and what they are yet to get."""

    __slots__ = ("batches", "members", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: dict[IMember, None] = {}
        # The last one may still take messages.
        self.batches: list[_Batch] = []

    def add(self, messages: Sequence[Message]) -> bool:
        """Returns whether there was nothing to be written before."""
        idle = not self.batches
        if idle or self.batches[-1].readers is not None:
            self.batches.append(_Batch())
        self.batches[-1].messages += messages
        return idle


@implementer(ISink)
class Hub:
    """Who is in which room, and the fan-out of what is said there."""

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._rooms: dict[str, _Room] = {}
        self._watchers: dict[str, dict[ISink, None]] = {}
        # Rooms with batches, in the order of their turns.
        self._ready: deque[_Room] = deque()
        self._called = False

    def join(self, room: str, member: IMember) -> None:
        """Add *member*; a second time is nothing."""
        there = self._rooms.get(room)
        if there is None:
            there = self._rooms[room] = _Room(room)
        elif there.batches:
            there.batches[-1].close(there.members)
        there.members[member] = None

    def leave(self, room: str, member: IMember) -> bool:
        """Take *member* out; returns whether *room* ended by it, for watchers too."""
        there = self._rooms.get(room)
        if there is None:
            return False
        there.members.pop(member, None)
        if there.members:
            return False
        del self._rooms[room]
        return room not in self._watchers

    def watch(self, room: str, watcher: ISink) -> None:
        """Tell *watcher* what is said in *room*; a second time is nothing."""
        self._watchers.setdefault(room, {})[watcher] = None

    def unwatch(self, room: str, watcher: ISink) -> bool:
        """Tell it no more; returns whether *room* ended by it, for members too."""
        watchers = self._watchers.get(room)
        if watchers is None:
            return False
        watchers.pop(watcher, None)
        if watchers:
            return False
        del self._watchers[room]
        return room not in self._rooms

    def members(self, room: str) -> int:
        """How many members *room* has in this process."""
        there = self._rooms.get(room)
        return len(there.members) if there is not None else 0

    def rooms(self) -> Mapping[str, int]:
        """The rooms that have members in this process, and how many."""
        return {name: len(room.members) for name, room in self._rooms.items()}

    def deliver(self, room: str, epoch: str, messages: Sequence[Message]) -> None:
        """
        Have *messages* written to every member of *room* at the end of this turn,
        and tell its watchers.
        """
        there = self._rooms.get(room)
        if there is not None and there.add(messages):
            self._ready.append(there)
            self._call()
        for watcher in tuple(self._watchers.get(room, ())):
            watcher.deliver(room, epoch, messages)

    def flush(self) -> None:
        """Write all that is yet to be written, however much it is."""
        while self._ready:
            self._write(len(self._ready[0].members) + 1)

    def _call(self) -> None:
        if not self._called:
            self._called = True
            self._clock.callLater(0, self._turn)

    def _turn(self) -> None:
        self._called = False
        left = SLICE
        while self._ready and left > 0:
            left -= self._write(left)
        if self._ready:
            self._call()

    def _write(self, most: int) -> int:
        """Write to *most* members of the room whose turn it is; returns to how many."""
        room = self._ready.popleft()
        batch = room.batches[0]
        batch.close(room.members)
        assert batch.readers is not None
        written, frames, members = 0, batch.frames, room.members
        for member in batch.readers:
            # Who has left meanwhile is not written to.
            if member in members:
                try:
                    member.write(frames)
                except Exception:  # noqa: BLE001 - whatever it is, it is this member's own
                    self._cut_off(room, member)
            written += 1
            if written >= most:
                break
        else:
            room.batches.pop(0)
        if room.batches:
            self._ready.append(room)
        return written

    def _cut_off(self, room: _Room, member: IMember) -> None:
        """Its own connection is broken; the others must not notice."""
        self._log.failure("A member of {room} is cut off: writing failed.", room=room.name)
        room.members.pop(member, None)
        member.abort()
