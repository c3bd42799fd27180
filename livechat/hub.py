"""
The rooms of this process and their members.

A room is here from when its first member joins until its last one leaves.
`deliver` is the only way in which a message reaches a member, whoever sent it
and however it came.
"""

from __future__ import annotations

from collections.abc import Sequence

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

    def join(self, room: str, member: IMember) -> None:
        """Add *member*; a second time is nothing."""
        self._rooms.setdefault(room, {})[member] = None

    def leave(self, room: str, member: IMember) -> bool:
        """Take *member* out; returns whether the room ended by it."""
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
                self._log.failure("A member of {room} is cut off: writing failed.", room=room)
                members.pop(member, None)
                member.abort()
