"""`livechat.daemon.supervision`."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.testing import MemoryReactorClock

from livechat.command_line import Options
from livechat.daemon import supervision
from livechat.errors import StartError
from livechat.net import listening
from livechat.net.activation import Inherited
from tests.support.services import config


def supervised(directory: Path, *given: Inherited, **options: str) -> Any:
    parsed = Options()
    parsed.parseOptions(["--port=0"])
    asked = config(directory, workers="2", redis="redis://localhost:1", **options)
    return supervision.supervise(asked, parsed, cast("Any", MemoryReactorClock()), given)


def test_systemd_is_told_until_the_end(tmp_path: Path) -> None:
    """Systemd is told until the end; renewals stop before the workers do."""
    daemon = supervised(tmp_path)
    assert [each.name for each in daemon] == [
        "systemd", "announcement", "workers", "rolling", "departure",
    ]  # fmt: skip
    daemon.getServiceNamed("workers")._sockets.close()


def test_supervising_ends_no_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new password signs all out at the workers, so the process that starts them is not told."""
    daemon = supervised(tmp_path)
    daemon.getServiceNamed("workers")._sockets.close()
    assert (tmp_path / "state" / "admin-password").exists()
    assert not (tmp_path / "state" / "operators.json").exists()


def test_a_draining_worker_is_not_killed(tmp_path: Path) -> None:
    """A worker that drains is not killed for it."""
    daemon = supervised(tmp_path, drain="30s", linger="5")
    workers: Any = daemon.getServiceNamed("workers")
    assert workers.grace == 12 + 35
    workers._sockets.close()


def test_sockets_that_were_handed_over(tmp_path: Path) -> None:
    """All workers get inherited sockets, and no port is reserved."""
    with socket.create_server(("127.0.0.1", 0)) as given:
        daemon = supervised(tmp_path, Inherited("tls", given), interface="203.0.113.7")
        workers: Any = daemon.getServiceNamed("workers")
        assert workers._sockets.take(2) == (Inherited("tls", given),)


def test_a_failed_start_frees_the_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The port is free again."""
    reserved: list[Any] = []

    def reserve(*address: Any) -> Any:
        reserved.extend(listening.reserve(*address))
        return reserved

    monkeypatch.setattr(supervision, "reserve", reserve)
    with pytest.raises(StartError):
        supervised(tmp_path, certificate="x")
    assert {each.socket.fileno() for each in reserved} == {-1}
