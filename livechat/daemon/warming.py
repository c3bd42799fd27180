"""
Prepares the files and templates of pages in a thread, some seconds after a start: the clients that
waited for the start go first.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from livechat.system.threads import Threads
from livechat.web import files
from livechat.web.html import Templates, folder

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

_log = Logger(namespace="livechat")

#: Seconds from the start; a request that comes earlier loads what it needs itself.
AFTER: Final = 10.0


class Warming(Service):
    """Makes files and templates ready once."""

    name = "warming"

    def __init__(self, reactor: PosixReactorBase, templates: Templates) -> None:
        self._reactor = reactor
        self._templates = templates
        self._thread = Threads(reactor, 1, "warming")
        self._waiting: IDelayedCall | None = None

    def startService(self) -> None:
        super().startService()
        self._thread.start()
        self._waiting = self._reactor.callLater(AFTER, self._begin)

    def _begin(self) -> None:
        self._waiting = None
        self._thread.call(warm, folder("static"), self._templates).addErrback(
            lambda failure: _log.failure("Files of pages could not be prepared.", failure)
        )

    def stopService(self) -> None:
        super().stopService()
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        self._thread.stop()


def warm(static: Path, templates: Templates) -> None:
    """Bundle and compress the files in *static*, and load what renders *templates*."""
    _ = files.read(static).named
    templates.load()
