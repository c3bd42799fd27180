"""`livechat.daemon.systemd`, with a socket that is as systemd's."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs

from livechat.daemon.systemd import LONGEST_STATUS, Manager, Notifier, State, Systemd


class Heard:
    """A service manager's socket, and the messages that came there."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.setblocking(False)

    def __call__(self) -> list[str]:
        """The messages since the last call, each with its lines joined by blanks."""
        found = []
        while True:
            try:
                found.append(self._socket.recv(4_096).decode().replace("\n", " "))
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def heard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Heard]:
    """Make a service manager, with either kind of address."""
    by_path = request.param == "path"
    made = Heard(f"{tmp_path}/notify" if by_path else f"@livechat/{tmp_path}")
    yield made
    made.close()


class Server:
    """A double of the server that `Systemd` watches."""

    def __init__(self) -> None:
        self.state = State("3 members in 1 room.")
        self.answer: Deferred[Any] = succeed(None)

    def alive(self) -> Deferred[Any]:
        return self.answer


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def clock() -> Any:
    made: Any = MemoryReactorClock()
    made.whenRunningHooks = []
    made.callWhenRunning = made.whenRunningHooks.append
    return made


@pytest.fixture
def systemd(heard: Heard, server: Server, clock: Any) -> Iterator[Systemd]:
    manager = Manager.of({"NOTIFY_SOCKET": heard.address, "WATCHDOG_USEC": "10000000"})
    made = Systemd(clock, manager, lambda: server.state, server.alive)
    made.startService()
    yield made
    made.stopService()


def run(clock: Any) -> None:
    for hook in clock.whenRunningHooks:
        hook()


