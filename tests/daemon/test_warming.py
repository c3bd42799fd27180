"""`livechat.daemon.warming`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from livechat.daemon import warming
from livechat.daemon.warming import AFTER, Warming, warm
from livechat.web import files
from livechat.web.html import Templates, environment, folder
from tests.support.services import memory_reactor


class Lane:
    """A thread that only notes what it is to do."""

    def __init__(self, *_: object) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.running = False

    def start(self) -> None:
        self.running = True

    def call(self, *asked: Any) -> Deferred[None]:
        self.calls.append(asked)
        return Deferred()

    def stop(self) -> None:
        self.running = False


def made(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Warming, Lane]:
    monkeypatch.setattr(warming, "Threads", Lane)
    reactor: Any = memory_reactor()
    service = Warming(reactor, Templates())
    lane: Any = service._thread
    return reactor, service, lane


def test_files_are_made_ready_later_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that come back at once are served first."""
    reactor, service, lane = made(monkeypatch)
    service.startService()
    reactor.advance(AFTER - 0.1)
    assert lane.calls == []
    reactor.advance(0.1)
    assert lane.calls == [(warm, folder("static"), service._templates)]
    reactor.advance(10 * AFTER)
    assert len(lane.calls) == 1
    service.stopService()
    assert not lane.running


def test_a_daemon_that_ended_makes_nothing_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that has ended makes nothing ready."""
    reactor, service, lane = made(monkeypatch)
    service.startService()
    service.stopService()
    reactor.advance(2 * AFTER)
    assert lane.calls == []
    assert reactor.getDelayedCalls() == []


def test_files_and_jinja_are_made_ready(tmp_path: Path) -> None:
    """Files are bundled, and Jinja is loaded; nothing was before."""
    (tmp_path / "chat").mkdir()
    (tmp_path / "chat" / "a.css").write_text("a")
    environment.cache_clear()
    read = files.read(tmp_path)
    assert "_made" not in vars(read)
    warm(tmp_path, Templates("/p"))
    assert "_made" in vars(read)
    assert environment.cache_info().misses == 1
