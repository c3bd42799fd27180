"""
Tells all receivers, at the one process that leads.

Each process asks for the lease, and one has it.  That tells the receivers, each by itself: none
waits for another.  Nothing is sent once the lease has ended: what is on its way is cut off then,
and the process that leads next sends it again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat import metrics
from livechat.errors import ChatError, Kind
from livechat.events.leading import Leader
from livechat.interfaces import IOutbox
from livechat.protocol.counts import counted
from livechat.protocol.receivers import ReceiverState, shown_url
from livechat.system.time import Time
from livechat.webhooks.board import Board
from livechat.webhooks.delivery import Delivery

#: Seconds between two attempts while the store is away.
RETRY_EVERY: Final = 1.0
#: Seconds between two reports of the receivers' states.
REPORT_EVERY: Final = 5.0
#: Seconds after which a receiver is told again after a bug.
AFTER_A_BUG: Final = 5.0

_log = Logger(namespace="livechat")


class Telling:
    """All receivers of this process."""

    def __init__(
        self, outbox: IOutbox, deliveries: Mapping[str, Delivery], board: Board, time: Time
    ) -> None:
        """
        @param deliveries: by the receivers' names.
        """
        self._outbox = outbox
        self._deliveries = deliveries
        self._board = board
        self._time = time
        self._leader = Leader(outbox, time, self._led)
        self._leading: Deferred[None] | None = None
        self._reporting: Deferred[None] | None = None
        self._tasks: dict[str, Deferred[None]] = {}
        outbox.watch(self._news)
        board.watch(self._rewind)

    def leads(self) -> bool:
        """Tell whether this process may send."""
        return self._leader.leads

    def start(self) -> None:
        """Begin, once the backend has been started."""
        for name in self._deliveries:
            metrics.webhook_waits(name, 0, 0.0)
            metrics.webhook_told(name, 0, 0)
        self._leading = _started(self._run())

    def stop(self) -> None:
        """Send nothing more, and cut off requests on their way."""
        for each in (self._leading, self._reporting):
            if each is not None:
                each.cancel()
        self._end()

    async def _run(self) -> None:
        await self._keep()
        # Without a receiver the store has now forgotten the former ones, and nothing is left to do.
        if self._deliveries:
            await self._leader.run()

    async def _keep(self) -> None:
        """Have entries kept for the receivers; try again while the store is away."""
        while True:
            try:
                await self._outbox.keep(self._deliveries)
                return
            except ChatError:
                await self._rest(RETRY_EVERY)

    def _led(self, leads: bool) -> None:
        """Begin to tell, or end it: another process may lead."""
        if leads:
            _log.info("This process tells the receivers of webhooks.")
            self._reporting = _started(self._report())
            for name in self._deliveries:
                self._tasks[name] = _started(self._tell(name))
        else:
            _log.info("The lease for telling receivers has ended; another process may have it.")
            self._end()

    def _end(self) -> None:
        tasks, self._tasks = self._tasks, {}
        if self._reporting is not None:
            reporting, self._reporting = self._reporting, None
            reporting.cancel()
            for name in self._deliveries:
                metrics.webhook_waits(name, 0, 0.0)
        for each in tasks.values():
            each.cancel()

    def _news(self, rooms: Collection[str]) -> None:
        for name in self._tasks:
            self._deliveries[name].feed.wake()

    def _rewind(self, names: Collection[str]) -> None:
        """Tell some receivers anew: from where they are asked to be told."""
        for name in names:
            if name in self._tasks:
                self._tasks[name].cancel()
                self._tasks[name] = _started(self._tell(name))

    async def _tell(self, name: str) -> None:
        """Tell one receiver, until this is cancelled."""
        while True:
            try:
                await self._rewind_as_asked(name)
                await self._deliveries[name].run(self.leads, self._board.round(name))
                # The receiver has answered 410, so it is told no more until this is cancelled.
                gone: Deferred[None] = Deferred()
                await gone
            except ChatError:
                # The store is away, of which others have told.
                await self._rest(RETRY_EVERY)
            except CancelledError:
                raise
            except Exception:  # noqa: BLE001 - events wait, and this must go on
                url = shown_url(self._board.receivers[name])
                _log.failure("The receiver {url} could not be told.", url=url)
                await self._rest(AFTER_A_BUG)

    async def _rewind_as_asked(self, name: str) -> None:
        """
        @raise ChatError: the store is away.
        """
        asked = self._board.asked(name)
        if asked is not None:
            rooms = await self._outbox.rewind(name, asked.since)
            await self._board.rewound(name, asked, rooms)
            _log.info(
                "The receiver {url} is told anew, of {rooms}.",
                url=shown_url(self._board.receivers[name]),
                rooms=counted(rooms, "room"),
            )

    async def _report(self) -> None:
        """Say again and again how it goes."""
        while True:
            for name, delivery in self._deliveries.items():
                try:
                    await self._board.write(await self._state(name, delivery))
                except ChatError as reason:
                    if reason.kind is Kind.NOT_FOUND:
                        # A store that was emptied keeps nothing for anybody.
                        await self._keep()
            await self._rest(REPORT_EVERY)

    async def _state(self, name: str, delivery: Delivery) -> ReceiverState:
        """
        @raise ChatError: the store is away.
        """
        lag, wall = await delivery.feed.lag(), self._time.wall()
        counts = delivery.counts
        oldest = 0.0 if lag.since is None else max(0.0, wall - lag.since / 1000)
        metrics.webhook_waits(name, lag.events, oldest)
        return ReceiverState(
            name,
            shown_url(self._board.receivers[name]),
            counts.state,
            lag.events,
            lag.since,
            counts.sent,
            counts.failed,
            counts.in_a_row,
            counts.answer,
            None if counts.next_at is None else int(1000 * counts.next_at),
            int(1000 * wall),
        )

    def _rest(self, seconds: float) -> Deferred[None]:
        return deferLater(self._time, seconds, lambda: None)


def _started(coroutine: Any) -> Deferred[None]:
    """Run *coroutine*; that it is cancelled is its usual end."""
    running: Deferred[None] = Deferred.fromCoroutine(coroutine)
    running.addErrback(_note_end)
    return running


def _note_end(failure: Failure) -> None:
    if not isinstance(failure.value, CancelledError):
        _log.failure("Webhooks are not sent any more.", failure)
