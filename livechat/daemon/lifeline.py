"""
The workers' side of supervision (`livechat.daemon.supervisor`).

A worker whose supervisor is gone stops, because its standard input ends.  It would else go on by
itself, and hold the port.  A word on the same pipe tells it that another worker has its place.
Once a second it reports how it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct
from twisted.application.service import Service
from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IReactorTime
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat import __version__
from livechat.errors import StartError
from livechat.net.activation import FIRST, MOST

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

_log = Logger(namespace="livechat")

#: The version of the protocol between supervisor and workers.  A running supervisor starts no
#: workers of another version.
TERMS: Final = 1
#: In a worker's environment: the terms of its supervisor.
AGREED: Final = "_LIVECHAT_TERMS"
#: A worker's descriptors to read words and to write reports; the latter is behind all sockets.
STDIN: Final = 0
REPORTS: Final = FIRST + MOST
#: The word that ends a worker whose place another one has.
LEAVE: Final = b"leave\n"
#: Seconds between two reports.
REPORT_EVERY: Final = 1.0


class WorkerReport(Struct, frozen=True):
    """
    The state of a worker.

    @ivar trouble: why it cannot take messages; None if it can.
    @ivar renewed: how often it has done what SIGHUP asks for.
    """

    members: int = 0
    rooms: int = 0
    trouble: str | None = None
    renewed: int = 0


def check_terms(environment: Mapping[str, str]) -> None:
    """
    @raise StartError: this worker was started by a supervisor that it does not understand.
    """
    if environment.get(AGREED) != str(TERMS):
        # The worker before has crashed, and the supervisor is of an older version.
        raise StartError(
            f"livechat {__version__} was installed while another version runs, which cannot have"
            " it as a worker: restart the whole service"
        )


def ready(number: int) -> str:
    """Return the line that worker *number* logs when it accepts connections."""
    return f"Worker {number} is ready."


class Lifeline(Service):
    """Stops a worker when its supervisor is gone, or has given its place to another."""

    name = "lifeline"

    def __init__(
        self, reactor: PosixReactorBase, number: int, leave: Callable[[], None] = lambda: None
    ) -> None:
        """
        @param leave: called when another worker has the place of this one.
        """
        self._reactor = reactor
        self._number = number
        self._leave = leave
        self._input: _Input | None = None

    def startService(self) -> None:
        super().startService()
        self._input = _Input(self._reactor, self._leave)
        self._input.startReading()
        _log.info("{text}", text=ready(self._number))

    def stopService(self) -> None:
        super().stopService()
        if self._input is not None:
            self._input.stopReading()


class _Input(FileDescriptor):
    """The standard input, which carries one word, and its end."""

    reactor: Any

    def __init__(self, reactor: PosixReactorBase, leave: Callable[[], None]) -> None:
        super().__init__(reactor)  # type: ignore[arg-type]
        self._leave = leave

    def fileno(self) -> int:
        return STDIN

    def doRead(self) -> Exception | None:
        try:
            data = os.read(STDIN, 4_096)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:
            return CONNECTION_LOST
        if data == LEAVE:
            self._leave()
        return None

    def connectionLost(self, reason: Failure) -> None:
        # The reactor calls only this when the other end of the pipe is closed.
        super().connectionLost(reason)
        _log.error("The supervisor of this worker is gone.")
        self.reactor.stop()


class Reports(Service):
    """Tells the supervisor, every second, how this worker is."""

    name = "reports"

    def __init__(
        self, clock: IReactorTime, report: Callable[[], WorkerReport], descriptor: int = REPORTS
    ) -> None:
        self._clock = clock
        self._report = report
        self._descriptor = descriptor
        self._telling: LoopingCall | None = None

    def startService(self) -> None:
        super().startService()
        os.set_blocking(self._descriptor, False)
        self._telling = LoopingCall(self._tell)
        self._telling.clock = self._clock
        self._telling.start(REPORT_EVERY).addErrback(
            lambda failure: _log.failure("This worker does not report any more.", failure)
        )

    def stopService(self) -> None:
        super().stopService()
        if self._telling is not None and self._telling.running:
            self._telling.stop()

    def _tell(self) -> None:
        # The pipe is full if the supervisor stands still, and broken if it is gone.
        with suppress(OSError):
            os.write(self._descriptor, msgspec.json.encode(self._report()) + b"\n")
