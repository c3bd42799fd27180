"""`livechat.service`."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.epollreactor import EPollReactor

from livechat.command_line import Options
from livechat.errors import StartError
from livechat.net.dispatch import Dispatch
from livechat.service import _working_directory, makeService
from tests.support.services import memory_reactor


def given(directory: Path, *arguments: str) -> Options:
    """Options as twistd hands them over, with its own --rundir."""
    options = Options()
    twistd: Any = {"rundir": str(directory)}
    options.parent = twistd
    options.parseOptions(arguments)
    return options


def test_a_taken_port_is_told_before_anything_is_made(tmp_path: Path) -> None:
    """If the port is taken that is one line, and no file was made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = given(tmp_path, f"--port={taken.getsockname()[1]}")
        with pytest.raises(SystemExit) as caught:
            makeService(options, memory_reactor())
    assert "taken" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--port=x"], "--port"),
        (["--interface=203.0.113.7"], "no address"),
        (["--certificate=missing"], "cannot read"),
        (["--state=/dev/null/x"], "--state"),
    ],
)
def test_one_clear_line(tmp_path: Path, arguments: list[str], expected: str) -> None:
    """Any fault ends the daemon with one line that says what."""
    with pytest.raises(SystemExit) as caught:
        makeService(given(tmp_path, "--port=0", *arguments), memory_reactor())
    text = str(caught.value)
    assert text.startswith("livechat: ")
    assert expected in text
    assert "\n" not in text


def test_the_rundir_counts_before_the_change(tmp_path: Path) -> None:
    """The --rundir of twistd counts before twistd has gone there; a missing one is told."""
    assert _working_directory(Options()) == Path.cwd()
    assert _working_directory(given(tmp_path)) == tmp_path
    with pytest.raises(StartError, match="--rundir"):
        _working_directory(given(tmp_path / "missing"))


def test_the_clock_is_monotonic(tmp_path: Path) -> None:
    """The reactor's time is monotonic before anything is built on it."""
    reactor = memory_reactor()
    with pytest.raises(SystemExit):
        makeService(given(tmp_path, "--port=x"), reactor)
    assert reactor.seconds is time.monotonic


def test_epoll_gets_the_dispatch(tmp_path: Path) -> None:
    """A reactor on epoll gets livechat's dispatch."""
    reactor: Any = EPollReactor()
    with pytest.raises(SystemExit):
        makeService(given(tmp_path, "--port=x"), reactor)
    assert isinstance(reactor.doIteration.__self__, Dispatch)
    reactor.waker.connectionLost(None)
