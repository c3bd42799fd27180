"""The directory of rooms and of the processes that serve them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import structs

from livechat.errors import ChatError
from livechat.interfaces import IBackend
from livechat.protocol.cluster import Condition, Report, Room
from livechat.protocol.messages import Newest
from livechat.rooms.activity import Activity
from livechat.rooms.hub import Hub

#: The newest entry of a room without any.
_NEVER: Final = Newest(0, 0)


class Directory:
    """The rooms of all processes that have members, or had messages lately."""

    def __init__(self, backend: IBackend, hub: Hub, activity: Activity) -> None:
        self._backend = backend
        self._hub = hub
        self._activity = activity
        # The backend's newest entries of active rooms without recent messages.
        self._quiet: dict[str, Newest] = {}

    async def rooms(self) -> list[Room]:
        """
        The active rooms, in no order: those with members in any process, and those with recent
        messages.
        """
        rooms = rooms_of_all(report.rooms for report in await self._backend.processes.reports())
        quiet = {room.name for room in rooms if room.newest is None}
        for name in self._quiet.keys() - quiet:
            del self._quiet[name]
        unknown = [name for name in quiet if name not in self._quiet]
        if unknown:
            self._quiet |= await self._newest(unknown)
        return [
            structs.replace(room, newest=self._quiet.get(room.name))
            if room.newest is None
            else room
            for room in rooms
        ]

    async def room(self, name: str) -> Room:
        """Return a room, active or not."""
        reports = await self._backend.processes.reports()
        shares = ([room] for report in reports for room in report.rooms if room.name == name)
        room = next(iter(rooms_of_all(shares)), Room(name, 0))
        if room.newest is not None:
            return room
        return structs.replace(room, newest=(await self._newest([name])).get(name))

    async def reports(self) -> Sequence[Report]:
        """Collect the reports of the processes that serve these rooms, this one first."""
        return await self._backend.processes.reports()

    def report(
        self, process: str, started: int, connections: int, condition: Condition | None = None
    ) -> Report:
        """
        Make the report of this process.

        @param process: its name, which no other has.
        @param started: in milliseconds since 1970, UTC.
        @param connections: how many it has.
        @param condition: how it is.
        """
        return Report(
            process,
            started,
            connections,
            self._activity.rate(),
            tuple(self._activity.chart()),
            tuple(self._activity.rooms(self._hub.rooms())),
            condition,
        )

    async def _newest(self, rooms: Sequence[str]) -> dict[str, Newest]:
        """Ask the backend for the newest entries of *rooms*; none while it is away."""
        # The rooms are shown without them.
        try:
            found = await self._backend.messages.newest(rooms)
        except ChatError:
            return {}
        return {room: found.get(room, _NEVER) for room in rooms}


def rooms_of_all(shares: Iterable[Iterable[Room]]) -> list[Room]:
    """
    Merge the rooms of all processes, in no order: members and rates are sums.

    @param shares: the rooms of each process, each once.
    """
    each = [*shares]
    if len(each) == 1:
        return [*each[0]]
    found: dict[str, Room] = {}
    for rooms in each:
        for room in rooms:
            other = found.get(room.name)
            found[room.name] = room if other is None else _together(room, other)
    return list(found.values())


def _together(one: Room, other: Room) -> Room:
    known = [room.newest for room in (one, other) if room.newest is not None]
    return structs.replace(
        one,
        members=one.members + other.members,
        rate=one.rate + other.rate,
        newest=max(known, key=lambda newest: newest.seq, default=None),
    )


def chart_of_all(reports: Sequence[Report]) -> list[float]:
    """Add up the charts of all processes: messages a second, oldest first."""
    return [sum(values) for values in zip(*(report.chart for report in reports), strict=False)]
