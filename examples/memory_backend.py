"""
A backend: rooms in the memory of one process, gone when it ends.

    twistd --pidfile= -n livechat --backend memory: --extension examples.memory_backend.Memory
"""

import secrets
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from twisted.internet.defer import Deferred, execute, succeed
from zope.interface import implementer

from livechat.backends.alone import LoneMap, LoneMaps, LonePresenceRelay, LoneProcessRegistry
from livechat.backends.nonces import Known, Nonces
from livechat.backends.retention import Retention
from livechat.backends.waiting import not_stored, unstorable
from livechat.config import Config
from livechat.errors import ChatError, StartError
from livechat.extensions import ExtensionBase
from livechat.interfaces import IBackend, IMessageLog, IPresenceSink, ISink
from livechat.protocol.cluster import Report
from livechat.protocol.messages import Draft, Message, Newest, Page, Position

#: Characters of a page, unless it is a single message.
PAGE = 100_000
NEVER = Newest(0, 0)


@implementer(IBackend, IMessageLog)
class MemoryBackend:
    """The messages of each room, and the newest one that it ever had."""

    description = "the memory of this process"

    def __init__(
        self,
        retention: Retention,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._retention, self._wall, self._elapsed = retention, wall, elapsed
        self._kept: dict[str, deque[Message]] = defaultdict(deque)
        self._newest: dict[str, Newest] = {}
        self._nonces, self._secret = Nonces(elapsed), secrets.token_bytes(32)
        self._maps = LoneMaps(lambda: self._now() / 1000)
        self._sink: ISink | None = None
        self.messages, self.presence = self, LonePresenceRelay()
        self.processes = LoneProcessRegistry(lambda: self._secret)

    def start(
        self, sink: ISink, census: Callable[[], Report], presence: IPresenceSink | None = None
    ) -> None:
        # The wall clock is read once: set later, it must neither stamp nor hide a message.
        self._offset = self._wall() - self._elapsed()
        self.processes.start(census)
        self._sink = sink

    def stop(self) -> Deferred[None]:
        self._sink = None
        return succeed(None)

    def trouble(self) -> str | None:
        return None

    def shared_map(self, name: str, *, most: int, largest: int) -> LoneMap:
        return self._maps.get(name, most=most, largest=largest)

    def subscribe(self, room: str) -> Deferred[None]:
        return succeed(None)

    def unsubscribe(self, room: str) -> None:
        """All rooms are delivered: the hub knows which have members."""

    def publish(self, draft: Draft) -> Deferred[Message]:
        return execute(self._publish, draft)

    def read(self, room: str, after: int, limit: int) -> Deferred[Page]:
        return execute(self._read, room, after, limit)

    def newest(self, rooms: Sequence[str]) -> Deferred[Mapping[str, Newest]]:
        return succeed({room: self._newest[room] for room in rooms if room in self._newest})

    def _publish(self, draft: Draft) -> Message:
        if self._sink is None:
            raise not_stored()
        try:
            draft.message.encode()
        except UnicodeEncodeError:
            raise unstorable() from None
        used = None if draft.nonce is None else self._nonces.find(draft)
        if isinstance(used, ChatError):
            raise used
        if used is not None:
            return used
        room, last = draft.room, self._newest.get(draft.room, NEVER)
        message = Message(draft.message, last.seq + 1, max(last.time, self._now()), draft.user)
        self._newest[room] = Newest(message.seq, message.time)
        self._kept[room].append(message)
        while self._is_over(room, self._kept[room][0]):
            self._kept[room].popleft()
        if draft.nonce is not None:
            self._nonces.add([Known.of(draft, message)], message.time)
        self._sink.deliver(room, self._epoch(room), [message])
        return message

    def _read(self, room: str, after: int, limit: int) -> Page:
        if self._sink is None:
            raise not_stored()
        newest = self._newest.get(room, NEVER)
        kept = [each for each in self._kept.get(room, ()) if not self._is_over(room, each)]
        oldest = kept[0].seq if kept else newest.seq + 1
        page: list[Message] = []
        left = PAGE
        for message in kept[max(0, after + 1 - oldest) :][:limit]:
            left -= len(message.message)
            if page and left < 0:
                break
            page.append(message)
        return Page(Position(self._epoch(room), newest.seq, oldest), tuple(page))

    def _is_over(self, room: str, message: Message) -> bool:
        kept = self._retention.of(room)
        first = kept.first_by_count(self._newest[room].seq)
        return message.seq < first or message.time < kept.first_time(self._now())

    def _now(self) -> int:
        return round(1000 * (self._elapsed() + self._offset))

    def _epoch(self, room: str) -> str:
        return blake2b(room.encode(), key=self._secret, digest_size=9).hexdigest()


class Memory(ExtensionBase):
    """Brings the kind ``memory:``, for one process: others would have other rooms."""

    def backend(self, scheme: str, config: Config, reactor: Any) -> MemoryBackend | None:
        if scheme != "memory":
            return None
        if config.workers > 1:
            raise StartError("--workers: memory: has the rooms of one process only")
        return MemoryBackend(Retention(config.history_limit, config.history_age, config.audit_age))