def test_variables_of_systemd_are_removed() -> None:
    """Systemd's variables are removed when read, and ignored if they name another process."""
    variables = {
        "NOTIFY_SOCKET": "/x",
        "WATCHDOG_USEC": "5000000",
        "WATCHDOG_PID": str(os.getpid()),
    }
    manager = Manager.of(variables)
    assert variables == {}
    assert manager.notifier.on
    assert manager.watchdog == 5
    for other in ({"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "-1"}):
        assert Manager.of({"WATCHDOG_USEC": "1", **other}).watchdog is None
    nobody = Manager.of({})
    assert not nobody.notifier.on
    assert not nobody.notifier.tell(READY=1)


def test_ready_only_when_it_serves(
    systemd: Systemd, heard: Heard, server: Server, clock: Any
) -> None:
    """A server that does not serve yet says what it waits for, and has systemd wait as well."""
    server.state = State("Not ready: no Redis.", serves=False, waits=True)
    assert heard() == []
    run(clock)
    waiting = "EXTEND_TIMEOUT_USEC=30000000 STATUS=Not ready: no Redis."
    assert heard() == [waiting, "WATCHDOG=1"]
    clock.advance(1)
    assert heard() == [waiting]
    server.state = State("3 members in 1 room.")
    clock.advance(1)
    assert heard() == ["READY=1 STATUS=3 members in 1 room."]
    clock.advance(1)
    assert heard() == []
    server.state = State("4 members in 1 room.")
    clock.advance(1)
    assert heard() == ["STATUS=4 members in 1 room."]
    # Readiness is told once; trouble after it changes the status, and systemd restarts nothing.
    server.state = State("Not ready: no Redis.", serves=False, waits=True)
    clock.advance(1)
    assert "STATUS=Not ready: no Redis." in heard()


def test_a_start_that_waits_for_nothing_asks_for_no_time(
    systemd: Systemd, heard: Heard, server: Server, clock: Any
) -> None:
    """A server that waits for nothing asks for no more time, so systemd's own timeout counts."""
    server.state = State("0 members at 0 of 2 workers.", serves=False)
    run(clock)
    assert heard()[0] == "STATUS=0 members at 0 of 2 workers."


def test_a_reload_has_its_monotonic_time(systemd: Systemd, heard: Heard, clock: Any) -> None:
    """A reload has its time by the monotonic clock, and ends as ready."""
    systemd.renewing(True)
    assert heard() == []
    run(clock)
    heard()
    before = time.monotonic_ns() // 1_000
    systemd.renewing(True)
    (line,) = heard()
    words = dict(each.split("=") for each in line.split())
    assert words["RELOADING"] == "1"
    assert before <= int(words["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1_000
    systemd.renewing(False)
    assert heard() == ["READY=1"]


def test_the_end_is_told_with_its_time(
    systemd: Systemd, heard: Heard, server: Server, clock: Any
) -> None:
    """The end is told, with how much longer it takes; signs of life go on until it is there."""
    run(clock)
    heard()
    systemd.stopping(0)
    assert heard() == ["STOPPING=1 STATUS=Stopping: clients are told to come back."]
    systemd.stopping(35)
    assert "EXTEND_TIMEOUT_USEC=65000000" in heard()[0]
    server.state = State("2 members in 1 room.")
    systemd.renewing(True)
    clock.pump([1] * 5)
    assert heard() == ["WATCHDOG=1"]
    systemd.stopService()
    clock.advance(60)
    assert heard() == []
    assert clock.getDelayedCalls() == []


def test_signs_of_life_need_parts_that_answer(
    systemd: Systemd, heard: Heard, server: Server, clock: Any
) -> None:
    """A sign of life comes at half of the time, and only where the parts answer, be it with no."""
    run(clock)
    assert "WATCHDOG=1" in heard()
    waiting: Deferred[Any] = Deferred()
    server.answer = waiting
    clock.advance(5)
    clock.advance(5)
    assert heard() == []
    waiting.callback(None)
    assert heard() == ["WATCHDOG=1"]
    server.answer = fail(ZeroDivisionError())
    clock.advance(5)
    assert heard() == ["WATCHDOG=1"]


def test_a_socket_that_is_gone(tmp_path: Path) -> None:
    """Failed messages are one log line a minute at most, and the next message is tried again."""
    now = [0.0]
    notifier = Notifier(f"{tmp_path}/notify", lambda: now[0])
    with capturedLogs() as events:
        for _ in range(5):
            assert not notifier.tell(STATUS="x")
        now[0] = 61
        assert not notifier.tell(STATUS="x")
    assert len(events) == 2
    assert "systemd cannot be told" in events[0]["log_format"]
    heard = Heard(f"{tmp_path}/notify")
    assert notifier.tell(STATUS="y")
    assert heard() == ["STATUS=y"]
    heard.close()
    notifier.close()
    assert not notifier.tell(STATUS="z")


@pytest.mark.parametrize("address", ["vsock:2:1234", "relative", "/" + "x" * 200])
def test_addresses_that_cannot_be_sent_to(address: str) -> None:
    notifier = Notifier(address)
    with capturedLogs() as events:
        assert not notifier.tell(READY=1)
    assert len(events) == 1
    notifier.close()


def test_a_reader_that_stands_still(tmp_path: Path) -> None:
    """Messages that do not fit into the socket are dropped, without waiting."""
    heard = Heard(f"{tmp_path}/notify")
    notifier = Notifier(heard.address)
    with capturedLogs():
        told = [notifier.tell(STATUS="x" * 1_000) for _ in range(5_000)]
    assert told[0]
    assert not told[-1]
    notifier.close()
    heard.close()


def test_a_long_state_is_cut(systemd: Systemd, heard: Heard, server: Server, clock: Any) -> None:
    server.state = State("x" * 10_000)
    run(clock)
    assert heard()[0] == "READY=1 STATUS=" + "x" * LONGEST_STATUS


def test_a_lost_readiness_is_sent_again(
    systemd: Systemd, heard: Heard, clock: Any, tmp_path: Path
) -> None:
    """A READY that could not be sent is sent again as soon as possible."""
    address = heard.address
    heard.close()
    if not address.startswith("@"):
        Path(address).unlink()
    with capturedLogs():
        run(clock)
    again = Heard(address)
    clock.advance(1)
    assert again() == ["READY=1 STATUS=3 members in 1 room."]
    again.close()
