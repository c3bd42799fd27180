"""Reports of the processes that serve the same rooms, on themselves and on their members."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from livechat.protocol.messages import Newest, User


class Room(Struct, frozen=True, gc=False):
    """
    A room, as operators see it.

    @ivar members: how many it has now.
    @ivar rate: messages a minute, lately.
    @ivar newest: the newest message; None if unknown.
    """

    name: str
    members: int
    rate: float = 0.0
    newest: Newest | None = None


class Condition(Struct, frozen=True):
    """
    The condition of a process, for operators.

    @ivar version: of its livechat.
    @ivar memory: its bytes; None where the system does not tell.
    @ivar lag: the seconds by which its reactor was late lately, at most.
    @ivar clocks: by how many seconds the clock of each Redis is ahead of its own.
    """

    version: str
    memory: int | None
    lag: float
    clocks: Mapping[str, float] = {}


class Report(Struct, frozen=True):
    """
    A process, as it describes itself.

    @ivar process: its name, which no other has.
    @ivar started: in milliseconds since 1970, UTC.
    @ivar connections: how many it has now, not only of members.
    @ivar rate: messages a second that were sent to it, just now.
    @ivar chart: the same over some minutes, oldest first.
    @ivar rooms: those that have members there, or in which something was said there lately.
    @ivar condition: how it is; None from a version that does not say so.
    """

    process: str
    started: int
    connections: int
    rate: float
    chart: tuple[float, ...]
    rooms: tuple[Room, ...]
    condition: Condition | None = None

    @property
    def members(self) -> int:
        return sum(room.members for room in self.rooms)


class Share(Struct, frozen=True):
    """
    The users of one process in a room.

    @ivar users: empty if they are very many.
    @ivar count: how many they are.
    @ivar connections: how many they have.
    """

    users: tuple[User, ...] = ()
    count: int = 0
    connections: int = 0
