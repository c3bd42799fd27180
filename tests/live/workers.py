"""Daemons of several workers."""

from __future__ import annotations

from tests.live.daemon import (
    Daemon,
)

WORKERS = 2


def ready(daemon: Daemon) -> Daemon:
    """Wait until all workers are."""
    daemon.log.wait_for(rf"is ready, with {WORKERS} workers")
    for number in range(1, WORKERS + 1):
        daemon.log.wait_for(rf"\[worker {number}#info\].* Redis at \S+ can be used")
    return daemon
