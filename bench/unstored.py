"""
Runs twistd with a livechat that stores nothing: ``python -m bench.unstored livechat ...``.

All else is livechat's own, so the difference is the cost of storing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import time
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.scripts import twistd
from zope.interface import implementer

from livechat import backends
from livechat.backends.alone import LoneMap, LoneMaps, LonePresenceRelay, LoneProcessRegistry
from livechat.backends.pacing import Pacing
from livechat.backends.waiting import refuse, tell_stored
from livechat.errors import ChatError, Kind
from livechat.interfaces import IBackend, IMessageLog, IPresenceSink, IReceiver, ISink, Record
from livechat.protocol.cluster import Report
from livechat.protocol.messages import (
    Amendment,
    Draft,
    Entry,
    Message,
    Newest,
    Page,
    Position,
)

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

    from livechat.config import Config

#: The epoch of all rooms.
EPOCH: Final = "unstored"
NOTHING: Final = Newest(0, 0)


@implementer(IMessageLog)
class UnstoredMessageLog:
    """
    Keeps the number and time of each room's last message, and no message.

    The messages of one reactor turn are numbered at its end, and delivered together.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._sink: ISink | None = None
        self._record: Record | None = None
        self._subscribed: set[str] = set()
        self._newest: dict[str, Newest] = {}
        self._pacing = Pacing()
        self._waiting: list[tuple[Draft, IReceiver]] = []
        self._turn: IDelayedCall | None = None
        self._stopped = False

    def start(self, sink: ISink, record: Record | None = None) -> None:
        self._sink, self._record = sink, record

    def stop(self) -> None:
        self._stopped = True
        if self._turn is not None:
            self._turn.cancel()
            self._deliver()

    def subscribe(self, room: str) -> Deferred[None]:
        self._subscribed.add(room)
        return succeed(None)

    def unsubscribe(self, room: str) -> None:
        self._subscribed.discard(room)

    def publish(self, draft: Draft, receiver: IReceiver) -> None:
        if self._stopped:
            refuse(receiver, ChatError(Kind.UNAVAILABLE, "The server is stopping."))
            return
        self._waiting.append((draft, receiver))
        if self._turn is None:
            self._turn = self._clock.callLater(0, self._deliver)

    def amend(self, amendment: Amendment, receiver: IReceiver) -> None:
        refuse(receiver, ChatError(Kind.NOT_FOUND, "No message is kept."))

    def _deliver(self) -> None:
        self._turn = None
        waiting, self._waiting = self._waiting, []
        by_room: dict[str, list[Entry]] = {}
        answers = []
        for draft, receiver in waiting:
            refusal = self._refusal(draft)
            if refusal is not None:
                refuse(receiver, refusal)
                continue
            message = self._number(draft)
            by_room.setdefault(draft.room, []).append(message)
            answers.append((receiver, message))
        assert self._sink is not None
        for room, messages in by_room.items():
            if room in self._subscribed:
                self._sink.deliver(room, EPOCH, messages)
            if self._record is not None:
                self._record(room, messages)
        for receiver, message in answers:
            tell_stored(receiver, message)

    def _refusal(self, draft: Draft) -> ChatError | None:
        if draft.throttle is None:
            return None
        key = draft.room, draft.throttle.key
        return self._pacing.admit(draft.room, key, draft.throttle, int(time() * 1000))

    def _number(self, draft: Draft) -> Message:
        before = self._newest.get(draft.room, NOTHING)
        newest = Newest(before.seq + 1, max(before.time, int(time() * 1000)))
        self._newest[draft.room] = newest
        return Message(
            draft.message, newest.seq, newest.time, draft.user, draft.reply_to, draft.data
        )

    def read(self, room: str, after: int, limit: int) -> Deferred[Page]:
        seq = self._newest.get(room, NOTHING).seq
        return succeed(Page(Position(EPOCH, seq, seq + 1), ()))

    def retain(self, of: Callable[[str], tuple[int, int]]) -> None:
        """No-op: no messages are kept."""

    def newest(self, rooms: Sequence[str]) -> Deferred[Mapping[str, Newest]]:
        return succeed({room: self._newest[room] for room in rooms if room in self._newest})


@implementer(IBackend)
class UnstoredBackend:
    """A backend for one process, which keeps no message."""

    description = "no store at all"
    outbox = archive = None

    def __init__(self, clock: IReactorTime) -> None:
        self._maps = LoneMaps(time)
        self.messages = UnstoredMessageLog(clock)
        self.presence = LonePresenceRelay()
        self.processes = LoneProcessRegistry(lambda: b"none")

    def start(
        self,
        sink: ISink,
        census: Callable[[], Report],
        presence: IPresenceSink | None = None,
        record: Record | None = None,
    ) -> None:
        self.messages.start(sink, record)
        self.processes.start(census)

    def stop(self) -> Deferred[None]:
        self.messages.stop()
        return succeed(None)

    def shared_map(self, name: str, *, most: int, largest: int) -> LoneMap:
        return self._maps.get(name, most=most, largest=largest)

    def trouble(self) -> str | None:
        return None


def load(config: Config, reactor: PosixReactorBase, brought: object) -> IBackend:  # noqa: ARG001
    """Replace `livechat.backends.load`."""
    return UnstoredBackend(reactor)


if __name__ == "__main__":
    backends.load = load
    twistd.run()
