"""Configurations and reactors for daemons that are not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.testing import MemoryReactorClock

from livechat.config import Config


def config(directory: Path, **options: str) -> Config:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return Config.of({"port": "0"} | named, {}, directory)


def memory_reactor() -> Any:
    return MemoryReactorClock()


def release(daemon: Any) -> None:
    """Close the sockets and the database of a daemon that was built, and not started."""
    for listening in daemon.getServiceNamed("port")._listening:
        listening.close()
    daemon.getServiceNamed("storage")._backend._database.release()
