"""
Several processes on one port: a supervisor starts them and watches over them.

    the supervisor  checks that it could run, reserves the port, and serves nobody
     └─ workers     a whole livechat each; they share the port (SO_REUSEPORT)

A worker that ends is started again, after a pause that grows while it does not last;
only its own connections end with it.  SIGTERM and SIGHUP are passed on, and the log of a
worker goes into that of the supervisor.  The workers' side is `livechat.daemon.lifeline`.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from shutil import rmtree
from tempfile import gettempdir, mkdtemp
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from prometheus_client.multiprocess import mark_process_dead
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import InvalidLogLevelError, Logger, LogLevel
from twisted.python.failure import Failure

from livechat import __version__, metrics
from livechat.addresses import Address
from livechat.config import SOCKETS, WORKER, Options
from livechat.daemon.lifeline import ready
from livechat.net.listening import Listening

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

_log = Logger(namespace="livechat")

#: Seconds until a worker that ended is started again, at first and at most; and how many
#: it must have lasted for the pause not to grow.
PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
LASTED: Final = 30.0
#: Seconds from SIGTERM to SIGKILL: a worker ends by itself in ten.
GRACE: Final = 12.0
#: The first descriptor of sockets that workers get.
FIRST_SOCKET: Final = 3
#: Characters of a line of a worker's log.
LONGEST_LINE: Final = 65_536

_RUN: Final = "from twisted.scripts.twistd import run; run()"
# A line of twistd's log: time, namespace, level, text.
_LINE: Final = re.compile(r"\S+ \[([^\]#]*)#?(\w*)\] ?(.*)", re.DOTALL)


def command(options: Options, addresses: Iterable[Address]) -> list[str]:
    """Return the command line of a worker with these options, on *addresses*."""
    given = [f"--listen={each}" for each in addresses]
    for name, value in options.items():
        if name not in ("listen", "port", "interface") and value is not None:
            values = value if isinstance(value, list) else [value]
            given += (f"--{name}={each}" for each in values)
    # Without -P the directory that it runs in would be looked into for modules.
    return [sys.executable, "-P", "-c", _RUN, "--nodaemon", "--pidfile=", "livechat", *given]


class Workers(Service):
    """The supervisor: starts the workers, and starts them again when they end."""

    name = "workers"

    def __init__(
        self,
        reactor: PosixReactorBase,
        command: Sequence[str],
        count: int,
        reserved: Sequence[Listening],
    ) -> None:
        """
        @param reserved: sockets that keep ports, and those with files, which the workers get.
        """
        self._reactor = reactor
        self._command = command
        self._reserved = reserved
        self._workers = [_Worker(number, self) for number in range(1, count + 1)]
        self._starting: dict[_Worker, IDelayedCall] = {}
        self._ended: Deferred[None] | None = None
        self._announced = False
        self._before: Any = None
        self._figures: Path | None = None

    def startService(self) -> None:
        super().startService()
        self._figures = _in_memory(self._name())
        self._before = signal.signal(signal.SIGHUP, self._renew)
        for worker in self._workers:
            self._start(worker)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        signal.signal(signal.SIGHUP, self._before)
        for starting in self._starting.values():
            starting.cancel()
        self._starting.clear()
        for each in self._reserved:
            if each.file is not None:
                each.file.remove()
        self._ended = Deferred()
        self._signal("TERM")
        killing = self._reactor.callLater(GRACE, self._signal, "KILL")

        def stopped(_: None) -> None:
            if killing.active():
                killing.cancel()
            for each in self._reserved:
                each.close()
            if self._figures is not None:
                rmtree(self._figures, ignore_errors=True)

        ended = self._ended.addCallback(stopped)
        self._look_for_the_end()
        return ended

    def _name(self) -> str:
        """Return what no other supervisor of this user is called."""
        first = self._reserved[0].address
        return str(first.port or crc32(str(first).encode()))

    def _renew(self, *_: object) -> None:
        self._reactor.callFromThread(self._signal, "HUP")

    def _signal(self, name: str) -> None:
        for worker in self._workers:
            worker.signal(name)

    def _start(self, worker: _Worker) -> None:
        self._starting.pop(worker, None)
        shared = (each.socket.fileno() for each in self._reserved if each.file is not None)
        files: dict[int, Any] = dict(enumerate(shared, FIRST_SOCKET))
        worker.begin(
            lambda protocol: self._reactor.spawnProcess(
                protocol,
                self._command[0],
                self._command,
                env={
                    **os.environ,
                    WORKER: str(worker.number),
                    metrics.SHARED: str(self._figures),
                    SOCKETS: " ".join(map(str, files)),
                },
                childFDs={0: "w", 1: "r", 2: "r"} | files,
            ),
            self._reactor.seconds(),
        )

    def ready(self) -> None:
        """A worker accepts connections."""
        if not self._announced and all(worker.ready for worker in self._workers):
            self._announced = True
            _log.info(
                "livechat {version} is ready, with {count} workers.",
                version=__version__,
                count=len(self._workers),
            )

    def ended(self, worker: _Worker, reason: str) -> None:
        """A worker process has exited; schedule its restart."""
        # What it had is gone; what it has counted was.
        mark_process_dead(worker.number, str(self._figures))
        if self._ended is not None:
            self._look_for_the_end()
            return
        pause = worker.pause(self._reactor.seconds())
        _log.error(
            "Worker {number} has ended: {reason}; it is started again in {pause:g} seconds.",
            number=worker.number,
            reason=reason,
            pause=pause,
        )
        self._starting[worker] = self._reactor.callLater(pause, self._start, worker)

    def _look_for_the_end(self) -> None:
        if self._ended is not None and not any(worker.running for worker in self._workers):
            ended, self._ended = self._ended, Deferred()
            ended.callback(None)


def _in_memory(name: str) -> Path:
    """
    A new directory for what the workers of the supervisor called *name* count, of which any
    answers for all.

    The files in it are mapped into memory: on a disk that is full, that kills.
    """
    places = (os.environ.get("RUNTIME_DIRECTORY"), "/dev/shm")  # noqa: S108 - see below
    usable = (each for each in places if each and os.access(each, os.W_OK | os.X_OK))
    place = next(usable, None) or gettempdir()
    # The name is the same each time, so that what was killed leaves one directory at most.
    # Others may have made it first: then it is another.
    own = Path(place, f"livechat-{os.getuid()}-{name}")
    rmtree(own, ignore_errors=True)
    try:
        own.mkdir(mode=0o700)
    except FileExistsError:
        return Path(mkdtemp(prefix=f"{own.name}-", dir=place))
    return own


class _Worker:
    """
    A worker, however often its process is started.

    @ivar ready: it has accepted connections at some time.
    """

    def __init__(self, number: int, workers: Workers) -> None:
        self.number = number
        self.ready = False
        self._workers = workers
        self._log = Logger(namespace=f"worker {number}")
        self._transport: IProcessTransport | None = None
        self._started = 0.0
        self._pause = PAUSE

    @property
    def running(self) -> bool:
        return self._transport is not None

    def begin(self, spawn: Callable[[ProcessProtocol], IProcessTransport], now: float) -> None:
        self._started = now
        self._transport = spawn(_Process(self))

    def pause(self, now: float) -> float:
        """Seconds until it is started again."""
        lasted = now - self._started >= LASTED
        pause = PAUSE if lasted else self._pause
        self._pause = PAUSE if lasted else min(2 * pause, LONGEST_PAUSE)
        return pause

    def signal(self, name: str) -> None:
        """Send a signal.  No-op while the process does not run."""
        if self._transport is not None:
            self._transport.signalProcess(name)

    def said(self, line: str) -> None:
        """It has logged *line*."""
        found = _LINE.fullmatch(line)
        level, text = LogLevel.info, line
        if found is not None:
            namespace, word, text = found.groups()
            level = _level(word)
            if level is LogLevel.info and namespace.partition(".")[0] in ("-", "twisted"):
                # That it starts and stops, as its parent does.
                return
            if namespace != "livechat":
                text = f"[{namespace}] {text}"
        self._log.emit(level, "{text}", text=text)
        if text == ready(self.number):
            self.ready = True
            self._workers.ready()

    def ended(self, reason: str) -> None:
        self._transport = None
        self._workers.ended(self, reason)


def _level(name: str) -> Any:
    try:
        return LogLevel.levelWithName(name)
    except InvalidLogLevelError:
        return LogLevel.info


class _Process(ProcessProtocol):
    """Reads the log of a worker."""

    def __init__(self, worker: _Worker) -> None:
        self._worker = worker
        self._unread = {1: b"", 2: b""}

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        *lines, rest = (self._unread[childFD] + data).split(b"\n")
        if len(rest) > LONGEST_LINE:
            lines.append(rest)
            rest = b""
        self._unread[childFD] = rest
        for line in lines:
            self._worker.said(line.decode(errors="replace")[:LONGEST_LINE])

    def processEnded(self, reason: Failure) -> None:
        for rest in self._unread.values():
            if rest:
                self._worker.said(rest.decode(errors="replace"))
        how: Any = reason.value
        self._worker.ended(
            f"signal {how.signal}" if how.signal is not None else f"exit code {how.exitCode}",
        )
