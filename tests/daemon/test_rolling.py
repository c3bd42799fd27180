"""`livechat.daemon.rolling`, on a clock, with processes that are none."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import capturedLogs

from livechat.daemon.edition import Edition, UnknownError
from livechat.daemon.lifeline import LEAVE, ready
from livechat.daemon.rolling import READY_WITHIN, NotRenewed, Rolling
from livechat.daemon.supervisor import Workers
from livechat.daemon.worker import PAUSE
from tests.support.workers import Process, Reactor, Sockets, texts

OWN = Edition("1", "3", 1)
NEW = Edition("2", "3", 1)


class World:
    """A supervisor of two workers that serve, and its renewals."""

    def __init__(self) -> None:
        self.reactor = Reactor()
        self.sockets = Sockets()
        self.workers = Workers(
            self.reactor,  # type: ignore[arg-type]
            ["program"],
            2,
            self.sockets,
            7,
            leave_within=30,
        )
        self.version: Deferred[Edition] = succeed(NEW)
        self.rolling = Rolling(
            self.reactor,  # type: ignore[arg-type]
            self.workers,
            OWN,
            lambda: self.version,
        )
        self.workers.startService()
        self.rolling.startService()
        for process in self.started:
            serve(process)

    @property
    def started(self) -> list[Process]:
        return self.reactor.started

    def ask(self) -> list[str]:
        """Send SIGUSR2; return the lines of the log."""
        with capturedLogs() as events:
            os.kill(os.getpid(), signal.SIGUSR2)
        return texts(events)

    def wait(self, seconds: float = 0.2) -> list[str]:
        """Pass time; return the lines of the log."""
        with capturedLogs() as events:
            self.reactor.pump([0.1] * round(seconds / 0.1))
        return texts(events)

    def places(self) -> list[Any]:
        """The processes that have a place."""
        return [each._transport for each in self.workers]


def serve(process: Process) -> None:
    process.says(f"2026-11-25T00:35:44+0000 [livechat#info] {ready(int(process.number))}\n")
    process.reports()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    before = signal.getsignal(signal.SIGUSR2)
    made = World()
    yield made
    for service in (made.rolling, made.workers):
        if service.running:
            service.stopService()
    signal.signal(signal.SIGUSR2, before)


def test_one_after_the_other(world: World) -> None:
    """An old worker is told to go when the new one serves, and the next has its turn then."""
    one, two = world.started
    assert world.ask() == ["2 workers are renewed: livechat 2."]
    new = world.started[2]
    assert (new.number, new.figures) == ("1", "3")
    world.wait(5)
    assert (one.told, world.places()) == (b"", [one, two])
    assert world.rolling.status == "renewing worker 1 of 2"
    serve(new)
    world.wait()
    assert (one.told, one.signals) == (LEAVE, [])
    assert world.places() == [new, two]
    world.wait(20)
    assert len(world.started) == 3
    one.end(code=0)
    world.wait()
    other = world.started[3]
    assert (other.number, other.figures) == ("2", "4")
    serve(other)
    world.wait()
    two.end(code=0)
    assert world.wait() == ["All workers are renewed: livechat 2."]
    assert world.places() == [new, other]
    assert world.rolling.status == ""
    assert world.sockets.dropped == []


def test_figures_of_a_place_alternate(world: World) -> None:
    """The next renewal takes the numbers before: there are never more than two for a place."""
    for count in (2, 4):
        world.ask()
        for place in (0, 1):
            old = world.places()[place]
            serve(world.started[count + place])
            world.wait()
            old.end(code=0)
            world.wait()
    assert [each.figures for each in world.started] == ["1", "2", "3", "4", "1", "2"]


def test_a_second_signal_is_ignored(world: World) -> None:
    """SIGUSR2 during a renewal is ignored, with a line in the log."""
    world.ask()
    assert world.ask() == ["SIGUSR2 is ignored: it is renewing worker 1 of 2 already."]
    assert len(world.started) == 3


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (Edition("2", "4", 1), "livechat 2 keeps rooms in layout 4"),
        (Edition("2", "3", 2), "livechat 2 wants another supervisor"),
        (UnknownError("it ends: SyntaxError"), "cannot be asked for its version: it ends: Syntax"),
    ],
)
def test_versions_that_do_not_go_along(
    world: World, version: Edition | UnknownError, said: str
) -> None:
    """Nothing is done, and the log says that a full restart is needed, or what is broken."""
    world.version = succeed(version) if isinstance(version, Edition) else fail(version)
    (line,) = world.ask()
    assert said in line
    assert line.startswith("SIGUSR2: no worker is renewed.")
    assert ("a full restart is needed" in line) == isinstance(version, Edition)
    assert len(world.started) == 2
    world.version = succeed(NEW)
    world.ask()
    assert len(world.started) == 3


def test_a_new_worker_that_crashes(world: World) -> None:
    """The renewal ends, and all stays as it was."""
    one, two = world.started
    world.ask()
    with capturedLogs() as events:
        world.started[2].end()
    assert texts(events) == ["The new worker 1 has ended: exit code 1."]
    (line,) = world.wait()
    assert line.startswith("The renewal ends: the new worker 1 has ended.")
    assert world.places() == [one, two]
    world.wait(100)
    assert len(world.started) == 3
    assert one.told == two.told == b""
    assert world.sockets.dropped == []


def test_a_new_worker_that_does_not_serve(world: World) -> None:
    """A new worker that does not serve in time is ended, and the log has the reason."""
    one, two = world.started
    world.ask()
    new = world.started[2]
    new.reports(trouble="Redis cannot be used: it is not connected yet")
    assert world.wait(READY_WITHIN - 0.5) == []
    (line,) = world.wait(1)
    assert "was not ready within 60 seconds: Redis cannot be used" in line
    assert world.places() == [one, two]
    assert new.signals == ["TERM"]
    # A worker that ignores SIGTERM is killed.
    world.wait(world.workers.grace)
    assert new.signals == ["TERM", "KILL"]
    # The next renewal waits for it, whose figures it takes.
    world.ask()
    world.wait(5)
    assert len(world.started) == 3
    new.end()
    world.wait()
    assert (world.started[3].number, world.started[3].figures) == ("1", "3")


def test_an_old_worker_that_stays(world: World) -> None:
    """An old worker that does not leave in time is killed, and the renewal goes on."""
    one, _ = world.started
    world.ask()
    serve(world.started[2])
    world.wait(world.workers.grace + 1)
    assert one.signals == ["KILL"]
    one.end()
    world.wait()
    assert world.started[3].number == "2"


def test_an_old_worker_is_killed_while_it_drains(world: World) -> None:
    """The new one has its place already; nobody else is started, and no socket is dropped."""
    one, _ = world.started
    world.ask()
    serve(world.started[2])
    world.wait()
    with capturedLogs() as events:
        one.end()
    assert texts(events) == ["The old worker 1 has ended: exit code 1."]
    world.wait()
    assert [each.number for each in world.started] == ["1", "2", "1", "2"]
    assert world.sockets.dropped == []


def test_an_old_worker_dies_before_the_new_one_serves(world: World) -> None:
    """The old worker is started again, until the new one takes its place."""
    one, two = world.started
    world.ask()
    one.end()
    world.wait(PAUSE + 0.2)
    again = world.started[3]
    assert again.number == "1"
    assert world.sockets.dropped == []
    serve(world.started[2])
    world.wait()
    assert again.told == LEAVE
    assert world.places() == [world.started[2], two]


def test_the_new_worker_takes_over_from_a_dead_one(world: World) -> None:
    """A dead worker is not started again once the new one serves in its place."""
    one, _ = world.started
    world.ask()
    one.end()
    serve(world.started[2])
    world.wait(1)
    assert [each.number for each in world.started] == ["1", "2", "1", "2"]


def test_the_new_worker_dies_later(world: World) -> None:
    """A new worker that dies in its place is started again, and the renewal goes on."""
    one, _ = world.started
    world.ask()
    new = world.started[2]
    serve(new)
    world.wait()
    new.end()
    one.end(code=0)
    world.wait(PAUSE + 0.3)
    assert sorted(each.number for each in world.started[3:]) == ["1", "2"]


def test_sigterm_during_a_renewal(world: World) -> None:
    """All end: those that serve, the new one, and the one that drains."""
    one, two = world.started
    world.ask()
    new = world.started[2]
    serve(new)
    world.wait()
    one.end(code=0)
    world.wait()
    other = world.started[3]
    world.rolling.stopService()
    stopped = world.workers.stopService()
    assert [each.signals for each in (new, two, other)] == [["TERM"]] * 3
    assert world.sockets.closed
    for each in (new, two):
        each.end(code=0)
    assert not stopped.called
    other.end(code=0)
    assert stopped.called
    world.wait(100)
    assert len(world.started) == 4
    assert world.ask() == []
    assert world.reactor.getDelayedCalls() == []


def test_sigterm_while_the_old_one_drains(world: World) -> None:
    one, two = world.started
    world.ask()
    new = world.started[2]
    serve(new)
    world.wait()
    world.rolling.stopService()
    stopped = world.workers.stopService()
    assert one.signals == ["TERM"]
    for each in (new, two, one):
        assert not stopped.called
        each.end(code=0)
    assert stopped.called


def test_sigterm_while_the_version_is_asked_for(world: World) -> None:
    world.version = Deferred()
    world.ask()
    assert world.rolling.status == "renewing worker 1 of 2"
    with capturedLogs() as events:
        world.rolling.stopService()
    assert texts(events) == ["The renewal of workers ends here: livechat stops."]
    assert len(world.started) == 2


def test_sighup_during_a_renewal(world: World) -> None:
    """The new one renews too, but only once it can."""
    world.ask()
    new = world.started[2]
    os.kill(os.getpid(), signal.SIGHUP)
    assert new.signals == []
    new.reports()
    assert new.signals == ["HUP"]


@pytest.mark.parametrize("worker", [False, True])
def test_processes_that_renew_nothing(worker: bool) -> None:
    """SIGUSR2 kills nobody: the log says what to do instead."""
    before = signal.getsignal(signal.SIGUSR2)
    try:
        service = NotRenewed(Reactor(), worker=worker)  # type: ignore[arg-type]
        service.startService()
        with capturedLogs() as events:
            os.kill(os.getpid(), signal.SIGUSR2)
        (line,) = texts(events)
        assert (f"it is for process {os.getppid()}" if worker else "Restart it") in line
        service.stopService()
        os.kill(os.getpid(), signal.SIGUSR2)
    finally:
        signal.signal(signal.SIGUSR2, before)
