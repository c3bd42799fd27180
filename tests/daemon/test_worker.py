"""`livechat.daemon.worker`."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.error import ProcessExitedAlready
from twisted.logger import capturedLogs

from livechat import metrics
from livechat.config import WORKER
from livechat.daemon.lifeline import LEAVE, REPORTS, WorkerReport, ready
from livechat.daemon.worker import LONGEST_LINE, Worker, descriptors
from tests.support.workers import Process, texts


class Owner:
    """A supervisor that records its calls."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.process: Process | None = None
        self.now = 0.0

    def heard(self, worker: Worker) -> None:
        self.told.append("heard")

    def ended(self, worker: Worker, reason: str) -> None:
        self.told.append(reason)

    def spawn(self, protocol: Any) -> Any:
        self.process = Process(protocol, {WORKER: "2", metrics.NUMBER: "2"})
        return self.process


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def worker(owner: Owner) -> Worker:
    """Start a worker with the number 2."""
    made = Worker(2, owner)
    made.begin(owner.spawn, lambda: owner.now)
    return made


@pytest.fixture
def process(owner: Owner, worker: Worker) -> Process:
    assert owner.process is not None
    return owner.process


def test_a_worker_accepts_before_it_serves(worker: Worker, owner: Owner, process: Process) -> None:
    """A worker accepts connections before it serves: its store may be away."""
    process.says(f"T [livechat#info] {ready(2)}\n")
    assert worker.ready
    assert not worker.serves
    process.reports(trouble="no Redis")
    assert not worker.serves
    owner.now = 7.0
    process.reports(members=5, rooms=2)
    assert worker.serves
    assert worker.report == WorkerReport(5, 2)
    assert worker.heard == 7.0
    assert owner.told == ["heard"] * 3
    process.end(code=0)
    assert (worker.running, worker.serves, worker.ready) == (False, False, True)
    assert owner.told[3:] == ["exit code 0"]


def test_reports_that_cannot_be_read(worker: Worker, process: Process) -> None:
    """Each unreadable report is one log line, and an endless line is not kept."""
    with capturedLogs() as events:
        process.protocol.childDataReceived(REPORTS, b"no\n{}\n" + b"x" * (LONGEST_LINE + 1))
        process.protocol.childDataReceived(REPORTS, b'{"members":1')
    assert texts(events) == ["Its report cannot be read."] * 2
    assert worker.report == WorkerReport()


def test_a_leaving_worker_is_told_once(worker: Worker, process: Process) -> None:
    """A worker that leaves is told so once, and its lines are an "old worker"'s."""
    worker.leave()
    assert process.told == LEAVE
    with capturedLogs() as events:
        process.says("T [livechat#info] livechat is stopping.\n")
    assert events[0]["log_namespace"] == "old worker 2"
    process.end(code=0)
    worker.leave()
    worker.signal("TERM")
    assert process.signals == []


def test_children_do_not_keep_the_place_of_an_exited_worker(
    worker: Worker, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pipes of a process that has exited are closed, whoever else has them."""

    def exited(name: str) -> None:
        raise ProcessExitedAlready

    monkeypatch.setattr(process, "signalProcess", exited)
    monkeypatch.setattr(process, "loseConnection", lambda: process.end(code=1), raising=False)
    worker.signal("KILL")
    assert not worker.running


def test_words_to_a_closed_pipe_are_dropped(
    worker: Worker, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words to a process with a closed pipe are dropped."""

    def gone(descriptor: int, data: bytes) -> None:
        raise KeyError(descriptor)

    monkeypatch.setattr(process, "writeToChild", gone)
    worker.leave()


def test_sockets_have_descriptors_from_three_on() -> None:
    """Sockets have the numbers from 3 on, as systemd passes them."""
    assert descriptors({3: 70, 4: 71}) == {0: "w", 1: "r", 2: "r", REPORTS: "r", 3: 70, 4: 71}


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
def test_lines_of_its_log(
    worker: Worker, process: Process, line: str, expected: list[tuple[str, str]]
) -> None:
    """A worker's lines are logged without their time, at their level, in its namespace."""
    with capturedLogs() as events:
        process.says(line[:3])
        process.says(line[3:] + "\n")
    levels = [event["log_level"].name for event in events]
    assert list(zip(levels, texts(events), strict=True)) == expected
    assert {event["log_namespace"] for event in events} <= {"worker 2"}


def test_the_last_line_is_logged_without_its_end(worker: Worker, process: Process) -> None:
    """The last line is logged without an end too; a line that is too long is cut."""
    with capturedLogs() as events:
        process.says("x" * (LONGEST_LINE + 1))
        process.says("livechat: --port: no", descriptor=2)
        assert len(events) == 1
        process.end()
    assert len(texts(events)[0]) == LONGEST_LINE
    assert texts(events)[1] == "livechat: --port: no"
