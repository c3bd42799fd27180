"""Workers that are no processes, for `livechat.daemon.supervisor`."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from livechat import metrics
from livechat.config import WORKER
from livechat.daemon.lifeline import REPORTS, STDIN, WorkerReport
from livechat.net.activation import FIRST, Inherited

#: The number of the socket that `Sockets` hands out.
SOCKET = 70


class Process:
    """A process that `Reactor` has started."""

    def __init__(self, protocol: Any, environment: Any) -> None:
        self.protocol = protocol
        self.number = environment[WORKER]
        self.figures = environment[metrics.NUMBER]
        self.signals: list[str] = []
        self.told = b""

    def signalProcess(self, name: str) -> None:
        self.signals.append(name)

    def writeToChild(self, descriptor: int, data: bytes) -> None:
        assert descriptor == STDIN
        self.told += data

    def says(self, text: str, descriptor: int = 1) -> None:
        self.protocol.childDataReceived(descriptor, text.encode())

    def reports(self, **report: Any) -> None:
        line = msgspec.json.encode(WorkerReport(**report)) + b"\n"
        self.protocol.childDataReceived(REPORTS, line)

    def end(self, code: int = 1) -> None:
        reason = ProcessTerminated(exitCode=code) if code else ProcessDone(0)
        self.protocol.processEnded(Failure(reason))


class Reactor(Clock):
    """A clock that starts processes."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[Process] = []

    def spawnProcess(
        self, protocol: Any, program: str, arguments: Any, *, env: Any, childFDs: Any
    ) -> Process:
        assert program == "program"
        assert childFDs == {STDIN: "w", 1: "r", 2: "r", REPORTS: "r", FIRST: SOCKET}
        assert (env["LISTEN_FDS"], env["LISTEN_FDNAMES"]) == ("1", "tls")
        self.started.append(Process(protocol, env))
        return self.started[-1]

    def callFromThread(self, f: Any, *args: Any) -> None:
        f(*args)


class Sockets:
    """Hands out a double of a socket."""

    def __init__(self) -> None:
        self.dropped: list[int] = []
        self.closed = False

    def take(self, place: int) -> Any:
        return [Inherited("tls", self)]  # type: ignore[arg-type]

    def fileno(self) -> int:
        return SOCKET

    def drop(self, place: int) -> None:
        self.dropped.append(place)

    def close(self) -> None:
        self.closed = True

    def clean(self) -> None:
        assert self.closed


def texts(events: Any) -> list[str]:
    return [event["log_format"].format(**event) for event in events]
