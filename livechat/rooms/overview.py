"""Rooms and processes, as far as an actor may see them."""

from __future__ import annotations

from collections.abc import Sequence

from livechat.identity.actor import Actor
from livechat.identity.rights import EVERYWHERE
from livechat.protocol.cluster import Report, Room
from livechat.rooms.directory import Directory
from livechat.rooms.policy import Policy
from livechat.rooms.settings import SettingsRegistry


class Overview:
    """Shows rooms and processes."""

    def __init__(self, directory: Directory, policy: Policy, settings: SettingsRegistry) -> None:
        self._directory = directory
        self._policy = policy
        self._settings = settings

    def moderated(self, actor: Actor, rooms: Sequence[Room]) -> Sequence[Room]:
        """Choose the *rooms* that *actor* moderates or manages; all, if it manages everywhere."""
        rights = self._policy.rights
        if "manage" in rights(actor, EVERYWHERE):
            return rooms
        return [each for each in rooms if rights(actor, each.name) & {"moderate", "manage"}]

    async def rooms(self, actor: Actor) -> list[Room]:
        """
        The active rooms, in no order.

        @raise ChatError: the actor may not list them.
        """
        self._policy.require(actor, EVERYWHERE, "manage")
        return await self._directory.rooms()

    async def open(self, actor: Actor) -> list[Room]:
        """
        The active rooms that *actor* may find, in no order: all, if it manages everything; else the
        listed ones that it may join.
        """
        if "manage" in self._policy.rights(actor, EVERYWHERE):
            return await self._directory.rooms()
        # Any client may ask, and active rooms may be thousands.
        if not self._settings.list_any:
            return []
        found = await self._directory.rooms()
        # The settings first: for most rooms they suffice.
        listed = (each for each in found if self._settings.of(each.name).listed)
        return [each for each in listed if "join" in self._policy.rights(actor, each.name)]

    async def room(self, actor: Actor, name: str) -> Room:
        """
        Find a room, active or not.

        @raise ChatError: the actor may not be there.
        """
        self._policy.require(actor, name, "join")
        return await self._directory.room(name)

    async def reports(self, actor: Actor) -> Sequence[Report]:
        """
        Collect the reports of the processes that serve these rooms, this one first.

        @raise ChatError: the actor may not see that.
        """
        self._policy.require(actor, EVERYWHERE, "manage")
        return await self._directory.reports()
