"""
The schedule of the embedded backend's file: sweeps, tidying, erasing, and the clock.

All of it runs in the writer's thread, a small step at a time, behind the groups that wait.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat.backends.sqlite.database import Database
from livechat.system.threads import Lane

#: Seconds between two sweeps for expired messages.
SWEEP_EVERY: Final = 60.0
#: Seconds between two checks of the clocks, of the load, and of some of all rooms.
LOOK_EVERY: Final = 1.0
#: Seconds for which tidying waits for a quiet moment; then it is done in any case.
TIDY_WITHIN: Final = 300.0
#: Seconds after an edit or a retraction until old texts are erased, with those of later acts.  Each
#: check tries again while a reader is in the way.
ERASE_AFTER: Final = 20.0


class Erasable(Protocol):
    """
    Files of one database.

    @ivar unerased: whether they may have words of retracted messages.
    @ivar erasing: whether `erase` has begun, and not come to the end.
    """

    @property
    def unerased(self) -> bool: ...

    @property
    def erasing(self) -> bool: ...

    def erase(self) -> bool:
        """Remove some of these words; return whether to go on at once."""


class Erasure:
    """Erases the files of one database in time, whether rooms are busy or quiet."""

    _log = Logger()

    def __init__(self, files: Erasable, clock: IReactorTime, writer: Lane) -> None:
        self._files = files
        self._clock = clock
        self._writer = writer
        self._stopped = False
        # The time of the first act whose text is to be erased.
        self._since: float | None = None
        self._under_way = False

    def look(self) -> None:
        """Erase messages that were retracted `ERASE_AFTER` seconds ago."""
        if self._under_way or not self._files.unerased:
            return
        now = self._clock.seconds()
        if self._since is None:
            self._since = now
        if now - self._since >= ERASE_AFTER:
            self._under_way = True
            Deferred.fromCoroutine(self._erase())

    def stop(self) -> None:
        self._stopped = True

    async def _erase(self) -> None:
        """Erase until all is done, or a reader is in the way."""
        try:
            while not self._stopped and await self._writer.call(self._files.erase):
                pass
        except (sqlite3.Error, OSError) as reason:
            self._since = None
            self._log.error("The file cannot be erased: {reason}", reason=str(reason))
        except Exception:  # noqa: BLE001 - a bug: the next one may do better
            self._since = None
            self._log.failure("Retracted words could not be erased from the file.")
        else:
            if not self._files.erasing:
                self._since = None
        self._under_way = False


class Housekeeping:
    """The timers of one backend."""

    _log = Logger()

    def __init__(
        self,
        database: Database,
        clock: IReactorTime,
        writer: Lane,
        *,
        quiet: Callable[[], bool],
        failed: Callable[[str], None],
        remove_over: Callable[[], None],
        maps: Erasable | None = None,
    ) -> None:
        """
        @param quiet: returns True if no message waits to be stored.
        @param failed: called with the reason why the file cannot be written.
        @param remove_over: removes ended entries elsewhere; called while the clock is trusted.
        @param maps: the file of shared maps, which may have texts to erase too.
        """
        self._remove_over = remove_over
        self._database = database
        self._clock = clock
        self._writer = writer
        self._quiet = quiet
        self._failed = failed
        self._stopped = False
        # The time of the first reason to tidy.
        self._untidy_since: float | None = None
        self._tidying = False
        # True while a step of the walk over all rooms runs.
        self._walking = False
        files: list[Erasable] = [database] if maps is None else [database, maps]
        self._erasures = [Erasure(each, clock, writer) for each in files]
        self._timers = [
            LoopingCall(lambda: Deferred.fromCoroutine(self._sweep())),
            LoopingCall(self._tick),
        ]

    def start(self) -> None:
        doubt = self._database.kept_clock.doubt
        if doubt:
            self._log.warn("{line}", line=doubt)
        sweeping, looking = self._timers
        for timer in self._timers:
            timer.clock = self._clock
        sweeping.start(SWEEP_EVERY)
        looking.start(LOOK_EVERY, now=False)

    def stop(self) -> None:
        self._stopped = True
        for each in self._erasures:
            each.stop()
        for timer in self._timers:
            if timer.running:
                timer.stop()

    async def _sweep(self) -> None:
        """Remove expired entries."""
        if self._database.clock.trusted:
            self._remove_over()
        self._walking = False
        first = go_on = True
        while go_on and not self._stopped:
            try:
                go_on = await self._writer.call(self._database.sweep, first=first)
                first = False
            except sqlite3.Error as reason:
                self._failed(str(reason))
                return
            except Exception:  # noqa: BLE001 - a bug: the next sweep may do better
                self._log.failure("Expired messages could not be removed.")
                return

    def _tick(self) -> None:
        """Compare the clocks; tidy, erase and walk as needed."""
        line = self._database.clock.compare()
        if line:
            self._log.warn("{line}", line=line)
        self._tidy_when_quiet()
        if self._database.walking and not self._walking:
            self._walking = True
            self._writer.call(self._database.walk).addCallbacks(self._walked, self._not_walked)
        for each in self._erasures:
            each.look()

    def _not_walked(self, failure: Failure) -> None:
        """Handle a failed step of the walk: the next sweep has it go on."""
        if failure.check(sqlite3.Error):
            self._failed(failure.getErrorMessage())
        else:
            self._log.failure("The walk over all rooms failed.", failure)

    def _walked(self, _: None) -> None:
        self._walking = False

    def _tidy_when_quiet(self) -> None:
        if not self._database.untidy:
            self._untidy_since = None
            return
        now = self._clock.seconds()
        if self._untidy_since is None:
            self._untidy_since = now
        long_enough = now - self._untidy_since >= TIDY_WITHIN
        if not self._tidying and (long_enough or self._quiet()):
            self._tidying = True
            self._writer.call(self._database.tidy).addErrback(self._not_tidied).addBoth(
                self._tidied
            )

    def _not_tidied(self, failure: Failure) -> None:
        """Handle failed tidying: the next sweep that finds a reason asks for it again."""
        self._database.untidy = False
        self._log.error("The file cannot be tidied: {reason}", reason=failure.getErrorMessage())

    def _tidied(self, _: object) -> None:
        self._tidying = False
