"""The message log of a Redis: sends, deliveries and reads go through it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from livechat.backends.redis.connection import RefusedError, UnansweredError
from livechat.backends.redis.generation import Generation
from livechat.backends.redis.history import History
from livechat.backends.redis.presence import PresenceRelay
from livechat.backends.redis.publisher import Publisher
from livechat.backends.redis.subscriptions import Subscriptions
from livechat.backends.retention import RoomRetention
from livechat.backends.waiting import refuse
from livechat.errors import ChatError, Kind
from livechat.interfaces import IMessageLog, IReceiver
from livechat.limits.rates import LogLimit, Rate
from livechat.protocol.messages import Amendment, Draft, Newest, Page, Position

_T = TypeVar("_T")

#: Rate of log lines on unreadable histories: clients ask for them at will.
UNREADABLE: Final = Rate(per_second=0.05, burst=5)


class Usability(Protocol):
    """The state of a connection to Redis: commands, changes, the end."""

    @property
    def ready(self) -> bool:
        """Tell whether Redis takes commands at all."""

    def ready_for(self, room: str) -> bool:
        """Tell whether Redis takes commands for *room*."""

    def writable_for(self, room: str) -> bool:
        """Tell whether changes of *room* are taken: this process would hear of them, too."""

    @property
    def stopping(self) -> bool:
        """Tell whether the backend is stopping."""


@implementer(IMessageLog)
class RedisMessageLog:
    """The rooms of one Redis, to those in this process."""

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        redis: Usability,
        *,
        generation: Generation,
        history: History,
        publisher: Publisher,
        subscriptions: Subscriptions,
        presence: PresenceRelay,
        retention: RoomRetention,
    ) -> None:
        self._clock = clock
        self._redis = redis
        self._generation = generation
        self._history = history
        self._publisher = publisher
        self._subscriptions = subscriptions
        self._presence = presence
        self._retention = retention
        self._unreadable = LogLimit(UNREADABLE)

    def subscribe(self, room: str) -> Deferred[None]:
        if self._redis.stopping:
            return fail(_away("The room cannot be entered"))
        entered = self._subscriptions.enter(room)
        if entered.called:
            # The room was subscribed for its messages already, but maybe without its presence.
            self._presence.tell(room)
        return entered

    def unsubscribe(self, room: str) -> None:
        self._subscriptions.leave(room)

    def publish(self, draft: Draft, receiver: IReceiver) -> None:
        if self._redis.writable_for(draft.room):
            self._publisher.publish(draft, receiver)
        else:
            refuse(receiver, _away("The message could not be stored"))

    def amend(self, amendment: Amendment, receiver: IReceiver) -> None:
        if self._redis.writable_for(amendment.room):
            self._publisher.amend(amendment, receiver)
        else:
            refuse(receiver, _away("Nothing could be changed"))

    def read(self, room: str, after: int, limit: int) -> Deferred[Page]:
        return self.reading(self.page(room, after, limit))

    async def page(self, room: str, after: int, limit: int, *, hidden: bool = False) -> Page:
        """
        Read like `read`, but fail like `Commands.command`.

        @param hidden: as `livechat.interfaces.IArchive.read`.
        """
        while True:
            generation = self._generation.name
            part = await self._history.read(room, after, limit, hidden=hidden)
            if generation == self._generation.name:
                break
        epoch = self._generation.epoch(room, part.newest.word)
        entries = tuple(entry.entry() for entry in part.entries)
        return Page(Position(epoch, part.newest.seq, part.oldest, part.event), entries)

    def retain(self, of: Callable[[str], tuple[int, int]]) -> None:
        self._retention.retain(of)

    def newest(self, rooms: Sequence[str]) -> Deferred[Mapping[str, Newest]]:
        return self.reading(self._newest(rooms))

    async def _newest(self, rooms: Sequence[str]) -> Mapping[str, Newest]:
        found: dict[str, Newest] = {}
        async for name, state in self._history.states(rooms):
            if state.seq:
                found[name] = Newest(state.seq, state.time)
        return found

    def reading(self, reading: Coroutine[Any, Any, _T]) -> Deferred[_T]:
        """Fires with the result of *reading*; fails with ``unavailable`` as `read`."""
        if self._redis.stopping or not self._redis.ready:
            reading.close()
            return fail(_away("The history cannot be read"))
        return Deferred.fromCoroutine(self._in_words(reading))

    async def _in_words(self, reading: Coroutine[Any, Any, _T]) -> _T:
        """Return the result of *reading*, or turn its failure into an error for clients."""
        try:
            return await reading
        except (UnansweredError, RefusedError) as reason:
            more = self._unreadable.due(self._clock.seconds())
            if more is not None:
                self._log.error(
                    "The history cannot be read: {reason}{more}", reason=str(reason), more=more
                )
            raise _away("The history cannot be read") from None


def _away(what: str) -> ChatError:
    return ChatError(Kind.UNAVAILABLE, f"{what} just now.")
