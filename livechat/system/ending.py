"""The process's end: in order when it is asked to, with an error when it must not run."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

_log = Logger(namespace="livechat")

#: Exit code of a process that must not run, as that of one that could not start.
REFUSED: Final = 1


def end_in_order(reactor: PosixReactorBase) -> None:
    """
    End with exit code 0 on SIGTERM and SIGINT.  Twisted would end by the signal, as if the
    process had been killed, however orderly that was.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: reactor.callFromThread(_stop, reactor))


def heed_sigterm_as_first() -> None:
    """
    Make SIGTERM end a container's first process before the reactor takes signals: without a handler
    the kernel drops it there, and the container's stop waits for its time-out.
    """
    if os.getpid() == 1 and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))


def refuse(reactor: PosixReactorBase, reason: str) -> None:
    """Stop in order and exit with `REFUSED`; log *reason*."""
    _log.critical("livechat does not run: {reason}", reason=reason)
    # twistd exits with 0 when a daemon stops itself, so the code is set at exit.
    atexit.register(_exit_refused)
    _stop(reactor)


def _exit_refused() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(REFUSED)


def _stop(reactor: PosixReactorBase) -> None:
    with suppress(ReactorNotRunning):  # asked twice
        reactor.stop()
