"""
Events of an epoll reactor, told to TLS connections by short ways.

For each event Twisted makes a logging context, and asks the descriptor twice for its number.  For
small messages that come alone this is a tenth of their cost.  TLS connections log nothing that the
context would mark, and one that is gone is no longer among the reactor's descriptors.  So a
connection with something to read, and nothing else to tell, is called directly:

    members whose next byte begins a frame     are read together (`livechat.net.fast.turn`), and
                                               told whole frames
    other TLS connections                      `doRead`
    all other events, and errors               Twisted's own methods

The undocumented parts of Twisted are used as `EPollReactor.doPoll` of Twisted 26.10 uses them;
``tests/net/test_dispatch.py`` compares both, over any sequence of events.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.python import log

from livechat.net import fast
from livechat.net.tls import Connection

#: Frames of a connection that are read before others have their turn.
MOST_AT_ONCE: Final = 16
#: Seconds that the reactor waits at most when it has no timer before then.
_LONGEST_WAIT: Final = 3_600.0


class Dispatch:
    """Waits for the events of an epoll reactor, and tells its descriptors."""

    def __init__(self, reactor: Any, turn: Any = fast.turn) -> None:
        """
        @param turn: as `livechat.net.fast.turn`.
        """
        self._turn = turn
        self._poller = reactor._poller  # noqa: SLF001
        self._selectables: dict[int, Any] = reactor._selectables  # noqa: SLF001
        self._readable: int = reactor._POLL_IN  # noqa: SLF001
        self._read_or_write = reactor._doReadOrWrite  # noqa: SLF001
        self._disconnect = reactor._disconnectSelectable  # noqa: SLF001

    def iterate(self, timeout: float | None) -> None:
        """Wait for events, and dispatch them: a reactor's ``doIteration``."""
        selectables = self._selectables
        seconds = _LONGEST_WAIT if timeout is None else min(timeout, _LONGEST_WAIT)
        results, others = self._turn(self._poller, selectables, seconds, MOST_AT_ONCE)
        for connection, frames, rest, ended in results:
            try:
                why = connection.frames_received(frames, rest, ended)
            except BaseException as bug:  # noqa: BLE001 - as in Twisted, it ends only this connection
                self._met(connection, bug)
            else:
                if why:
                    self._end(connection, why)
        for fileno, event in others:
            # None if an earlier event has ended the connection.
            selectable = selectables.get(fileno)
            if event == self._readable and isinstance(selectable, Connection):
                self._read(selectable)
            elif selectable is not None:
                log.callWithLogger(selectable, self._read_or_write, selectable, fileno, event)

    def _read(self, connection: Connection) -> None:
        try:
            why = connection.doRead()
        except BaseException as bug:  # noqa: BLE001 - as above
            self._met(connection, bug)
        else:
            if why:
                self._end(connection, why)

    def _end(self, connection: Connection, why: Exception) -> None:
        log.callWithLogger(connection, self._disconnect, connection, why, True)

    def _met(self, connection: Connection, bug: BaseException) -> None:
        """End *connection*, which met the exception that is handled."""
        log.callWithLogger(connection, self._failed, connection, bug)

    def _failed(self, connection: Connection, bug: BaseException) -> None:
        log.err()
        self._disconnect(connection, bug, True)


def install(reactor: Any, turn: Any = fast.turn) -> None:
    """
    Have *reactor* dispatch its events by a `Dispatch`, if it is Twisted's own on epoll.

    @param turn: as `livechat.net.fast.turn`.
    """
    try:
        from twisted.internet.epollreactor import EPollReactor  # noqa: PLC0415
    except ImportError:  # a system without epoll
        return
    if type(reactor) is EPollReactor:
        made: Any = reactor
        made.doIteration = Dispatch(made, turn).iterate
