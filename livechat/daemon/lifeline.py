"""
The workers' side of supervision (`livechat.daemon.supervisor`).

A worker whose supervisor is gone stops, because its standard input ends.  It would else go on by
itself, and hold the port.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.abstract import FileDescriptor
from twisted.internet.main import CONNECTION_LOST
from twisted.logger import Logger
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

_log = Logger(namespace="livechat")


def ready(number: int) -> str:
    """Return the line that worker *number* logs when it accepts connections."""
    return f"Worker {number} is ready."


class Lifeline(Service):
    """Stops a worker when its supervisor is gone."""

    name = "lifeline"

    def __init__(self, reactor: PosixReactorBase, number: int) -> None:
        self._reactor = reactor
        self._number = number
        self._input: _Input | None = None

    def startService(self) -> None:
        super().startService()
        self._input = _Input(self._reactor)  # type: ignore[arg-type]
        self._input.startReading()
        _log.info("{text}", text=ready(self._number))

    def stopService(self) -> None:
        super().stopService()
        if self._input is not None:
            self._input.stopReading()


class _Input(FileDescriptor):
    """The standard input: nothing is expected of it but its end."""

    reactor: Any

    def fileno(self) -> int:
        return 0

    def doRead(self) -> Exception | None:
        try:
            return None if os.read(0, 4_096) else CONNECTION_LOST
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST

    def connectionLost(self, reason: Failure) -> None:
        # Called too when the other end of the pipe is closed: the reactor reports nothing else.
        super().connectionLost(reason)
        _log.error("The process that watched over this one is gone.")
        self.reactor.stop()
