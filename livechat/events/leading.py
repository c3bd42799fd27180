"""Leading the telling: of all processes, one tells the receivers, for as long as it has a lease."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred, TimeoutError  # noqa: A004
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater

from livechat.errors import ChatError
from livechat.interfaces import IOutbox

#: Seconds between two attempts to lead, while another process does or the store is away.
TRY_EVERY: Final = 1.0
#: Seconds to wait for the answer to an attempt.
ANSWER_WITHIN: Final = 5.0
#: The part of a lease after which it is renewed.
_RENEWED_AFTER: Final = 1 / 3


class Leader:
    """Tries to lead, and says when it does and when it does not any more."""

    def __init__(
        self, outbox: IOutbox, clock: IReactorTime, changed: Callable[[bool], None]
    ) -> None:
        """
        @param changed: called with True when this process begins to lead, and False at the end.
        """
        self._outbox = outbox
        self._clock = clock
        self._changed = changed
        self._until = 0.0
        self._end: IDelayedCall | None = None

    @property
    def leads(self) -> bool:
        """Tell whether this process leads: never beyond its lease, however late a timer is."""
        return self._end is not None and self._clock.seconds() < self._until

    async def run(self) -> None:
        """Lead whenever no other process does, until this is cancelled."""
        try:
            while True:
                await deferLater(self._clock, await self._lead(), lambda: None)
        except Exception:
            # Not on GeneratorExit: a coroutine that is thrown away with its reactor tells nobody.
            self._over()
            raise

    async def _lead(self) -> float:
        """Try once; return the seconds after which to try again."""
        asked = self._clock.seconds()
        answer: Deferred[float] = self._outbox.lead()
        try:
            lease = await answer.addTimeout(ANSWER_WITHIN, self._clock)
        except (ChatError, TimeoutError):
            # An earlier lease still counts.
            return TRY_EVERY
        if asked + lease <= self._clock.seconds():
            self._over()
            return TRY_EVERY
        led, self._until = self._end is not None, asked + lease
        if self._end is not None:
            self._end.cancel()
        self._end = self._clock.callLater(self._until - self._clock.seconds(), self._ended)
        if not led:
            self._changed(True)
        return lease * _RENEWED_AFTER

    def _ended(self) -> None:
        """Handle the end of the lease: another process may lead."""
        self._end = None
        self._changed(False)

    def _over(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._ended()
