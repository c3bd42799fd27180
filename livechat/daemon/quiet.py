"""
Keeps lines out of the log that Twisted writes of itself: twistd's at its start, and those of ports
that open or close.  Errors are logged as before.
"""

from __future__ import annotations

from typing import Any

from twisted.application import app
from twisted.internet import tcp, unix
from twisted.python import log


class _Errors:
    """Twisted's log for ports, reduced to errors."""

    err = staticmethod(log.err)
    deferr = staticmethod(log.deferr)

    @staticmethod
    def msg(*_: object, **__: object) -> None:
        """Drop the line."""


def quieten() -> None:
    """
    Have Twisted begin and end without lines of its own.

    Neither has a switch for it.  In a release that calls otherwise what is replaced here, its
    lines are back, and nothing else.
    """
    ports: Any
    for ports in (tcp, unix):
        ports.log = _Errors
    twistd: Any = app.AppLogger
    twistd._initialLog = lambda _: None  # noqa: SLF001
