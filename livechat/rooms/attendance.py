"""Shows the users of a room to actors outside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from zope.interface import implementer

from livechat.identity.actor import Actor
from livechat.interfaces import ISink
from livechat.protocol.messages import Entry, Place, User
from livechat.rooms.chat import Chat


class Attendance(Struct, frozen=True):
    """
    A room in its present state.

    @ivar users: how many there are, at all processes.
    @ivar members: those whose names are known, by subject; none where members are not told of
        each other, unless to those that moderate.
    """

    users: int
    connections: int
    members: Mapping[str, User]
    place: Place


@implementer(ISink)
class _Visitor:
    """Watches a room for a moment, to get the shares of other processes."""

    def deliver(self, room: str, epoch: str, entries: Sequence[Entry]) -> None:
        pass


async def attendance(chat: Chat, actor: Actor, room: str) -> Attendance:
    """
    Read the users of *room*, and its place.

    @raise ChatError: *actor* may not be there, or the backend cannot tell.
    """
    visitor = _Visitor()
    await chat.watch(actor, room, visitor)
    try:
        place = await chat.place(actor, room)
        there = chat.who(actor, room)
        # Where members are not told of each other, this way does not show them either.
        shown = chat.settings.of(room).presence or "moderate" in chat.can(actor, room)
        members = chat.presence.users(room) if shown else {}
        return Attendance(there.users, there.connections, members, place)
    finally:
        chat.unwatch(room, visitor)
