"""`livechat.daemon.lifeline`."""

from __future__ import annotations

import os
from typing import Any

import pytest
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from livechat.daemon.lifeline import Lifeline, ready


@pytest.fixture
def reactor() -> Any:
    return MemoryReactorClock()


def test_ready(reactor: Any) -> None:
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
