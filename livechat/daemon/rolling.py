"""
Renews workers one after the other, on SIGUSR2, while the others serve.

    a worker of the version that is installed now is started beside the old one, at its socket
    it is ready: it takes the place; the old one drains and ends, and then the next one's turn is
    it does not become ready in time, or ends: all stays as it was
"""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from livechat.daemon.edition import Edition, UnknownError
from livechat.daemon.supervisor import Workers
from livechat.daemon.worker import Worker
from livechat.protocol.counts import counted

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

_log = Logger(namespace="livechat")

#: Seconds in which a new worker must be ready.
READY_WITHIN: Final = 60.0
#: Seconds between two checks while waiting.
LOOK_EVERY: Final = 0.1


class Rolling(Service):
    """Renews the workers of a supervisor."""

    name = "rolling"

    def __init__(
        self,
        reactor: PosixReactorBase,
        workers: Workers,
        own: Edition,
        installed: Callable[[], Awaitable[Edition]],
    ) -> None:
        """
        @param own: the version whose workers run.
        @param installed: finds the version that is installed now.
        """
        self._reactor = reactor
        self._workers = workers
        self._own = own
        self._installed = installed
        self._renewal: Deferred[None] | None = None
        self._place = 0

    @property
    def status(self) -> str:
        """The state of the renewal, for people; empty if there is none."""
        if self._renewal is None:
            return ""
        return f"renewing worker {max(1, self._place)} of {len(self._workers)}"

    def startService(self) -> None:
        super().startService()
        signal.signal(signal.SIGUSR2, self._asked)

    def stopService(self) -> None:
        super().stopService()
        # The signal's default action kills.
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        if self._renewal is not None:
            _log.warn("The renewal of workers ends here: livechat stops.")
            self._renewal.cancel()

    def _asked(self, *_: object) -> None:
        self._reactor.callFromThread(self.ask)

    def ask(self) -> None:
        """Renew all workers; refused while that is under way."""
        if not self.running:
            return
        if self._renewal is not None:
            _log.warn("SIGUSR2 is ignored: it is {status} already.", status=self.status)
            return
        self._place = 0
        renewal = self._renewal = Deferred.fromCoroutine(self._renew())
        renewal.addBoth(self._done)

    def _done(self, result: Any) -> None:
        self._renewal = None
        if result is not None and not result.check(CancelledError):
            _log.failure("The renewal of workers met a bug.", result)

    async def _renew(self) -> None:
        try:
            new = await self._installed()
        except UnknownError as reason:
            _log.error(
                "SIGUSR2: no worker is renewed. The livechat that is installed cannot be asked for"
                " its version: {reason}",
                reason=str(reason),
            )
            return
        refusal = self._own.refuses(new)
        if refusal is not None:
            _log.error(
                "SIGUSR2: no worker is renewed. {refusal}: a full restart is needed.",
                refusal=refusal,
            )
            return
        _log.info(
            "{workers} renewed: livechat {version}.",
            workers=counted(len(self._workers), "worker is", "workers are"),
            version=new.version,
        )
        for worker in tuple(self._workers):
            self._place = worker.place
            if not await self._follow(worker.place):
                return
        _log.info("All workers are renewed: livechat {version}.", version=new.version)

    async def _follow(self, place: int) -> bool:
        """Renew the worker of *place*; return True if that worked."""
        workers = self._workers
        # A new worker of an earlier renewal, which was given up, may still have the spare figures.
        await self._until(lambda: workers.left(place), 2 * workers.grace)
        worker = next(each for each in workers if each.place == place)
        following = workers.follow(worker)
        if not await self._until(lambda: following.serves or not following.running, READY_WITHIN):
            report = following.report
            why = "it does not start" if report is None else report.trouble
            self._end(following, f"was not ready within {READY_WITHIN:g} seconds: {why}")
            return False
        if not following.running:
            self._end(following, "has ended")
            return False
        workers.replace(worker, following)
        if not await self._until(lambda: workers.left(place), workers.grace):
            worker.signal("KILL")
            await self._until(lambda: workers.left(place), workers.grace)
        return True

    def _end(self, following: Worker, why: str) -> None:
        self._workers.give_up(following)
        _log.error(
            "The renewal ends: the new worker {place} {why}. The workers that are there go on.",
            place=following.place,
            why=why,
        )

    async def _until(self, there: Callable[[], bool], seconds: float) -> bool:
        """Wait until *there* is true; return False after *seconds*."""
        until = self._reactor.seconds() + seconds
        while not there():
            if self._reactor.seconds() >= until:
                return False
            await deferLater(self._reactor, LOOK_EVERY, lambda: None)
        return True


class NotRenewed(Service):
    """Says, on SIGUSR2, why this process renews nothing, in place of being killed by it."""

    name = "not renewed"

    def __init__(self, reactor: PosixReactorBase, *, worker: bool) -> None:
        self._reactor = reactor
        self._worker = worker

    def startService(self) -> None:
        super().startService()
        signal.signal(signal.SIGUSR2, self._asked)

    def stopService(self) -> None:
        super().stopService()
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)

    def _asked(self, *_: object) -> None:
        self._reactor.callFromThread(self._say)

    def _say(self) -> None:
        if self._worker:
            _log.warn(
                "SIGUSR2 is ignored: it is for process {pid}, the supervisor of this worker.",
                pid=os.getppid(),
            )
        else:
            _log.warn(
                "SIGUSR2 is ignored: it renews workers, and this livechat has none (--workers)."
                " Restart it: with livechat.socket, connections wait meanwhile."
            )
