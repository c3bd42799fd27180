"""`livechat.net.access`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from twisted.logger import capturedLogs

from livechat.net.access import STANDARD, AccessLog
from tests.support import HANDSHAKE, Port, World


@pytest.fixture
def access(tmp_path: Path) -> Iterator[AccessLog]:
    made = AccessLog(tmp_path / "access.log")
    yield made
    made.close()


@pytest.fixture
def ask(port: Port, tmp_path: Path, access: AccessLog) -> Callable[..., list[str]]:
    """Asks for something, and says what is in the log then."""
    path = tmp_path / "access.log"
    logged = Port(port.world, access=access)

    def ask(target: str, **headers: str) -> list[str]:
        logged.ask("GET", target, **headers)
        return path.read_text(encoding="utf-8").splitlines()

    return ask


def test_a_line_for_each_request(ask: Callable[..., list[str]]) -> None:
    """A request's line is in the combined log format, with today's date."""
    (line,) = ask("/healthz?x=1", User_Agent="me", Referer="https://a/")
    assert re.fullmatch(
        r'"192\.0\.2\.1" - - \[\d\d/\w{3}/20\d\d:\d\d:\d\d:\d\d \+0000\]'
        r' "GET /healthz\?x=1 HTTP/1\.1" 200 15 "https://a/" "me"',
        line,
    )


def test_nothing_gets_out_of_its_line(ask: Callable[..., list[str]]) -> None:
    """Quotes, escapes and line breaks are shown, not written."""
    lines = ask('/no"where', User_Agent='a"b\x1b[31m\x85c', Referer="x\x0by")
    assert len(lines) == 1
    assert "\x1b" not in lines[0]
    assert lines[0].count('"') == lines[0].count('\\"') + 8


def test_rotation(port: Port, tmp_path: Path, access: AccessLog) -> None:
    """When logrotate has moved the file away, the next line begins a new one."""
    path = tmp_path / "access.log"
    logged = Port(port.world, access=access)
    logged.ask("GET", "/healthz")
    path.rename(tmp_path / "access.log.1")
    logged.ask("GET", "/healthz")
    assert len(path.read_text().splitlines()) == 1


def test_a_log_that_cannot_be_written(port: Port, tmp_path: Path) -> None:
    """Requests are answered though the log cannot be written."""
    logged = Port(port.world, access=AccessLog(tmp_path / "missing" / "access.log"))
    assert logged.ask("GET", "/healthz").status == 200


def test_standard(port: Port) -> None:
    """The lines can go to the daemon's own log, and are not taken for formats there."""
    logged = Port(port.world, access=AccessLog(STANDARD))
    with capturedLogs() as events:
        logged.ask("GET", "/{log_format}")
    lines = [event["line"] for event in events if "line" in event]
    assert len(lines) == 1
    assert "/{log_format}" in lines[0]


def test_off(make_world: Callable[..., World], port: Port) -> None:
    """Without the option nothing is logged, messages and rooms least of all."""
    with capturedLogs() as events:
        port.ask("GET", "/chat/history/")
        port.socket().says("secret")
        port.ask("GET", "/ws/chat/a%2Fb/", **HANDSHAKE)
    assert events == []
