"""`livechat.daemon.supervisor`, on a clock, with doubles of processes."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import capturedLogs

from livechat.command_line import Options
from livechat.daemon.lifeline import ready
from livechat.daemon.supervisor import GRACE, SILENT, START_WITHIN, Workers, _in_memory, command
from livechat.daemon.worker import LASTED, LONGEST_PAUSE, PAUSE
from livechat.errors import StartError
from livechat.protocol.counts import counted
from tests.support.workers import Reactor, Sockets, texts


@pytest.fixture
def reactor() -> Reactor:
    return Reactor()


@pytest.fixture
def workers(reactor: Reactor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    made = Workers(reactor, ["program"], 2, Sockets(), 7)  # type: ignore[arg-type]
    made.startService()
    yield made
    if made.running:
        made.stopService()


def test_a_worker_has_the_command_line_of_its_parent() -> None:
    """A worker is started with what the parent was given on its command line."""
    options = Options()
    options.parseOptions(
        ["--port=0", "--workers=3", "--origin=https://a", "--origin=https://b", "--rate=5"]
    )
    program, *words = command(options, 7)
    assert program == sys.executable
    given = words[words.index("livechat") + 1 :]
    assert given[0] == "--port=7"
    assert sorted(given[1:]) == [
        "--origin=https://a", "--origin=https://b", "--rate=5", "--workers=3",
    ]  # fmt: skip


def test_figures_of_a_killed_supervisor_are_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed supervisor's directory of figures is used again; one made by others is not."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    first = _in_memory(7)
    (first / "counter_1.db").touch()
    assert _in_memory(7) == first
    assert list(first.iterdir()) == []
    assert first.stat().st_mode & 0o777 == 0o700
    first.rmdir()
    (tmp_path / "elsewhere").mkdir()
    first.symlink_to(tmp_path / "elsewhere")
    other = _in_memory(7)
    assert other != first
    assert other.parent == tmp_path
    assert _in_memory(8) not in (first, other)


def test_each_worker_has_its_number(workers: Workers, reactor: Reactor) -> None:
    """Each worker has its number."""
    assert [process.number for process in reactor.started] == ["1", "2"]


def test_readiness_of_all_workers_is_one_line(workers: Workers, reactor: Reactor) -> None:
    """The log has one line when all workers are ready."""
    with capturedLogs() as events:
        for number, process in enumerate(reactor.started, 1):
            process.says(f"2026-11-25T00:35:44+0000 [livechat#info] {ready(number)}\n")
        reactor.started[0].says(f"2026-11-25T00:35:44+0000 [livechat#info] {ready(1)}\n")
    said = texts(events)
    assert [text for text in said if "with 2 workers" in text] == said[2:3]


def test_a_worker_that_ends_is_started_again(workers: Workers, reactor: Reactor) -> None:
    """A worker that ends is started again, after longer and longer pauses until one lasts."""
    pause = PAUSE
    for _ in range(10):
        count = len(reactor.started)
        with capturedLogs() as events:
            reactor.started[-1].end()
        assert texts(events) == [
            f"Worker 2 has ended: exit code 1; it is started again in {counted(pause, 'second')}."
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


def test_stopping_ends_with_the_last_worker(workers: Workers, reactor: Reactor) -> None:
    """Stopping ends with the last worker; a worker that waits for its restart is not started."""
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


def test_a_worker_that_does_not_stop_is_killed(workers: Workers, reactor: Reactor) -> None:
    one, two = reactor.started
    stopped = workers.stopService()
    one.end()
    reactor.advance(GRACE)
    assert (one.signals, two.signals) == (["TERM"], ["TERM", "KILL"])
    two.end()
    assert stopped.called


def test_sighup_is_passed_on_to_workers(workers: Workers, reactor: Reactor) -> None:
    """SIGHUP is passed on to the workers until the supervisor stops."""
    handler: Any = signal.getsignal(signal.SIGHUP)
    reactor.started[0].reports()
    os.kill(os.getpid(), signal.SIGHUP)
    assert [process.signals for process in reactor.started] == [["HUP"], []]
    # By default the signal kills, and a worker that has just begun has no handler yet.
    reactor.started[1].reports()
    assert reactor.started[1].signals == ["HUP"]
    for process in reactor.started:
        process.end()
    workers.stopService()
    assert signal.getsignal(signal.SIGHUP) != handler


def test_a_reload_ends_with_the_last_renewal(workers: Workers, reactor: Reactor) -> None:
    """A reload is over when all workers have renewed, or are gone."""
    told: list[bool] = []
    workers.around = told.append
    one, two = reactor.started
    for process in (one, two):
        process.reports(renewed=3)
    workers.renew()
    assert told == [True]
    one.reports(renewed=3)
    one.reports(renewed=4)
    assert told == [True]
    two.end()
    one.reports(renewed=4)
    assert told == [True, False]
    one.end()
    workers.renew()
    assert told == [True, False] * 2


def test_a_worker_that_stands_still(workers: Workers, reactor: Reactor) -> None:
    """A worker that stops reporting is killed under systemd's watchdog, and no other."""
    one, two = reactor.started
    two.reports()
    for _ in range(4):
        one.reports()
        reactor.advance(SILENT / 3)
        with capturedLogs() as events:
            workers.alive()
    assert (one.signals, two.signals) == ([], ["KILL"])
    assert texts(events) == ["Worker 2 has not reported for 30 seconds, and is killed."]


def test_a_worker_that_does_not_start(workers: Workers, reactor: Reactor) -> None:
    """A worker that has not started may be silent for longer: a busy machine starts slowly."""
    one, two = reactor.started
    one.reports()
    reactor.advance(START_WITHIN)
    one.reports()
    workers.alive()
    assert two.signals == []
    reactor.advance(1)
    workers.alive()
    assert (one.signals, two.signals) == ([], ["KILL"])


def test_a_start_without_a_socket_is_tried_again(
    workers: Workers, reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that fails for want of a socket is retried like a worker that ends."""
    sockets: Any = workers._sockets
    taken = sockets.take

    def take(place: int) -> Any:
        raise StartError("--port: 7 is taken")

    monkeypatch.setattr(sockets, "take", take)
    with capturedLogs() as events:
        reactor.started[0].end()
        reactor.advance(PAUSE)
    assert "has ended: --port: 7 is taken; it is started again in 1 second." in texts(events)[1]
    assert sockets.dropped == [1, 1]
    monkeypatch.setattr(sockets, "take", taken)
    reactor.advance(1)
    assert [each.number for each in reactor.started] == ["1", "2", "1"]
