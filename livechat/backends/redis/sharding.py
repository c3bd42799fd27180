"""Rooms spread over several Redis, each of which knows nothing of the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, gatherResults, maybeDeferred
from zope.interface import implementer

from livechat.backends.outbox import bounded, check_receivers, check_room
from livechat.backends.redis.outbox import RedisOutbox
from livechat.errors import Kind
from livechat.interfaces import (
    IArchive,
    IBackend,
    IMessageLog,
    IOutbox,
    IPresenceRelay,
    IPresenceSink,
    IProcessRegistry,
    IReceiver,
    ISharedMap,
    ISink,
    Record,
    Waiting,
)
from livechat.protocol.cluster import Report, Share
from livechat.protocol.messages import (
    Amendment,
    Draft,
    Newest,
    Page,
    User,
)


def shard(room: str, count: int) -> int:
    """Find a room's shard among *count*.  With one more, few rooms move, and only to that one."""
    return jump(int.from_bytes(blake2b(room.encode(), digest_size=8).digest(), "big"), count)


def jump(key: int, count: int) -> int:
    """
    Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm" (2014).

    @param key: of 64 bits.
    """
    found, after = 0, 0
    while after < count:
        found = after
        key = (key * 2862933555777941757 + 1) & (1 << 64) - 1
        after = int((found + 1) * ((1 << 31) / ((key >> 33) + 1)))
    return found


@implementer(IMessageLog)
class _ShardedMessageLog:
    """A log in which each room belongs to one shard."""

    def __init__(self, logs: Sequence[IMessageLog]) -> None:
        self._logs = logs

    def _of(self, room: str) -> IMessageLog:
        return self._logs[shard(room, len(self._logs))]

    def subscribe(self, room: str) -> Deferred[None]:
        return self._of(room).subscribe(room)

    def unsubscribe(self, room: str) -> None:
        self._of(room).unsubscribe(room)

    def publish(self, draft: Draft, receiver: IReceiver) -> None:
        self._of(draft.room).publish(draft, receiver)

    def amend(self, amendment: Amendment, receiver: IReceiver) -> None:
        self._of(amendment.room).amend(amendment, receiver)

    def read(self, room: str, after: int, limit: int) -> Deferred[Page]:
        return self._of(room).read(room, after, limit)

    def retain(self, of: Callable[[str], tuple[int, int]]) -> None:
        for each in self._logs:
            each.retain(of)

    def newest(self, rooms: Sequence[str]) -> Deferred[Mapping[str, Newest]]:
        return Deferred.fromCoroutine(self._newest(rooms))

    async def _newest(self, rooms: Sequence[str]) -> Mapping[str, Newest]:
        by_shard: dict[int, list[str]] = {}
        for room in rooms:
            by_shard.setdefault(shard(room, len(self._logs)), []).append(room)
        found: dict[str, Newest] = {}
        for number, some in by_shard.items():
            found |= await self._logs[number].newest(some)
        return found


@implementer(IArchive)
class _ShardedArchive:
    """The archives of all shards, one after the other: a cursor has a shard's number first."""

    def __init__(self, archives: Sequence[IArchive]) -> None:
        self._archives = archives

    def rooms(self, cursor: str) -> Deferred[tuple[Sequence[str], str]]:
        number, _, within = cursor.partition(":")
        at = int(number or 0)

        def following(found: tuple[Sequence[str], str]) -> tuple[Sequence[str], str]:
            names, after = found
            if after:
                return names, f"{at}:{after}"
            return names, f"{at + 1}:" if at + 1 < len(self._archives) else ""

        return self._archives[at].rooms(within).addCallback(following)

    def read(self, room: str, after: int, limit: int) -> Deferred[Page]:
        return self._archives[shard(room, len(self._archives))].read(room, after, limit)


@implementer(IPresenceRelay)
class _ShardedPresenceRelay:
    """Relay presence through the Redis that holds the room."""

    def __init__(self, relays: Sequence[IPresenceRelay]) -> None:
        self._relays = relays

    def _of(self, room: str) -> IPresenceRelay:
        return self._relays[shard(room, len(self._relays))]

    def share(self, room: str, share: Share) -> None:
        self._of(room).share(room, share)

    def typing(self, room: str, user: User) -> None:
        self._of(room).typing(room, user)

    def renamed(self, room: str, user: User, when: int) -> None:
        self._of(room).renamed(room, user, when)


@implementer(IProcessRegistry)
class _ShardedProcessRegistry:
    """A registry in which every process is at all shards."""

    def __init__(self, backends: Sequence[IBackend]) -> None:
        self._backends = backends

    def reports(self) -> Deferred[Sequence[Report]]:
        usable = next((each for each in self._backends if not each.trouble()), self._backends[0])
        return usable.processes.reports()

    def secret(self) -> Deferred[bytes]:
        return self._backends[0].processes.secret()


