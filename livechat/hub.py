"""
The rooms of this process, their members, and those who watch them.

A room is here from when the first of them comes until the last one goes.
`deliver` is the only way in which a message reaches anybody, whoever sent it
and however it came.

A watcher, such as an operator's page, is told what is said like a member, and
counts as none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from twisted.logger import Logger
from zope.interface import implementer

from livechat import wire
from livechat.interfaces import IMember, ISink
from livechat.wire import Message

_T = TypeVar("_T")


@implementer(ISink)
class Hub:
    """Who is in which room, and the fan-out of what is said there."""

    _log = Logger()

    def __init__(self) -> None:
        # A dict for its order: members are written to in the order they came.
        self._rooms: dict[str, dict[IMember, None]] = {}
        self._watchers: dict[str, dict[ISink, None]] = {}

    def join(self, room: str, member: IMember) -> None:
        """Add *member*; a second time is nothing."""
        self._rooms.setdefault(room, {})[member] = None

    def leave(self, room: str, member: IMember) -> bool:
        """Take *member* out; returns whether *room* ended by it, for watchers too."""
        return _take_out(self._rooms, room, member) and room not in self._watchers

    def watch(self, room: str, watcher: ISink) -> None:
        """Tell *watcher* what is said in *room*; a second time is nothing."""
        self._watchers.setdefault(room, {})[watcher] = None

    def unwatch(self, room: str, watcher: ISink) -> bool:
        """Tell it no more; returns whether *room* ended by it, for members too."""
        return _take_out(self._watchers, room, watcher) and room not in self._rooms

    def members(self, room: str) -> int:
        """How many members *room* has in this process."""
        return len(self._rooms.get(room, ()))

    def rooms(self) -> Mapping[str, int]:
        """The rooms that have members in this process, and how many."""
        return {room: len(members) for room, members in self._rooms.items()}

    def deliver(self, room: str, epoch: str, messages: Sequence[Message]) -> None:
        """
        Write *messages* to every member of *room*: encoded once, joined, in
        one write each.  Then tell its watchers.
        """
        members = self._rooms.get(room)
        if members:
            frames = b"".join(map(wire.plain_frame, messages))
            for member in tuple(members):
                try:
                    member.write(frames)
                except Exception:  # noqa: BLE001 - whatever it is, it is this member's own
                    # Its own connection is broken; the others must not notice.
                    self._log.failure("A member of {room} is cut off: writing failed.", room=room)
                    members.pop(member, None)
                    member.abort()
        for watcher in tuple(self._watchers.get(room, ())):
            watcher.deliver(room, epoch, messages)


def _take_out(rooms: dict[str, dict[_T, None]], room: str, one: _T) -> bool:
    """Returns whether nobody is left."""
    there = rooms.get(room)
    if there is None:
        return False
    there.pop(one, None)
    if there:
        return False
    del rooms[room]
    return True
