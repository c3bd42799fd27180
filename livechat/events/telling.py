"""
Telling all receivers, in the process that leads.

    Leader ──> a feed for each receiver ──> its teller: a webhook, or a subscriber of an extension
           └─> duties: what only one process does, such as to see which rooms are occupied
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat.errors import ChatError
from livechat.events.feed import Feed
from livechat.events.leading import Leader
from livechat.events.merging import CaseOf
from livechat.interfaces import IOutbox

#: Seconds between two attempts to name the receivers, while the store is away.
KEEP_EVERY: Final = 1.0
#: Seconds after which the receivers are named again.
KEEP_AGAIN: Final = 30.0
#: Seconds after which a teller begins again that has raised an unexpected exception.
AGAIN_AFTER: Final = 10.0

#: A coroutine that runs until it is cancelled.
Duty = Callable[[], Coroutine[Any, Any, None]]

_log = Logger()


class Teller(Protocol):
    """
    Tells one receiver.

    @ivar name: of the receiver, as `livechat.interfaces.IOutbox.keep` takes it.
    @ivar kinds: of the events that the receiver wants.
    """

    @property
    def name(self) -> str: ...

    @property
    def kinds(self) -> frozenset[str]: ...

    async def tell(self, feed: Feed) -> None:
        """Tell the receiver, until this is cancelled: then another process leads."""


class Telling:
    """
    All receivers.

    @ivar feeds: what waits for each, by its name.
    """

    def __init__(
        self,
        outbox: IOutbox,
        tellers: Sequence[Teller],
        clock: IReactorTime,
        case_of: CaseOf = lambda _: None,
        duties: Sequence[Duty] = (),
    ) -> None:
        """
        @param duties: further work, while this process leads.
        """
        self._outbox = outbox
        self._clock = clock
        self.feeds = {
            each.name: Feed(outbox, each.name, each.kinds, clock, case_of) for each in tellers
        }
        self._leader = Leader(outbox, clock, self._led)
        self._work: list[Duty] = [partial(each.tell, self.feeds[each.name]) for each in tellers]
        self._work += duties
        if self._work:
            self._work.append(self._keep_on)
        self._running: Deferred[None] | None = None
        self._working: list[Deferred[None]] = []

    @property
    def leads(self) -> bool:
        """Tell whether this process tells the receivers."""
        return self._leader.leads

    def start(self) -> None:
        """Begin to tell, once this process leads."""
        if self.feeds:
            self._outbox.watch(self._changed)
        self._running = _going(self._run())

    def stop(self) -> None:
        """Tell no more.  A receiver that is being told may be told again."""
        if self._running is not None:
            self._running.cancel()
        self._led(leads=False)

    def _changed(self, _: object) -> None:
        for feed in self.feeds.values():
            feed.wake()

    async def _keep(self) -> None:
        """Name the receivers, once the store answers."""
        while True:
            try:
                await self._outbox.keep(self.feeds.keys())
                return
            except ChatError:
                await deferLater(self._clock, KEEP_EVERY, lambda: None)

    async def _keep_on(self) -> None:
        """Name the receivers at intervals, in case the store was emptied."""
        while True:
            await deferLater(self._clock, KEEP_AGAIN, lambda: None)
            await self._keep()

    async def _run(self) -> None:
        await self._keep()
        # A process without work does not lead.
        if self._work:
            await self._leader.run()

    def _led(self, leads: bool) -> None:
        working, self._working = self._working, []
        for each in working:
            each.cancel()
        if leads:
            for feed in self.feeds.values():
                feed.begin()
            self._working = [_going(self._go_on(work)) for work in self._work]

    async def _go_on(self, work: Duty) -> None:
        """Do *work*, and begin again if it ends by itself."""
        while True:
            try:
                await work()
            except CancelledError:
                raise
            except Exception:  # noqa: BLE001 - other receivers must be told all the same
                _log.failure("A receiver of events could not be told; it is tried again.")
            await deferLater(self._clock, AGAIN_AFTER, lambda: None)


def _going(coroutine: Coroutine[Any, Any, None]) -> Deferred[None]:
    """Run *coroutine* until it is cancelled."""
    return Deferred.fromCoroutine(coroutine).addErrback(_ended)


def _ended(failure: Failure) -> None:
    if not isinstance(failure.value, CancelledError):
        _log.failure("Receivers of events are not told any more.", failure)
