"""Delivering events to subscribers of extensions (`livechat.interfaces.ISubscriber`)."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import (
    CancelledError,
    Deferred,
    TimeoutError,  # noqa: A004
    ensureDeferred,
    succeed,
)
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from livechat.events.batches import Batch
from livechat.events.feed import Feed
from livechat.interfaces import ISubscriber
from livechat.protocol.counts import counted
from livechat.protocol.events import KINDS

#: Seconds that a subscriber has for a batch.
TELL_WITHIN: Final = 60.0
#: Seconds after which a failed batch is told again: at first, and at most.
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
#: Prefix of subscribers' names, so that none is a webhook's.
_PREFIX: Final = "subscriber-"

_log = Logger(namespace="livechat")


class Subscription:
    """A `livechat.events.telling.Teller` for a subscriber."""

    def __init__(self, subscriber: ISubscriber, clock: IReactorTime) -> None:
        self._subscriber = subscriber
        self._clock = clock
        self.name = self.name_of(subscriber)
        self.kinds = KINDS if subscriber.kinds is None else frozenset(subscriber.kinds)

    @staticmethod
    def name_of(subscriber: ISubscriber) -> str:
        """The name of the receiver that a subscriber is."""
        return f"{_PREFIX}{subscriber.name}"

    async def tell(self, feed: Feed) -> None:
        pause = FIRST_PAUSE
        while True:
            batch = await feed.batch()
            if await self._told(batch):
                await feed.told(batch)
                pause = FIRST_PAUSE
            else:
                await deferLater(self._clock, pause, lambda: None)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _told(self, batch: Batch) -> bool:
        """Tell of *batch*; return True if the subscriber took it."""
        try:
            await _result(self._subscriber, batch).addTimeout(TELL_WITHIN, self._clock)
        except CancelledError:
            raise
        except TimeoutError:
            _log.error(
                "The subscriber {name} did not take {events} within {seconds:g} s; it is told"
                " again.",
                name=self._subscriber.name,
                events=counted(len(batch.events), "event"),
                seconds=TELL_WITHIN,
            )
            return False
        except Exception:  # noqa: BLE001 - somebody else's code may raise anything
            _log.failure(
                "The subscriber {name} did not take {events}; it is told again.",
                name=self._subscriber.name,
                events=counted(len(batch.events), "event"),
            )
            return False
        return True


def _result(subscriber: ISubscriber, batch: Batch) -> Deferred[Any]:
    """Call the subscriber, which may return a coroutine, a Deferred or nothing."""
    found: Any = subscriber.events(batch.events)
    return succeed(None) if found is None else ensureDeferred(found)
