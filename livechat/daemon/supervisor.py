"""
Several processes on one port: a supervisor starts them and watches over them.

    the supervisor  checks that it could run, keeps the sockets, and serves nobody
     └─ workers     a whole livechat each, at a socket that the supervisor hands them

A worker that ends is started again, after a pause that grows while it does not last;
only its own connections end with it.  SIGTERM and SIGHUP are passed on, and the log of a
worker goes into that of the supervisor.  The workers' side is `livechat.daemon.lifeline`;
`livechat.daemon.rolling` replaces them by others of another version.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from shutil import rmtree
from tempfile import gettempdir, mkdtemp
from typing import TYPE_CHECKING, Any, Final

from prometheus_client.multiprocess import mark_process_dead
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from livechat import __version__, metrics
from livechat.command_line import Options
from livechat.config import FOLLOWS, WORKER
from livechat.daemon.lifeline import AGREED, TERMS, WorkerReport
from livechat.daemon.sockets import WorkerSockets
from livechat.daemon.worker import Worker, descriptors
from livechat.errors import StartError
from livechat.net.activation import FIRST, handed
from livechat.protocol.counts import counted

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

_log = Logger(namespace="livechat")

#: Seconds from SIGTERM to SIGKILL, besides those of a drain; a worker ends by itself within ten.
GRACE: Final = 12.0
#: Seconds without a report after which a worker counts as stuck, if systemd wants signs of life
#: (WatchdogSec=).
SILENT: Final = 30.0
#: Seconds without a report after which a worker that has not started counts as stuck.
START_WITHIN: Final = 90.0

_RUN: Final = "from twisted.scripts.twistd import run; run()"


def command(options: Options, port: int) -> list[str]:
    """Return the command line of a worker with these options, on *port*."""
    given = [f"--port={port}"]
    for name, value in options.items():
        if name != "port" and value is not None:
            values = value if isinstance(value, list) else [value]
            given += (f"--{name}={each}" for each in values)
    # -P keeps Python from importing modules of the working directory.
    return [sys.executable, "-P", "-c", _RUN, "--nodaemon", "--pidfile=", "livechat", *given]


class Workers(Service):
    """The supervisor: starts the workers, and starts them again when they end."""

    name = "workers"

    def __init__(
        self,
        reactor: PosixReactorBase,
        command: Sequence[str],
        count: int,
        sockets: WorkerSockets,
        port: int,
        *,
        leave_within: float = 0.0,
    ) -> None:
        """
        @param leave_within: seconds in which a worker drains, before it ends.
        """
        self._reactor = reactor
        self._command = command
        self._sockets = sockets
        self._workers = [Worker(place, self) for place in range(1, count + 1)]
        # New workers that have no place yet, and old ones that have lost theirs.
        self._following: set[Worker] = set()
        self._leaving: set[Worker] = set()
        self._starting: dict[Worker, IDelayedCall] = {}
        self._ended: Deferred[None] | None = None
        self._announced = False
        self._before: Any = None
        self._port = port
        self._figures: Path | None = None
        self.grace = GRACE + leave_within
        #: Called with True when SIGHUP was passed on, and with False when all have renewed.
        self.around: Callable[[bool], None] = lambda _: None
        self._renewing: dict[Worker, int] = {}

    def __iter__(self) -> Iterator[Worker]:
        """The workers that have a place, in the order of their places."""
        return iter(self._workers)

    def __len__(self) -> int:
        return len(self._workers)

    @property
    def stopping(self) -> bool:
        return self._ended is not None

    def reports(self) -> list[WorkerReport | None]:
        """Return the last report of each worker; None: it has not begun."""
        return [worker.report for worker in self._workers]

    def startService(self) -> None:
        super().startService()
        self._figures = _in_memory(self._port)
        self._before = signal.signal(signal.SIGHUP, self._renew)
        for worker in self._workers:
            self._start(worker)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        signal.signal(signal.SIGHUP, self._before)
        for starting in self._starting.values():
            starting.cancel()
        self._starting.clear()
        self._ended = Deferred()
        self._signal("TERM")
        # The workers alone hold the sockets now, and decide how long they accept.
        self._sockets.close()
        killing = self._reactor.callLater(self.grace, self._signal, "KILL")

        def stopped(_: None) -> None:
            if killing.active():
                killing.cancel()
            self._sockets.clean()
            if self._figures is not None:
                rmtree(self._figures, ignore_errors=True)

        ended = self._ended.addCallback(stopped)
        self._look_for_the_end()
        return ended

    def _renew(self, *_: object) -> None:
        self._reactor.callFromThread(self.renew)

    def renew(self) -> None:
        """Pass SIGHUP on."""
        for worker in (*self._workers, *self._following):
            worker.renew()
        if not self._renewing:
            self.around(True)
        self._renewing = {each: each.report.renewed for each in self._workers if each.report}
        if not self._renewing:
            self.around(False)

    def _look_for_renewed(self) -> None:
        """Forget workers that have renewed, or are gone; report the end when none is left."""
        for worker, before in tuple(self._renewing.items()):
            if worker.report is None or worker.report.renewed > before:
                del self._renewing[worker]
                if not self._renewing:
                    self.around(False)

    def _all(self) -> tuple[Worker, ...]:
        return (*self._workers, *self._following, *self._leaving)

    def _signal(self, name: str) -> None:
        for worker in self._all():
            worker.signal(name)

    def _start(self, worker: Worker) -> None:
        self._starting.pop(worker, None)
        try:
            sockets = self._sockets.take(worker.place)
        except StartError as reason:
            self.ended(worker, str(reason))
            return
        files = descriptors(
            {FIRST + index: each.socket.fileno() for index, each in enumerate(sockets)}
        )
        worker.begin(
            lambda protocol: self._reactor.spawnProcess(
                protocol,
                self._command[0],
                self._command,
                env={**os.environ, **handed(sockets), **self._place_of(worker)},
                childFDs=files,
            ),
            self._reactor.seconds,
        )

    def _place_of(self, worker: Worker) -> Mapping[str, str]:
        return {
            WORKER: str(worker.place),
            AGREED: str(TERMS),
            FOLLOWS: str(int(worker in self._following)),
            metrics.NUMBER: str(worker.figures),
            metrics.SHARED: str(self._figures),
        }

    def follow(self, worker: Worker) -> Worker:
        """Start another process for the place of *worker*, which goes on."""
        # A place has two numbers in turn: figures go on, and their files do not multiply.
        count = len(self._workers)
        other = worker.figures + count if worker.figures <= count else worker.figures - count
        following = Worker(worker.place, self, other)
        self._following.add(following)
        self._start(following)
        return following

    def replace(self, worker: Worker, following: Worker) -> None:
        """Give the place of *worker* to *following*, and have it leave."""
        self._following.discard(following)
        self._workers[following.place - 1] = following
        starting = self._starting.pop(worker, None)
        if starting is not None:
            starting.cancel()
        if worker.running:
            self._leaving.add(worker)
            worker.leave()

    def give_up(self, following: Worker) -> None:
        """End *following*, which did not become ready; the worker before it keeps its place."""
        if following in self._following:
            self._following.discard(following)
            if following.running:
                self._leaving.add(following)
                following.signal("TERM")
                self._reactor.callLater(self.grace, following.signal, "KILL")

    def left(self, place: int) -> bool:
        """Tell whether all processes are gone that had *place*, or were to have it."""
        return not any(worker.place == place for worker in self._leaving)

    def alive(self) -> Deferred[None]:
        """
        Fires at once: the supervisor lives if this is called.  Kills workers from which nothing
        was heard for too long, so that they are started again.
        """
        now = self._reactor.seconds()
        for worker in self._all():
            within = START_WITHIN if worker.report is None else SILENT
            if worker.running and now - worker.heard > within:
                _log.error(
                    "Worker {place} has not reported for {span}, and is killed.",
                    place=worker.place,
                    span=counted(within, "second"),
                )
                worker.signal("KILL")
        return succeed(None)

    def heard(self, worker: Worker) -> None:
        self._look_for_renewed()
        if not self._announced and all(worker.ready for worker in self._workers):
            self._announced = True
            _log.info(
                "livechat {version} is ready, with {workers}.",
                version=__version__,
                workers=counted(len(self._workers), "worker"),
            )

    def ended(self, worker: Worker, reason: str) -> None:
        """A worker process has exited; schedule its restart, if it has a place."""
        # A dead worker's gauges are dropped, and its counters stay.
        mark_process_dead(worker.figures, str(self._figures))
        if worker in self._following:
            self._following.discard(worker)
            _log.error(
                "The new worker {place} has ended: {reason}.", place=worker.place, reason=reason
            )
        elif worker in self._leaving:
            self._leaving.discard(worker)
            _log.info(
                "The old worker {place} has ended: {reason}.", place=worker.place, reason=reason
            )
        elif self._ended is None:
            self._start_later(worker, reason)
        if self._ended is not None:
            self._look_for_the_end()

    def _start_later(self, worker: Worker, reason: str) -> None:
        if not any(each.place == worker.place for each in (*self._following, *self._leaving)):
            self._sockets.drop(worker.place)
        pause = worker.pause(self._reactor.seconds())
        _log.error(
            "Worker {number} has ended: {reason}; it is started again in {pause}.",
            number=worker.place,
            reason=reason,
            pause=counted(pause, "second"),
        )
        self._starting[worker] = self._reactor.callLater(pause, self._start, worker)

    def _look_for_the_end(self) -> None:
        if self._ended is not None and not any(worker.running for worker in self._all()):
            ended, self._ended = self._ended, Deferred()
            ended.callback(None)


def _in_memory(port: int) -> Path:
    """
    Make a directory for the figures of the workers on *port*, each of which answers for all.

    Its files are mapped into memory, and a full disk would kill the processes; so it is in memory.
    """
    places = (os.environ.get("RUNTIME_DIRECTORY"), "/dev/shm")  # noqa: S108 - see below
    usable = (each for each in places if each and os.access(each, os.W_OK | os.X_OK))
    place = next(usable, None) or gettempdir()
    # The name is fixed, so that killed supervisors leave one directory at most.  If another user
    # has made it first, a random name is used.
    own = Path(place, f"livechat-{os.getuid()}-{port}")
    rmtree(own, ignore_errors=True)
    try:
        own.mkdir(mode=0o700)
    except FileExistsError:
        return Path(mkdtemp(prefix=f"{own.name}-", dir=place))
    return own
