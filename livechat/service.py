"""
twistd's face: options in, daemon out.

`makeService` does all that can fail for want of a port, a file or a permission, so that twistd
ends with one line before it has begun.  The daemon that it returns only has to be started.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from twisted.application.service import MultiService

from livechat.command_line import Options
from livechat.errors import StartError
from livechat.system.ending import end_in_order, heed_sigterm_as_first
from livechat.system.process import making_what_stays

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase


def makeService(options: Options, reactor: PosixReactorBase | None = None) -> MultiService:
    """
    Build the daemon that *options* ask for; for ``twistd livechat``.

    @raise SystemExit: it cannot run; the text says why, in one line.
    """
    heed_sigterm_as_first()
    if reactor is None:
        # Importing it installs it, which is for twistd to do.
        from twisted.internet import reactor as installed  # noqa: PLC0415

        reactor = cast("PosixReactorBase", installed)
    # Twisted's timers follow the wall clock: a step back by an hour would stop them
    # all for an hour.  Before the first of them is made, they can be given another.
    reactor.seconds = time.monotonic
    try:
        with making_what_stays():
            # All of livechat, and most of what it needs: objects that stay, too.
            from livechat.daemon.starting import daemon  # noqa: PLC0415

            made = daemon(options, reactor, _working_directory(options))
    except StartError as reason:
        raise SystemExit(f"livechat: {reason}") from None
    # Twisted takes the signals when it begins to run.
    reactor.callWhenRunning(end_in_order, reactor)
    return made


def _working_directory(options: Options) -> Path:
    """Return twistd's future directory: it goes there only after it has made the service."""
    twistd: Any = options.parent or {}
    directory = Path(twistd.get("rundir") or ".").absolute()
    if not directory.is_dir():
        raise StartError(f"--rundir: there is no directory {directory}")
    return directory
