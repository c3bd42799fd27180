"""`livechat.daemon.lifeline`."""

from __future__ import annotations

import os
from typing import Any

import msgspec
import pytest
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from livechat.daemon.lifeline import (
    AGREED,
    LEAVE,
    TERMS,
    Lifeline,
    Reports,
    WorkerReport,
    check_terms,
    ready,
)
from livechat.errors import StartError


@pytest.fixture
def reactor() -> Any:
    return MemoryReactorClock()


def test_the_supervisor_is_told_of_readiness(reactor: Any) -> None:
    """The supervisor is told in the log that the worker accepts connections."""
    lifeline = Lifeline(reactor, 3)
    with capturedLogs() as events:
        lifeline.startService()
    assert [event["text"] for event in events] == [ready(3)]
    (watched,) = reactor.getReaders()
    assert watched.fileno() == 0
    lifeline.stopService()
    assert reactor.getReaders() == []


def test_the_supervisor_is_gone(reactor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the standard input stops the worker; nothing else on it does."""
    lifeline = Lifeline(reactor, 1)
    lifeline.startService()
    (watched,) = reactor.getReaders()
    given: list[Any] = [b"noise", BlockingIOError(), b""]

    def read(fd: int, size: int) -> bytes:
        answer = given.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, bytes)
        return answer

    monkeypatch.setattr(os, "read", read)
    assert watched.doRead() is None
    assert watched.doRead() is None
    assert watched.doRead() is CONNECTION_LOST
    with capturedLogs() as events:
        watched.connectionLost(Failure(CONNECTION_LOST))
    assert "is gone" in events[0]["log_format"]
    assert reactor.hasStopped


def test_another_has_the_place(reactor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The word `LEAVE` on the standard input makes the worker leave; nothing else does."""
    left: list[bool] = []
    lifeline = Lifeline(reactor, 1, lambda: left.append(True))
    lifeline.startService()
    (watched,) = reactor.getReaders()
    given = [b"noise", b"leave", LEAVE]
    monkeypatch.setattr(os, "read", lambda *_: given.pop(0))
    for expected in ([], [], [True]):
        assert watched.doRead() is None
        assert left == expected


def test_reports_are_written_each_second(reactor: Any) -> None:
    """Reports are written once a second, and dropped while nobody reads them."""
    reading, writing = os.pipe()
    found = WorkerReport(3, 2, "no Redis", 1)
    reports = Reports(reactor, lambda: found, writing)
    reports.startService()
    reactor.advance(1)
    line = msgspec.json.encode(found) + b"\n"
    assert os.read(reading, 4_096) == line + line
    reactor.pump([1] * 5_000)
    os.close(reading)
    reactor.advance(1)
    reports.stopService()
    reactor.advance(1)
    assert reactor.getDelayedCalls() == []
    os.close(writing)


@pytest.mark.parametrize("given", [{}, {AGREED: str(TERMS + 1)}])
def test_a_supervisor_of_another_version(given: dict[str, str]) -> None:
    """A worker refuses to run under the supervisor of another version."""
    check_terms({AGREED: str(TERMS)})
    with pytest.raises(StartError, match="restart the whole service"):
        check_terms(given)
