"""An outbox in memory: rooms whose entries tests write, drop and empty."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from twisted.internet.defer import Deferred, execute, succeed
from zope.interface import implementer

from livechat.errors import ChatError, Kind
from livechat.interfaces import IOutbox, Waiting
from livechat.protocol.messages import (
    Draft,
    Entry,
    Gone,
    Message,
    Page,
    Position,
    Retracted,
    User,
)
from livechat.protocol.names import AUDIT_ROOM

ANN = User("1", "Ann")


class MemoryRoom:
    """
    A room.

    @ivar top: the number of the newest entry.
    """

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.top = 0
        self.entries: list[Entry] = []


@implementer(IOutbox)
class MemoryOutbox:
    """
    Keeps all that waits.

    @ivar reads: the rooms that were read, with the limits.
    @ivar away: everything is refused.
    @ivar leads_for: the result of `lead`.
    """

    def __init__(self) -> None:
        self.rooms: dict[str, MemoryRoom] = {}
        self.cursors: dict[str, dict[str, int]] = {}
        self.before: dict[str, str] = {}
        self.reads: list[tuple[str, int]] = []
        self.advances: list[Mapping[str, tuple[str, int]]] = []
        self.kept: list[frozenset[str]] = []
        self.away = False
        self.leads_for = 10.0
        self.now = 1_790_000_000_000
        self._changed: Callable[[Collection[str]], None] = lambda _: None

    # Tests write.

    def put(self, entry: Callable[[int, int], Entry], room: str = "r") -> Entry:
        """Store an entry, which is made of its number and its time."""
        there = self.rooms.setdefault(room, MemoryRoom(f"epoch-{room.strip('!')}"))
        there.top += 1
        made = entry(there.top, self.now)
        there.entries.append(made)
        self._changed([room])
        return made

    def say(self, *texts: str, room: str = "r", user: User | None = ANN) -> None:
        for text in texts:
            self.put(partial(Message, text, user=user), room)

    def store(self, draft: Draft) -> None:
        """Store a draft, such as a note."""
        self.say(draft.message, room=draft.room, user=draft.user)

    def retract(self, *refs: int, room: str = "r") -> None:
        there = self.rooms[room]
        there.entries = [
            Gone(each.seq, each.time) if each.seq in refs else each for each in there.entries
        ]
        self.put(lambda seq, time: Retracted(seq, time, refs, "moderator"), room)

    def trim(self, first: int, room: str = "r") -> None:
        """Drop what is older than the number *first*."""
        there = self.rooms[room]
        there.entries = [each for each in there.entries if each.seq >= first]

    def renumber(self, epoch: str, room: str = "r", *, known: bool = False) -> None:
        """
        Begin anew: all that waits is lost.

        @param known: the store knows of which epoch receivers were told.
        """
        if known:
            self.before[room] = self.rooms[room].epoch
        self.rooms[room] = MemoryRoom(epoch)
        for cursors in self.cursors.values():
            cursors.pop(room, None)

    def told(self, receiver: str, room: str = "r") -> int:
        return self.cursors.get(receiver, {}).get(room, 0)

    # As `IOutbox` says.

    def keep(self, receivers: Collection[str]) -> Deferred[None]:
        return execute(self._keep, receivers)

    def _keep(self, receivers: Collection[str]) -> None:
        self._check()
        self.kept.append(frozenset(receivers))

    def lead(self) -> Deferred[float]:
        return execute(self._lead)

    def _lead(self) -> float:
        self._check()
        return self.leads_for

    def waiting(
        self, receiver: str, after: str = "", limit: int = 1000
    ) -> Deferred[Sequence[Waiting]]:
        return execute(self._waiting, receiver, after, limit)

    def _waiting(self, receiver: str, after: str, limit: int) -> list[Waiting]:
        self._check()
        found = []
        for name in sorted(self.rooms):
            there, told = self.rooms[name], self.told(receiver, name)
            if name > after and name != AUDIT_ROOM and told < there.top:
                before = self.before.get(name, "")
                found.append(Waiting(name, there.epoch, told, there.top, before=before))
        return found[:limit]

    def read(self, receiver: str, room: str, limit: int) -> Deferred[Page]:
        self.reads.append((room, limit))
        return execute(self._read, receiver, room, limit)

    def _read(self, receiver: str, room: str, limit: int) -> Page:
        self._check()
        there = self.rooms.get(room, MemoryRoom("none"))
        told = self.told(receiver, room)
        entries = [each for each in there.entries if each.seq > told][:limit]
        oldest = there.entries[0].seq if there.entries else there.top + 1
        return Page(Position(there.epoch, there.top, oldest), tuple(entries))

    def pages(self, receiver: str, limits: Mapping[str, int]) -> Deferred[Mapping[str, Page]]:
        self.reads += limits.items()
        return execute(
            lambda: {room: self._read(receiver, room, limit) for room, limit in limits.items()}
        )

    def advance(self, receiver: str, told: Mapping[str, tuple[str, int]]) -> Deferred[None]:
        return execute(self._advance, receiver, told)

    def _advance(self, receiver: str, told: Mapping[str, tuple[str, int]]) -> None:
        self._check()
        self.advances.append(told)
        cursors = self.cursors.setdefault(receiver, {})
        for room, (epoch, seq) in told.items():
            if self.rooms[room].epoch == epoch:
                cursors[room] = max(seq, cursors.get(room, 0))
                self.before.pop(room, None)

    def rewind(self, receiver: str, since: int) -> Deferred[int]:
        return succeed(0)

    def erase(self, room: str, subject: str | None = None, since: int = 0) -> Deferred[int]:
        return succeed(0)

    def watch(self, changed: Callable[[Collection[str]], None]) -> None:
        self._changed = changed

    def _check(self) -> None:
        if self.away:
            raise ChatError(Kind.UNAVAILABLE, "The store is away.")
