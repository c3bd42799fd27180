"""
The health of the embedded backend's file: whether it can be written, and why not.

After a failed write every message still tries, so that the first one that is stored ends
the trouble.  While nobody sends, a probe tries instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

#: Seconds between two attempts to write while writing fails and nobody sends.
PROBE_EVERY: Final = 2.0


class Health:
    """
    The state of one file.  Logs its changes.

    @ivar trouble: why its subject cannot be stored, in a few words; None if it can.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        probe: Callable[[], Deferred[Any]],
        recovered: Callable[[], None] = lambda: None,
        subject: str = "messages",
    ) -> None:
        """
        @param probe: tries to write.
        @param recovered: called when the trouble has ended.
        @param subject: the contents of the file, in words.
        """
        self._subject = subject
        self._recovered = recovered
        self.trouble: str | None = None
        self._clock = clock
        self._probe = probe
        self._probing: IDelayedCall | None = None
        self._stopped = False

    def failed(self, reason: str) -> None:
        """A write has failed."""
        if self.trouble is None:
            subject = self._subject.capitalize()
            self._log.error("{subject} cannot be stored: {reason}", subject=subject, reason=reason)
        self.trouble = f"{self._subject} cannot be stored: {reason}"
        if self._probing is None and not self._stopped:
            self._probing = self._clock.callLater(PROBE_EVERY, self._try_again)

    def fine(self) -> None:
        """A write has succeeded."""
        if self.trouble is not None:
            self._log.info("{subject} can be stored again.", subject=self._subject.capitalize())
            self.trouble = None
            self._recovered()

    def _try_again(self) -> None:
        self._probing = None
        if self.trouble is not None:
            self._probe().addCallbacks(
                lambda _: self.fine(), lambda failure: self.failed(failure.getErrorMessage())
            )

    def stop(self) -> None:
        """Probe no more."""
        self._stopped = True
        if self._probing is not None:
            self._probing.cancel()
            self._probing = None
