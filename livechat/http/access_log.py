"""
The access log: a line for each HTTP request, in the combined log format.

Queries carry keys and tokens, also those of other sites in ``Referer``.  So a line has the names
of a query's parameters and no value, and a Referer without its query.
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
from twisted.web.http import Request, datetimeToLogString

from livechat.errors import StartError
from livechat.option_values import STANDARD_LOG

#: A user and password before a host, in a URL in full or without its scheme.
_USERINFO: Final = re.compile(r"^((?:[^/?#]*?//)?)[^/?#]*@")
#: Characters of a parameter without a value that can be a name; longer ones may be tokens.
_LONGEST_NAME: Final = 32


class AccessLog:
    """
    The file that lines are appended to.

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
        asked = f"{_text(request.method)} {shown(_text(request.uri))} {_text(request.clientproto)}"
        self._add(
            getattr(request.getClientAddress(), "host", "-"),
            asked,
            request.code,
            request.sentLength,
            referer=bare(_text(request.getHeader(b"referer"))),
            agent=_text(request.getHeader(b"user-agent")),
        )

    def write_refused(self, address: str, asked: str, status: int, size: int) -> None:
        """
        Add a line for a request that was refused before all of it was there.

        @param asked: its method and target, as far as they are known.
        @param size: the bytes of the answer's body.
        """
        if not self._off:
            self._add(address, shown(asked), status, size)

    def _add(
        self,
        address: str,
        asked: str,
        status: int,
        size: int,
        *,
        referer: str = "",
        agent: str = "",
    ) -> None:
        line = (
            f'"{_escaped(address)}" - - {_now()} "{_escaped(asked)}" {status} {size or "-"} '
            f'"{_escaped(referer)}" "{_escaped(agent)}"'
        )
        if self._file is None:
            self._log.info("{line}", line=line)
        else:
            # Reopening the file, after logrotate, can raise outside of the handler's own
            # handling of errors.
            with suppress(OSError):
                self._file.emit(makeLogRecord({"msg": line}))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            # Closing writes buffered lines, and may find the disk full.
            with suppress(OSError):
                self._file.close()


def shown(target: str) -> str:
    """A target, perhaps behind its method: its parameters' names, without their values."""
    path, mark, query = target.partition("#")[0].partition("?")
    path = _USERINFO.sub(r"\1", path)
    return f"{path}{mark}{'&'.join(map(_name, query.split('&')))}"


def bare(url: str) -> str:
    """A URL without its query, its fragment, and a user and password."""
    return _USERINFO.sub(r"\1", re.split(r"[?#]", url, maxsplit=1)[0])


def _name(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    if equals:
        return f"{name}={value and '-'}"
    return name if len(name) <= _LONGEST_NAME else "-"


def _text(header: bytes | None) -> str:
    return (header or b"").decode("latin-1")


def _escaped(text: str) -> str:
    """Escape *text* to one field of one line, in ASCII."""
    return text.encode("unicode_escape").decode().replace('"', '\\"') or "-"


def _now() -> str:
    # Twisted's own time is the reactor's clock, which is monotonic here and no time of day.
    now: str = datetimeToLogString(time())
    return now


class _Quiet(WatchedFileHandler):
    """A handler without a traceback for each line that a full disk refuses."""

    def handleError(self, record: LogRecord) -> None:
        pass
