"""Shows rooms, and the users of a room, to actors outside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from zope.interface import implementer

from livechat.identity.actor import Actor
from livechat.identity.rights import EVERYWHERE
from livechat.interfaces import ISink
from livechat.protocol.cluster import Room
from livechat.protocol.messages import Entry, Place, User
from livechat.rooms.chat import Chat


class Attendance(Struct, frozen=True):
    """
    A room, as it is now.

    @ivar users: how many there are, at all processes.
    @ivar members: those whose names are known, by subject.
    """

    users: int
    connections: int
    members: Mapping[str, User]
    place: Place


@implementer(ISink)
class _Visitor:
    """Watches a room for a moment, so that other processes say who is there."""

    def deliver(self, room: str, epoch: str, entries: Sequence[Entry]) -> None:
        pass


async def attendance(chat: Chat, actor: Actor, room: str) -> Attendance:
    """
    See who is in *room*, and where it stands.

    @raise ChatError: *actor* may not be there, or the backend cannot tell.
    """
    visitor = _Visitor()
    await chat.watch(actor, room, visitor)
    try:
        place = await chat.place(actor, room)
        there = chat.who(actor, room)
        return Attendance(there.users, there.connections, chat.presence.users(room), place)
    finally:
        chat.unwatch(room, visitor)


async def open_rooms(chat: Chat, actor: Actor) -> list[Room]:
    """
    The active rooms that *actor* may find, in no order: all, if it manages everything; else those
    that are listed, and that it may join.
    """
    found = await chat.directory.rooms()
    if "manage" in chat.can(actor, EVERYWHERE):
        return found
    # The settings first: for most rooms these are enough.
    listed = (each for each in found if chat.settings.of(each.name).listed)
    return [each for each in listed if "join" in chat.can(actor, each.name)]
