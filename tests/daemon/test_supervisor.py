"""`livechat.daemon.supervisor`, on a clock, with processes that are none."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.error import ProcessTerminated
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from livechat.addresses import parse
from livechat.config import WORKER, Options
from livechat.daemon.lifeline import ready
from livechat.daemon.supervisor import (
    GRACE,
    LASTED,
    LONGEST_LINE,
    LONGEST_PAUSE,
    PAUSE,
    Workers,
    _in_memory,
    command,
)
from livechat.net.listening import reserve


class Process:
    """What `Reactor` has started."""

    def __init__(self, protocol: Any, number: str) -> None:
        self.protocol = protocol
        self.number = number
        self.signals: list[str] = []

    def signalProcess(self, name: str) -> None:
        self.signals.append(name)

    def says(self, text: str, descriptor: int = 1) -> None:
        self.protocol.childDataReceived(descriptor, text.encode())

    def end(self) -> None:
        self.protocol.processEnded(Failure(ProcessTerminated(exitCode=1)))


class Reactor(Clock):
    """A clock that starts processes."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[Process] = []

    def spawnProcess(
        self, protocol: Any, program: str, arguments: Any, *, env: Any, childFDs: Any
    ) -> Process:
        assert (program, childFDs) == ("program", {0: "w", 1: "r", 2: "r"})
        self.started.append(Process(protocol, env[WORKER]))
        return self.started[-1]

    def callFromThread(self, f: Any, *args: Any) -> None:
        f(*args)


@pytest.fixture
def reactor() -> Reactor:
    return Reactor()


@pytest.fixture
def workers(reactor: Reactor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    reserved = reserve([parse("tls:0")])
    made = Workers(reactor, ["program"], 2, reserved)  # type: ignore[arg-type]
    made.startService()
    yield made
    if made.running:
        made.stopService()
    for each in reserved:
        each.close()


def texts(events: Any) -> list[str]:
    return [event["log_format"].format(**event) for event in events]


def test_command() -> None:
    """A worker is started with what the parent was given on its command line."""
    options = Options()
    options.parseOptions(
        ["--port=0", "--workers=3", "--origin=https://a", "--origin=https://b", "--rate=5"]
    )
    program, *words = command(options, [parse("tls:7"), parse("unix:/a")])
    assert program == sys.executable
    given = words[words.index("livechat") + 1 :]
    assert given[:2] == ["--listen=tls:loopback:7", "--listen=unix:/a:mode=660"]
    assert sorted(given[2:]) == [
        "--origin=https://a",
        "--origin=https://b",
        "--rate=5",
        "--workers=3",
    ]


def test_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was killed leaves one directory at most; one that somebody else made is not used."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    first = _in_memory("7")
    (first / "counter_1.db").touch()
    assert _in_memory("7") == first
    assert list(first.iterdir()) == []
    assert first.stat().st_mode & 0o777 == 0o700
    first.rmdir()
    (tmp_path / "elsewhere").mkdir()
    first.symlink_to(tmp_path / "elsewhere")
    other = _in_memory("7")
    assert other != first
    assert other.parent == tmp_path
    assert _in_memory("8") not in (first, other)


def test_started(workers: Workers, reactor: Reactor) -> None:
    """Each has its number."""
    assert [process.number for process in reactor.started] == ["1", "2"]


def test_ready(workers: Workers, reactor: Reactor) -> None:
    """It is said once, when all of them are."""
    with capturedLogs() as events:
        for number, process in enumerate(reactor.started, 1):
            process.says(f"2026-11-25T00:35:44+0000 [livechat#info] {ready(number)}\n")
        reactor.started[0].says(f"2026-11-25T00:35:44+0000 [livechat#info] {ready(1)}\n")
    said = texts(events)
    assert [text for text in said if "with 2 workers" in text] == said[2:3]


def test_started_again(workers: Workers, reactor: Reactor) -> None:
    """One that ends is started again, after longer and longer pauses while it does not last."""
    pause = PAUSE
    for _ in range(10):
        count = len(reactor.started)
        with capturedLogs() as events:
            reactor.started[-1].end()
        assert texts(events) == [
            f"Worker 2 has ended: exit code 1; it is started again in {pause:g} seconds."
        ]
        reactor.advance(pause - 0.01)
        assert len(reactor.started) == count
        reactor.advance(0.01)
        assert len(reactor.started) == count + 1
        pause = min(2 * pause, LONGEST_PAUSE)
    reactor.advance(LASTED)
    count = len(reactor.started)
    reactor.started[-1].end()
    reactor.advance(PAUSE)
    assert len(reactor.started) == count + 1
    assert reactor.started[-1].number == "2"


def test_stopping(workers: Workers, reactor: Reactor) -> None:
    """It is done when all of them are; one that is about to be started is not."""
    one, two = reactor.started
    two.end()
    stopped = workers.stopService()
    assert one.signals == ["TERM"]
    assert not stopped.called
    one.end()
    assert stopped.called
    reactor.advance(LONGEST_PAUSE)
    assert len(reactor.started) == 2
    assert one.signals == ["TERM"]
    assert reactor.getDelayedCalls() == []


def test_one_that_does_not_stop(workers: Workers, reactor: Reactor) -> None:
    """It is killed."""
    one, two = reactor.started
    stopped = workers.stopService()
    one.end()
    reactor.advance(GRACE)
    assert (one.signals, two.signals) == (["TERM"], ["TERM", "KILL"])
    two.end()
    assert stopped.called


def test_renewal(workers: Workers, reactor: Reactor) -> None:
    """SIGHUP is passed on, until it is stopped."""
    handler: Any = signal.getsignal(signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGHUP)
    assert [process.signals for process in reactor.started] == [["HUP"], ["HUP"]]
    for process in reactor.started:
        process.end()
    workers.stopService()
    assert signal.getsignal(signal.SIGHUP) != handler


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("T [livechat#info] hello", [("info", "hello")]),
        ("T [livechat#error] no", [("error", "no")]),
        ("T [livechat.x.Y#warn] so", [("warn", "[livechat.x.Y] so")]),
        ("T [twisted.internet.base#info] Main loop terminated.", []),
        ("T [-] (Port 10443 closed)", []),
        ("T [twisted.x#critical] Unhandled", [("critical", "[twisted.x] Unhandled")]),
        ("\tTraceback", [("info", "\tTraceback")]),
        ("T [x#nonsense] y", [("info", "[x] y")]),
        ("{braces} [and", [("info", "{braces} [and")]),
        ("", [("info", "")]),
    ],
)
def test_what_it_says(
    workers: Workers, reactor: Reactor, line: str, expected: list[tuple[str, str]]
) -> None:
    """Its lines are logged without its time, by their level, as the worker's."""
    with capturedLogs() as events:
        reactor.started[1].says(line[:3])
        reactor.started[1].says(line[3:] + "\n")
    levels = [event["log_level"].name for event in events]
    assert list(zip(levels, texts(events), strict=True)) == expected
    assert {event["log_namespace"] for event in events} <= {"worker 2"}


def test_the_last_words(workers: Workers, reactor: Reactor) -> None:
    """What was not ended by a line's end is logged too, and what has none is not kept."""
    with capturedLogs() as events:
        reactor.started[0].says("livechat: --port: no", descriptor=2)
        assert events == []
        reactor.started[0].end()
        reactor.started[1].says("x" * (LONGEST_LINE + 1))
    assert texts(events)[0] == "livechat: --port: no"
    assert len(texts(events)[2]) == LONGEST_LINE
