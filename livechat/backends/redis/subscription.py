"""A room that a process listens to: its state, without I/O; and what all rooms ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from livechat.backends.redis.acts import Stored
from livechat.backends.redis.entries import Entry
from livechat.backends.redis.generation import Generation
from livechat.backends.redis.stream import MOST_AHEAD, Stream

#: Selects rooms.
Rooms = Callable[[str], bool]


def every(_: str) -> bool:
    """Select every room."""
    return True


class SubscriptionsHost(Protocol):
    """The rest of the backend, as far as its subscriptions need it."""

    generation: Generation

    @property
    def ready(self) -> bool:
        """Tell whether Redis takes commands for keys of no room."""

    def ready_for(self, room: str) -> bool:
        """Tell whether Redis takes commands for *room*."""

    async def find_users(self, room: str) -> None:
        """Read other processes' shares of *room*; as `Commands.command`."""

    def forget_users(self, room: str) -> None:
        """Drop other processes' shares of *room*."""

    async def begin_anew(self) -> None:
        """Redis has lost messages; as `Commands.command`."""


class Subscription:
    """
    The state of a room that this process listens to.

    @ivar stream: None until it is known where it stands.
    @ivar doubted: its numbers may have been given to other messages.
    @ivar early: entries that were heard before it was opened, or while it was doubted.
    @ivar entering: joins that wait until then.
    @ivar unseen: entries that were stored from here and are not delivered yet, by tag.
    @ivar before: the stream that another numbering has ended.
    @ivar listening: Redis has confirmed that it tells of it.
    @ivar informed: shares of other processes have been read since then.
    @ivar check: there is a reason to look for missing entries.
    @ivar quiet: nothing was heard since the last sweep.
    """

    __slots__ = (
        "before", "check", "doubted", "early", "entering", "hole", "informed", "linger",
        "listening", "name", "quiet", "stream", "tended", "unseen",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.stream: Stream | None = None
        self.early: list[Entry] = []
        self.entering: list[Deferred[None]] = []
        self.unseen: dict[bytes, Stored] = {}
        self.before: Stream | None = None
        self.doubted = False
        self.listening = False
        self.informed = False
        self.tended = False
        self.check = False
        self.quiet = True
        self.hole: IDelayedCall | None = None
        self.linger: IDelayedCall | None = None

    def forget_answered(self) -> None:
        """
        Forget entries whose receivers were told that nobody knows: they may never be delivered.
        """
        if self.unseen:
            self.unseen = {
                tag: stored for tag, stored in self.unseen.items() if stored[0].receiver is not None
            }

    def wait(self, entries: Iterable[Entry]) -> None:
        """Keep *entries* until the room is delivered.  Events change what waits already."""
        for entry in entries:
            if entry.kind:
                self.early = [each.amended(entry) for each in self.early]
            if len(self.early) < MOST_AHEAD:
                self.early.append(entry)
            else:
                self.check = True

    def await_delivery(self, stored: Sequence[Stored]) -> list[Stored]:
        """Return those that are delivered; keep the others until they are."""
        stream = None if self.doubted else self.stream
        delivered = []
        for each in stored:
            entry = each[1]
            if stream is not None and passed(stream, entry):
                delivered.append(each)
            else:
                self.unseen[entry.tag] = each
        return delivered

    def take_delivered(self, entries: Sequence[Entry]) -> list[Stored]:
        """Return those of *entries*, which are delivered now, that were stored from here."""
        unseen = self.unseen
        return [unseen.pop(each.tag) for each in entries if each.tag in unseen] if unseen else []

    def take_passed(self, stream: Stream) -> list[Stored]:
        """Return the unseen entries that *stream* has passed: they are not delivered any more."""
        behind = [each for each in self.unseen.values() if passed(stream, each[1])]
        for _, entry, _ in behind:
            del self.unseen[entry.tag]
        return behind

    def take_early(self, word: bytes) -> list[Entry]:
        """
        Take the entries that were heard before Redis was asked.

        @param word: that of the numbering that Redis has.
        """
        early, self.early = self.early, []
        ours = [entry for entry in early if entry.word == word]
        if len(ours) < len(early):
            # The entry's numbering has ended, or has begun after Redis was asked.
            self.check = True
        return ours


def passed(stream: Stream, entry: Entry) -> bool:
    """Tell whether *stream* has let through *entry*, or a later one of its numbering."""
    return entry.word == stream.word and entry.seq <= stream.position
