"""
What the processes that serve the same rooms say of themselves, and what comes of it
when it is put together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, structs

from livechat.protocol.wire import Newest, User


class Room(Struct, frozen=True, gc=False):
    """
    A room, as those who watch see it.

    @ivar members: how many are there now.
    @ivar rate: messages a minute, lately.
    @ivar newest: the newest message; None if it is not known.
    """

    name: str
    members: int
    rate: float = 0.0
    newest: Newest | None = None


class Report(Struct, frozen=True):
    """
    One process.

    @ivar process: its name, which no other has.
    @ivar started: in milliseconds since 1970, UTC.
    @ivar connections: how many it has now, not only of members.
    @ivar rate: messages a second that were sent to it, just now.
    @ivar chart: the same over some minutes, oldest first.
    @ivar rooms: those that have members there, or in which something was said there lately.
    """

    process: str
    started: int
    connections: int
    rate: float
    chart: tuple[float, ...]
    rooms: tuple[Room, ...]

    @property
    def members(self) -> int:
        return sum(room.members for room in self.rooms)


class Share(Struct, frozen=True):
    """
    Who is in a room, at one process.

    @ivar users: none of them if they are very many.
    @ivar count: how many they are.
    @ivar connections: how many they have.
    """

    users: tuple[User, ...] = ()
    count: int = 0
    connections: int = 0


def rooms_of_all(shares: Iterable[Iterable[Room]]) -> list[Room]:
    """
    The rooms of all processes, in no order: members and rates are sums.

    @param shares: the rooms of each process.
    """
    found: dict[str, Room] = {}
    for rooms in shares:
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
    """Messages a second that were sent to any of them, oldest first."""
    return [sum(values) for values in zip(*(report.chart for report in reports), strict=False)]