@implementer(IOutbox)
class _ShardedOutbox:
    """
    Receivers are known to all shards; each has the cursors of its rooms.

    The first shard decides who leads.  A shard that is away takes only its own rooms with it.
    """

    def __init__(self, boxes: Sequence[RedisOutbox]) -> None:
        self._boxes = boxes

    def _of(self, room: str) -> RedisOutbox:
        return self._boxes[shard(check_room(room), len(self._boxes))]

    def keep(self, receivers: Collection[str]) -> Deferred[None]:
        names = check_receivers(receivers)
        kept = Deferred.fromCoroutine(all_of([each.keep(names) for each in self._boxes]))
        return kept.addCallback(lambda _: None)

    def lead(self) -> Deferred[float]:
        return Deferred.fromCoroutine(self._lead())

    async def _lead(self) -> float:
        leads = await self._boxes[0].take_the_lead()
        for each in self._boxes[1:]:
            each.listen(on=leads > 0)
        if leads:
            await self._boxes[0].give_up_excess(self._boxes)
        return leads

    def waiting(
        self, receiver: str, after: str = "", limit: int = 1000
    ) -> Deferred[Sequence[Waiting]]:
        return Deferred.fromCoroutine(self._waiting(receiver, after, limit))

    async def _waiting(self, receiver: str, after: str, limit: int) -> Sequence[Waiting]:
        found = await those_there([each.waiting(receiver, after, limit) for each in self._boxes])
        rooms = [room for some in found for room in some]
        return sorted(rooms, key=lambda each: each.room)[: bounded(limit)]

    def read(self, receiver: str, room: str, limit: int) -> Deferred[Page]:
        return maybeDeferred(lambda: self._of(room).read(receiver, room, limit))

    def pages(self, receiver: str, limits: Mapping[str, int]) -> Deferred[Mapping[str, Page]]:
        return Deferred.fromCoroutine(self._pages(receiver, limits))

    async def _pages(self, receiver: str, limits: Mapping[str, int]) -> Mapping[str, Page]:
        by_shard: dict[RedisOutbox, dict[str, int]] = {self._boxes[0]: {}}
        for room, limit in limits.items():
            by_shard.setdefault(self._of(room), {})[room] = limit
        found: dict[str, Page] = {}
        for some in await all_of([box.pages(receiver, each) for box, each in by_shard.items()]):
            found |= some
        return found

    def advance(self, receiver: str, told: Mapping[str, tuple[str, int]]) -> Deferred[None]:
        return Deferred.fromCoroutine(self._advance(receiver, told))

    async def _advance(self, receiver: str, told: Mapping[str, tuple[str, int]]) -> None:
        by_shard: dict[RedisOutbox, dict[str, tuple[str, int]]] = {self._boxes[0]: {}}
        for room, position in told.items():
            by_shard.setdefault(self._of(room), {})[room] = position
        await all_of([box.advance(receiver, some) for box, some in by_shard.items()])

    def rewind(self, receiver: str, since: int) -> Deferred[int]:
        again = Deferred.fromCoroutine(
            all_of([each.rewind(receiver, since) for each in self._boxes])
        )
        return again.addCallback(sum)

    def erase(self, room: str, subject: str | None = None, since: int = 0) -> Deferred[int]:
        return maybeDeferred(lambda: self._of(room).erase(room, subject, since))

    def watch(self, changed: Callable[[Collection[str]], None]) -> None:
        for each in self._boxes:
            each.watch(changed)


async def all_of(calls: Sequence[Deferred[Any]]) -> list[Any]:
    """Return all results; fails as the first call that does, once all are answered."""
    results = await DeferredList(calls, consumeErrors=True)
    for done, result in results:
        if not done:
            result.raiseException()
    return [result for _, result in results]


async def those_there(calls: Sequence[Deferred[Any]]) -> list[Any]:
    """Return the results that there are; fails if there are none, or not for want of a shard."""
    results = await DeferredList(calls, consumeErrors=True)
    found = [result for done, result in results if done]
    for done, result in results:
        if not done and not (found and result.value.kind is Kind.UNAVAILABLE):
            result.raiseException()
    return found


@implementer(IBackend)
class ShardedBackend:
    """Each room is in one of several backends; what concerns all rooms, in the first."""

    def __init__(self, backends: Sequence[IBackend]) -> None:
        self._backends = backends
        boxes: list[Any] = [each.outbox for each in backends]
        self.outbox = _ShardedOutbox(boxes) if None not in boxes else None
        self.messages = _ShardedMessageLog([each.messages for each in backends])
        archives = [each.archive for each in backends if each.archive is not None]
        self.archive = _ShardedArchive(archives)
        self.presence = _ShardedPresenceRelay([each.presence for each in backends])
        self.processes = _ShardedProcessRegistry(backends)
        self.relay = getattr(backends[0], "relay", None)

    @property
    def description(self) -> str:
        return ", ".join(each.description for each in self._backends)

    def start(
        self,
        sink: ISink,
        census: Callable[[], Report],
        presence: IPresenceSink | None = None,
        record: Record | None = None,
    ) -> None:
        for each in self._backends:
            each.start(sink, census, presence, record)

    def stop(self) -> Deferred[None]:
        stopped: Deferred[Any] = gatherResults([each.stop() for each in self._backends])
        return stopped.addCallback(lambda _: None)

    def shared_map(self, name: str, *, most: int, largest: int) -> ISharedMap:
        return self._backends[0].shared_map(name, most=most, largest=largest)

    def trouble(self) -> str | None:
        troubles = [trouble for each in self._backends if (trouble := each.trouble())]
        if not troubles:
            return None
        return f"of {len(self._backends)} Redis, {len(troubles)} cannot be used: {troubles[0]}"
