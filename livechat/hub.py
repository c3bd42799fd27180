"""
The rooms of this process and their members.

A room is here exactly as long as it has members.  `deliver` is the only way
in which a message reaches a member, whoever sent it and however it came.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from twisted.logger import Logger
from zope.interface import implementer

from livechat import wire
from livechat.interfaces import IMember, ISink
from livechat.wire import Message


@implementer(ISink)
class Hub:
    """Who is in which room, and the fan-out of what is said there."""

    _log = Logger()

    def __init__(self) -> None:
        # A dict for its order: members are written to in the order they came.
        self._rooms: dict[str, dict[IMember, None]] = {}

    def join(self, room: str, member: IMember) -> bool:
        """Add *member*; returns whether it is the room's first."""
        members = self._rooms.setdefault(room, {})
        first = not members
        members[member] = None
        return first

    def leave(self, room: str, member: IMember) -> bool:
        """Take *member* out if it is in; returns whether that emptied the room."""
        members = self._rooms.get(room)
        if members is None:
            return False
        members.pop(member, None)
        if members:
            return False
        del self._rooms[room]
        return True

    def members(self, room: str) -> int:
        """How many members *room* has in this process."""
        return len(self._rooms.get(room, ()))

    def rooms(self) -> Iterator[tuple[str, int]]:
        """Every room that has members, and how many."""
        return ((room, len(members)) for room, members in self._rooms.items() if members)

    def deliver(self, room: str, epoch: str, messages: Sequence[Message]) -> None:
        """
        Write *messages* to every member of *room*: encoded once, joined, in
        one write each.
        """
        members = self._rooms.get(room)
        if not members:
            return
        frames = b"".join(map(wire.plain_frame, messages))
        for member in tuple(members):
            try:
                member.write(frames)
            except Exception:  # noqa: BLE001 - whatever it is, it is this member's own
                # Its own connection is broken; the others must not notice.
                self._log.failure("A member of {room} was removed: writing failed.", room=room)
                members.pop(member, None)
