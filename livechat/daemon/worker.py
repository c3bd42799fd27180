"""A worker as its supervisor sees it: a process, its log and its reports."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

import msgspec
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import InvalidLogLevelError, Logger, LogLevel
from twisted.python.failure import Failure

from livechat.daemon.lifeline import LEAVE, REPORTS, STDIN, WorkerReport, ready

#: Seconds until a worker that ended is started again, at first and at most; and seconds that it
#: must have lasted for the pause not to grow.
PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
LASTED: Final = 30.0
#: Characters of a line of a worker's log, or of a report.
LONGEST_LINE: Final = 65_536

# A line of twistd's log: time, namespace, level, text.
_LINE: Final = re.compile(r"\S+ \[([^\]#]*)#?(\w*)\] ?(.*)", re.DOTALL)

Spawn = Callable[[ProcessProtocol], IProcessTransport]


class Owner(Protocol):
    """The supervisor, as its workers need it."""

    def heard(self, worker: Worker) -> None:
        """*worker* accepts connections, or has reported."""

    def ended(self, worker: Worker, reason: str) -> None:
        """The process of *worker* has exited."""


class Worker:
    """
    A worker, however often its process is started.

    @ivar place: the number of the worker, from 1; one that is to follow it has the same.
    @ivar figures: the number of its figures, which no other process has at the same time.
    @ivar ready: it has accepted connections at some time.
    @ivar report: the last one of the process that runs.
    @ivar heard: when that came, or the process was started.
    """

    def __init__(self, place: int, owner: Owner, figures: int | None = None) -> None:
        self.place = place
        self.figures = figures or place
        self.ready = False
        self.report: WorkerReport | None = None
        self.heard = 0.0
        self._owner = owner
        self._log = Logger(namespace=f"worker {place}")
        self._transport: Any = None
        self._started = 0.0
        self._pause = PAUSE
        # SIGHUP came before the worker could handle it.
        self._hang_up = False
        self._clock: Callable[[], float] = lambda: 0.0

    @property
    def running(self) -> bool:
        return self._transport is not None

    @property
    def serves(self) -> bool:
        """Tell whether its process takes messages, by its last report."""
        return self.report is not None and self.report.trouble is None

    def begin(self, spawn: Spawn, clock: Callable[[], float]) -> None:
        """Start the process."""
        self._clock = clock
        self._started = self.heard = clock()
        self.report = None
        self._transport = spawn(_Process(self))

    def pause(self, now: float) -> float:
        """Seconds until it is started again."""
        lasted = now - self._started >= LASTED
        pause = PAUSE if lasted else self._pause
        self._pause = PAUSE if lasted else min(2 * pause, LONGEST_PAUSE)
        return pause

    def signal(self, name: str) -> None:
        """Send a signal.  No-op while the process does not run."""
        if self._transport is None:
            return
        try:
            self._transport.signalProcess(name)
        except ProcessExitedAlready:
            # Children of its own have its output, and with that would keep its place.
            self._transport.loseConnection()

    def renew(self) -> None:
        """Pass SIGHUP on; a process that has just been started would be killed by it."""
        if self.report is None:
            self._hang_up = True
        else:
            self.signal("HUP")

    def leave(self) -> None:
        """Have the process end: another one has its place."""
        self._log = Logger(namespace=f"old worker {self.place}")
        if self._transport is not None:
            # The worker may have closed its end of the pipe, and be about to end.
            with suppress(KeyError):
                self._transport.writeToChild(STDIN, LEAVE)

    def said(self, line: str) -> None:
        """Log a line of its log as the supervisor's."""
        found = _LINE.fullmatch(line)
        level, text = LogLevel.info, line
        if found is not None:
            namespace, word, text = found.groups()
            level = _level(word)
            if level is LogLevel.info and namespace.partition(".")[0] in ("-", "twisted"):
                # Lines on the worker's start and stop, which its parent logs too.
                return
            if namespace != "livechat":
                text = f"[{namespace}] {text}"
        self._log.emit(level, "{text}", text=text)
        if text == ready(self.place):
            self.ready = True
            self._owner.heard(self)

    def reported(self, line: bytes) -> None:
        """Take a line of its reports."""
        try:
            self.report = msgspec.json.decode(line, type=WorkerReport)
        except msgspec.DecodeError:
            self._log.error("Its report cannot be read.")
            return
        self.heard = self._clock()
        if self._hang_up:
            self._hang_up = False
            self.signal("HUP")
        self._owner.heard(self)

    def ended(self, reason: str) -> None:
        self._transport = self.report = None
        self._owner.ended(self, reason)


def _level(name: str) -> Any:
    try:
        return LogLevel.levelWithName(name)
    except InvalidLogLevelError:
        return LogLevel.info


class _Process(ProcessProtocol):
    """Reads the log of a worker, and its reports."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._unread = {1: b"", 2: b"", REPORTS: b""}

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        *lines, rest = (self._unread[childFD] + data).split(b"\n")
        if len(rest) > LONGEST_LINE:
            lines.append(rest)
            rest = b""
        self._unread[childFD] = rest
        for line in lines:
            if childFD == REPORTS:
                self._worker.reported(line)
            else:
                self._worker.said(line.decode(errors="replace")[:LONGEST_LINE])

    def processEnded(self, reason: Failure) -> None:
        self._unread.pop(REPORTS)
        for rest in self._unread.values():
            if rest:
                self._worker.said(rest.decode(errors="replace"))
        how: Any = reason.value
        self._worker.ended(
            f"signal {how.signal}" if how.signal is not None else f"exit code {how.exitCode}",
        )


def descriptors(sockets: Mapping[int, int]) -> dict[int, int | str]:
    """Return the files of a worker, for `spawnProcess`; *sockets* are those that it accepts at."""
    return {STDIN: "w", 1: "r", 2: "r", REPORTS: "r", **sockets}
