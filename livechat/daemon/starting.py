"""The start of a daemon: from options and environment to services that only have to be started."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.application.service import MultiService

from livechat import metrics
from livechat.command_line import Options
from livechat.config import Config
from livechat.daemon.building import build
from livechat.daemon.lifeline import check_terms
from livechat.daemon.quiet import quieten
from livechat.daemon.systemd import Manager
from livechat.net import dispatch
from livechat.net.activation import inherited

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase


def daemon(options: Options, reactor: PosixReactorBase, directory: Path) -> MultiService:
    """
    Build the daemon that *options* ask for, or the supervisor of several.

    @param directory: the working directory that it will have.
    @raise StartError: it cannot run.
    """
    dispatch.install(reactor)
    quieten()
    config = Config.of(options, os.environ, directory)
    if config.worker:
        check_terms(os.environ)
        metrics.share(os.environ[metrics.SHARED], int(os.environ[metrics.NUMBER]))
    several = config.workers > 1 and not config.worker
    sockets = inherited(os.environ, worker=config.worker > 0)
    manager = Manager.of(os.environ)
    if several:
        # The parts of a single process need not be imported, nor the other way round.
        from livechat.daemon.supervision import supervise  # noqa: PLC0415

        return supervise(config, options, reactor, sockets, manager)
    return build(config, reactor, sockets, manager)
