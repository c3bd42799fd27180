"""
Events of an epoll reactor, told to TLS connections by a short way.

For each event Twisted makes a logging context, and asks the descriptor twice for its number.
Where small messages come alone that is a tenth of their cost.  TLS connections log nothing that
the context would mark, and one that is gone is no longer among the reactor's descriptors.  So a
connection with something to read, and nothing else to tell, is called directly.  All other
events, and what comes of errors, go through Twisted's own methods.

The undocumented parts of Twisted are used as `EPollReactor.doPoll` of Twisted 26.10 uses them;
``tests/net/test_dispatch.py`` compares both, over any sequence of events.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.python import log

from livechat.net.tls import Connection


class Dispatch:
    """Waits for the events of an epoll reactor, and tells its descriptors."""

    def __init__(self, reactor: Any) -> None:
        self._poll = reactor._poller.poll  # noqa: SLF001
        self._selectables: dict[int, Any] = reactor._selectables  # noqa: SLF001
        self._readable: int = reactor._POLL_IN  # noqa: SLF001
        self._read_or_write = reactor._doReadOrWrite  # noqa: SLF001
        self._disconnect = reactor._disconnectSelectable  # noqa: SLF001

    def turn(self, timeout: float | None) -> None:
        """Wait for events, and dispatch them: a reactor's ``doIteration``."""
        selectables, readable = self._selectables, self._readable
        try:
            events = self._poll(-1 if timeout is None else timeout, len(selectables))
        except OSError as reason:
            if reason.errno == errno.EINTR:
                return
            raise
        for fileno, event in events:
            # None where an earlier event has ended the connection.
            selectable = selectables.get(fileno)
            if event == readable and isinstance(selectable, Connection):
                self._read(selectable)
            elif selectable is not None:
                log.callWithLogger(selectable, self._read_or_write, selectable, fileno, event)

    def _read(self, connection: Connection) -> None:
        try:
            why = connection.doRead()
        except BaseException as bug:  # noqa: BLE001 - as in Twisted, it ends only this connection
            log.callWithLogger(connection, self._failed, connection, bug)
        else:
            if why:
                log.callWithLogger(connection, self._disconnect, connection, why, True)

    def _failed(self, connection: Connection, bug: BaseException) -> None:
        """Log the exception that is handled; *bug* is the reason of the connection's end."""
        log.err()
        self._disconnect(connection, bug, True)


def install(reactor: Any) -> None:
    """Have *reactor* dispatch its events by a `Dispatch`, if it is Twisted's own on epoll."""
    try:
        from twisted.internet.epollreactor import EPollReactor  # noqa: PLC0415
    except ImportError:  # a system without epoll
        return
    if type(reactor) is EPollReactor:
        made: Any = reactor
        made.doIteration = Dispatch(made).turn
