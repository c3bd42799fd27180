"""The rooms of all processes, put together from their reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import structs

from livechat.protocol.cluster import Report, Room


def rooms_of_all(shares: Iterable[Iterable[Room]]) -> list[Room]:
    """
    Merge the rooms of all processes, in no order: members and rates are sums.

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
    """Add up the charts of all processes: messages a second, oldest first."""
    return [sum(values) for values in zip(*(report.chart for report in reports), strict=False)]
