"""
The public list of rooms: those with the setting ``listed`` that guests may enter.

A room with settings of its own is listed even when it is empty; a room listed by a pattern, while
it is active.  Anybody may ask at any rate, and rooms may be thousands.  So the names are cached
until settings change, and the numbers of members for some seconds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from heapq import nlargest
from typing import Final

from msgspec import Struct

from livechat.identity.rights import rights
from livechat.protocol.settings import LONGEST_TOPIC
from livechat.protocol.words import one_line, title_of
from livechat.rooms.directory import Directory, rooms_of_all
from livechat.rooms.settings import SettingsRegistry
from livechat.system.time import Time

#: Seconds for which an answer holds, unless settings change.
LISTED_FOR: Final = 5.0
#: The busiest rooms, which are listed apart from the others.
BUSIEST: Final = 12


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


class Listed(Struct, frozen=True):
    """
    The rooms that are listed.

    @ivar names: all, in order.
    @ivar busiest: the names of those with most people.
    @ivar members: connections by name, of those that are active.
    """

    names: Sequence[str] = ()
    busiest: Sequence[str] = ()
    members: Mapping[str, int] = {}

    def page(self, after: str, count: int) -> Sequence[str]:
        """The names behind *after*, at most *count*."""
        first = bisect_right(self.names, after)
        return self.names[first : first + count]


class Listing:
    """Finds the rooms that are listed."""

    def __init__(self, directory: Directory, settings: SettingsRegistry, time: Time) -> None:
        self._directory = directory
        self._settings = settings
        self._time = time
        # Listed rooms with settings of their own; None: not known yet.
        self._named: set[str] | None = None
        self._found = Listed()
        self._until = float("-inf")
        settings.watch(self._changed)

    def _changed(self, patterns: Collection[str]) -> None:
        self._until = float("-inf")
        if self._named is None or not patterns or any(map(_is_pattern, patterns)):
            self._named = None
            return
        kept = self._settings.changed()
        listed = {each for each in patterns if each in kept and self._is_open(each)}
        self._named = self._named.difference(patterns) | listed

    async def rooms(self) -> Listed:
        """The rooms that are listed."""
        if self._time.seconds() >= self._until:
            reports = await self._directory.reports()
            active = rooms_of_all(report.rooms for report in reports)
            self._found = self._choose({each.name: each.members for each in active})
            self._until = self._time.seconds() + LISTED_FOR
        return self._found

    def line(self, name: str) -> ListedRoom:
        """Describe a room that `rooms` found."""
        settings = self._settings.of(name)
        topic = one_line(settings.topic, LONGEST_TOPIC)
        members = self._found.members.get(name, 0)
        return ListedRoom(name, title_of(settings.title), topic, members)

    def _choose(self, members: Mapping[str, int]) -> Listed:
        kept = self._settings.changed()
        if self._named is None:
            self._named = {each for each in kept if not _is_pattern(each) and self._is_open(each)}
        found = self._named
        if any(change.listed is True for name, change in kept.items() if _is_pattern(name)):
            found = found.union(filter(self._is_open, members))
        names = sorted(found)
        busiest = nlargest(BUSIEST, names, key=lambda name: members.get(name, 0))
        return Listed(names, busiest, {name: members[name] for name in found & members.keys()})

    def _is_open(self, room: str) -> bool:
        settings = self._settings.of(room)
        return settings.listed and "join" in rights("guest", None, room, settings)


def _is_pattern(name: str) -> bool:
    return name.endswith("*")
