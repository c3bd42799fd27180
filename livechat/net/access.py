"""
The access log: a line for each HTTP request, in the combined log format.
"""

from __future__ import annotations

from logging import LogRecord, makeLogRecord
from logging.handlers import WatchedFileHandler
from pathlib import Path
from time import time
from typing import Final

from twisted.logger import Logger
from twisted.web.http import Request, combinedLogFormatter, datetimeToLogString

#: In place of a file's name: the daemon's own log.
STANDARD: Final = Path("-")


class AccessLog:
    """
    Where the lines go.

    The file is opened again when logrotate has moved it away; a line that
    cannot be written is dropped.
    """

    _log = Logger()

    def __init__(self, path: Path | None) -> None:
        self._off = path is None
        self._file: _Quiet | None = None
        if path is not None and path != STANDARD:
            self._file = _Quiet(path, encoding="utf-8", delay=True)

    def write(self, request: Request) -> None:
        """Add a line for an answered request."""
        if self._off:
            return
        # Twisted offers a time of its own, made of the reactor's clock, which here
        # is monotonic and no time of day.
        line = combinedLogFormatter(datetimeToLogString(time()), request)
        if self._file is None:
            self._log.info("{line}", line=line)
        else:
            self._file.emit(makeLogRecord({"msg": line}))

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


class _Quiet(WatchedFileHandler):
    """Does not print a traceback for each line that a full disk refuses."""

    def handleError(self, record: LogRecord) -> None:
        pass
