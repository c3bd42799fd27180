"""`livechat.daemon.quiet`."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.application import app
from twisted.internet import protocol, reactor, tcp, unix
from twisted.logger import capturedLogs
from twisted.python import log

from livechat.daemon.quiet import quieten


@pytest.fixture
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put back what is replaced."""
    monkeypatch.setattr(app.AppLogger, "_initialLog", app.AppLogger._initialLog)
    for module in (tcp, unix):
        monkeypatch.setattr(module, "log", log)


@pytest.mark.usefixtures("_as_before")
def test_ports_open_and_close_without_a_line() -> None:
    """A port says nothing of itself; what goes wrong is logged."""
    quieten()
    factory = protocol.ServerFactory()
    factory.noisy = False
    ports: Any = tcp
    with capturedLogs() as events:
        port = tcp.Port(0, factory, interface="127.0.0.1", reactor=reactor)
        port.startListening()
        port._logConnectionLostMsg()
    port.stopReading()
    port._closeSocket(True)
    assert events == []
    assert (ports.log.err, ports.log.deferr) == (log.err, log.deferr)


@pytest.mark.usefixtures("_as_before")
def test_twistd_begins_without_lines() -> None:
    """The program does not name itself and its reactor before the first line."""
    quieten()
    with capturedLogs() as events:
        app.AppLogger({})._initialLog()
    assert events == []
