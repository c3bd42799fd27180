"""Connections leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.live.daemon import TWISTD, Daemon, eventually
from tests.live.loadgen import load

pytestmark = pytest.mark.alone

#: Bytes that thousands of connections may leave, for the allocator's sake.
SOME = 3 * 1024 * 1024


@pytest.fixture(scope="module")
def twistd() -> str:
    """The program itself: the memory of a fork is not all its own."""
    return TWISTD


def test_connections_leave_nothing(start: Callable[..., Daemon]) -> None:
    """After thousands of connects and disconnects a daemon is as large as after the first ones."""
    daemon = start("--max-connections-per-ip=0")
    daemon.curl("-d", "message=x", f"{daemon.url}/chat/send/")  # opens the database
    sockets = daemon.sockets()
    for hang_up in ("--hard-close", "--resume"):
        storm = ("--mode=connect", "--conns=50", "--conc=16", "--warmup=0", hang_up)
        load(daemon, *storm, "--duration=2")
        before = daemon.memory()
        report = load(daemon, *storm, "--duration=4")
        assert report["failed_conns"] == 0
        assert report["conns_open"] > 500
        eventually(lambda: daemon.sockets() <= sockets)
        assert daemon.memory() - before < SOME
