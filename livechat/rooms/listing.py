"""
The rooms that strangers may find: those whose setting says ``listed``, and that guests may enter.

A room with settings of its own is there when nobody is in it; one that a pattern lists, while it
is active.  Anybody may ask, as often as they like, so the answer holds for some seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from livechat.identity.rights import rights
from livechat.protocol.cluster import Room
from livechat.protocol.settings import LONGEST_TOPIC
from livechat.protocol.words import one_line, title_of
from livechat.rooms.directory import Directory, rooms_of_all
from livechat.rooms.settings import SettingsRegistry
from livechat.system.time import Time

#: Seconds for which an answer holds, unless settings change.
LISTED_FOR: Final = 5.0


class ListedRoom(Struct, frozen=True):
    """
    A room, as strangers see it.

    @ivar title: of its settings; empty without one.
    @ivar members: connections, at all processes.
    """

    name: str
    title: str
    topic: str
    members: int


class Listing:
    """Finds the rooms that are listed."""

    def __init__(self, directory: Directory, settings: SettingsRegistry, time: Time) -> None:
        self._directory = directory
        self._settings = settings
        self._time = time
        self._found: Sequence[ListedRoom] = ()
        self._until = float("-inf")
        settings.watch(self._forget)

    def _forget(self, _: object) -> None:
        self._until = float("-inf")

    async def rooms(self) -> Sequence[ListedRoom]:
        """All of them, by name."""
        if self._time.seconds() >= self._until:
            reports = await self._directory.reports()
            self._found = self._choose(rooms_of_all(report.rooms for report in reports))
            self._until = self._time.seconds() + LISTED_FOR
        return self._found

    def _choose(self, active: Iterable[Room]) -> Sequence[ListedRoom]:
        members = {each.name: each.members for each in active}
        named = (each for each in self._settings.changed() if not each.endswith("*"))
        names = sorted(members.keys() | set(named))
        return [self._line(each, members.get(each, 0)) for each in names if self._is_open(each)]

    def _is_open(self, room: str) -> bool:
        settings = self._settings.of(room)
        return settings.listed and "join" in rights("guest", None, room, settings)

    def _line(self, room: str, members: int) -> ListedRoom:
        settings = self._settings.of(room)
        topic = one_line(settings.topic, LONGEST_TOPIC)
        return ListedRoom(room, title_of(settings.title), topic, members)
