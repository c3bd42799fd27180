"""
Records that must not get lost: stored before their action is answered.

A record that cannot be stored at once waits in memory, and is tried again until it is stored.
While `MOST_WAITING` records wait, `Recorder.check` refuses acts, so that none is lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat.errors import ChatError, Kind
from livechat.protocol.counts import counted
from livechat.protocol.messages import Draft

#: Records that wait in memory, beyond which acts are refused; one act may add
#: `livechat.protocol.messages.MOST_REFS`.
MOST_WAITING: Final = 200
#: Seconds between two attempts to store waiting records.
RETRY_EVERY: Final = 5.0

#: Publishes a draft; fires once it is stored.
Publish = Callable[[Draft], Deferred[object]]

_log = Logger()


class Recorder:
    """Stores records, all of which have a nonce: one that may have been stored is tried again."""

    def __init__(self, publish: Publish, clock: IReactorTime) -> None:
        self._publish = publish
        self._clock = clock
        self._waiting: deque[Draft] = deque()
        self._retrying = False

    @property
    def waits(self) -> bool:
        """Tell whether records wait in memory."""
        return bool(self._waiting)

    def check(self) -> None:
        """
        Refuse an act that could not be recorded.

        @raise ChatError: too many records wait.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise ChatError(Kind.UNAVAILABLE, "Nothing was done: acts cannot be recorded just now.")

    async def store(self, drafts: Iterable[Draft]) -> None:
        """
        Store records.  Returns once they are.

        @raise ChatError: some are not stored yet, but wait.
        """
        # All are published before any is awaited, so they are stored in one group.
        answers = [(draft, self._publish(draft)) for draft in drafts]
        failed = [draft for draft, answer in answers if not await _stored(answer)]
        if failed:
            self._waiting += failed
            _log.error(
                "{acts} cannot be recorded in the audit yet; it is tried again.",
                acts=counted(len(failed), "act"),
            )
            self._retry_soon()
            raise not_recorded()

    def _retry_soon(self) -> None:
        if not self._retrying:
            self._retrying = True
            self._clock.callLater(
                RETRY_EVERY, lambda: Deferred.fromCoroutine(self._retry()).addErrback(_broken)
            )

    async def _retry(self) -> None:
        """Store waiting records, the oldest first, until one fails."""
        try:
            while self._waiting:
                if not await _stored(self._publish(self._waiting[0])):
                    return
                self._waiting.popleft()
            _log.info("All acts are recorded in the audit now.")
        finally:
            self._retrying = False
            if self._waiting:
                self._retry_soon()


def not_recorded() -> ChatError:
    """Return the answer to an act whose record waits."""
    return ChatError(Kind.UNKNOWN, "This was done, but could not be recorded yet.")


async def _stored(answer: Deferred[object]) -> bool:
    try:
        await answer
    except ChatError:
        return False
    return True


def _broken(failure: Failure) -> None:
    _log.failure("The audit could not be written.", failure)
