"""
Backends of rooms: one module or package each, imported only when it is chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from livechat.interfaces import IBackend

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

    from livechat.config import Config


def load(
    config: Config, reactor: PosixReactorBase, brought: Callable[[PosixReactorBase], IBackend]
) -> IBackend:
    """
    The backend that *config* asks for, ready to be started.

    Whatever can be found wrong before the daemon runs is found wrong here.

    @param brought: makes the backend that an extension brings.
    @raise livechat.errors.StartError: its store cannot be used.
    """
    if config.backend is not None:
        return brought(reactor)
    # A backend's libraries are imported only if it is chosen.
    if config.redis:
        from livechat.backends import redis  # noqa: PLC0415

        return redis.load(config, reactor)
    from livechat.backends.sqlite import backend  # noqa: PLC0415

    return backend.load(config, reactor)
