"""
The access log: a line for each HTTP request, in the combined log format.
"""

from __future__ import annotations

import re
from contextlib import suppress
from logging import LogRecord, makeLogRecord
from logging.handlers import WatchedFileHandler
from pathlib import Path
from time import time
from typing import Final

from twisted.logger import Logger
from twisted.web.http import Request, combinedLogFormatter, datetimeToLogString

from livechat.config import STANDARD_LOG
from livechat.errors import StartError

_KEY: Final = re.compile(r"([?&]client=)[^&\s\"]+", re.ASCII)


class AccessLog:
    """
    Where the lines go.

    The file is opened again when logrotate has moved it away; a line that
    cannot be written is dropped.
    """

    _log = Logger()

    def __init__(self, path: Path | None) -> None:
        """
        @param path: the file, or `STANDARD_LOG`, or None for no access log.
        @raise StartError: the file cannot be opened.
        """
        self._off = path is None
        self._file: _Quiet | None = None
        if path is not None and path != STANDARD_LOG:
            try:
                self._file = _Quiet(path, encoding="utf-8")
            except OSError as reason:
                raise StartError(f"--access-log: cannot open {path}: {reason.strerror}") from None

    def write(self, request: Request) -> None:
        """Add a line for an answered request."""
        if self._off:
            return
        self._add(combinedLogFormatter(_now(), request))

    def write_refused(self, address: str, asked: str, status: int, size: int) -> None:
        """
        Add a line for a request that was refused before all of it was there.

        @param asked: its method and target, as far as they are known.
        @param size: the bytes of the answer's body.
        """
        if not self._off:
            asked = asked.encode("unicode_escape").decode().replace('"', '\\"') or "-"
            self._add(f'"{address}" - - {_now()} "{asked}" {status} {size} "-" "-"')

    def _add(self, line: str) -> None:
        # Whoever knows it can be the visitor.
        line = _KEY.sub(r"\1-", line)
        if self._file is None:
            self._log.info("{line}", line=line)
        else:
            # Opening the file again, after logrotate, can fail outside of what the
            # handler takes for its own errors.
            with suppress(OSError):
                self._file.emit(makeLogRecord({"msg": line}))

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            # It writes what it has not yet written, for which there may be no room.
            with suppress(OSError):
                self._file.close()


def _now() -> str:
    # Twisted offers a time of its own, made of the reactor's clock, which here is monotonic
    # and no time of day.
    now: str = datetimeToLogString(time())
    return now


class _Quiet(WatchedFileHandler):
    """Does not print a traceback for each line that a full disk refuses."""

    def handleError(self, record: LogRecord) -> None:
        pass
