"""
A port: it accepts connections, and waits for their ends.

Failures are logged at a limited rate, so that port scans cannot fill the disk.
"""

from __future__ import annotations

import errno
import os
import socket
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar, cast

from twisted.internet import tcp
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import ILogObserver, LogEvent, Logger

from livechat import metrics
from livechat.limits.deadlines import Deadlines
from livechat.limits.rates import LogLimit, Rate
from livechat.net.opening import address_of

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

#: Seconds in which the peer of a connection that is being closed must take something of
#: what it was sent, or close its own end.
CLOSING: Final = 5.0
#: Looks at the peer within that time.  A single look says nothing: the goodbye is in flight when
#: the time begins, and is taken soon after.
LOOKS: Final = 5
#: Seconds between two log lines of connections that cannot be accepted.
LOG_FULL_EVERY: Final = 10.0


class Closes(Protocol):
    """The face of a connection that a port needs."""

    def takes(self, checks: int, /) -> bool:
        """Tell, while closing, whether the peer has taken data within the last *checks* calls."""

    def abortConnection(self) -> None:
        """Cut it."""


_Connection = TypeVar("_Connection", bound=Closes)


class StreamPort(ABC, Generic[_Connection]):
    """
    Listening sockets, and the times at which connections that are being closed are checked.
    """

    _log = Logger()

    def __init__(self, reactor: PosixReactorBase, factory: IProtocolFactory) -> None:
        """
        @param factory: makes the protocol of a connection when it is accepted.
        """
        self.reactor = reactor
        self._factory = factory
        self.closing: Deadlines[_Connection] = Deadlines(
            reactor, CLOSING / LOOKS, self._not_closed, self._met_a_bug
        )
        self._full = LogLimit(Rate(1 / LOG_FULL_EVERY, 1))

    def listen(self, listening: socket.socket) -> IListeningPort:
        """Accept connections on a socket that listens; it may be closed afterwards."""
        # A blocking socket would stop the reactor while no client comes.
        listening.setblocking(False)
        port: Any = self._adopted(listening)
        port.transport = self._accepted
        port._buildAddr = address_of  # noqa: SLF001
        port._logger = Logger(observer=cast("ILogObserver", self._not_accepted))  # noqa: SLF001
        return port  # type: ignore[no-any-return]

    def _adopted(self, listening: socket.socket) -> object:
        if listening.family != socket.AF_UNIX:
            return self.reactor.adoptStreamPort(listening.fileno(), listening.family, self._factory)
        # Twisted's own port of a file makes that everybody's, and removes it at the end,
        # whosever it is by then.
        port: Any = tcp.Port._fromListeningDescriptor(  # noqa: SLF001
            self.reactor, listening.fileno(), listening.family, self._factory
        )
        port.startListening()
        return port

    @abstractmethod
    def _accepted(self, *accepted: Any) -> _Connection:
        """Make a connection as Twisted's ports make their transports."""

    def _not_closed(self, connection: _Connection) -> None:
        if connection.takes(LOOKS):
            self.closing.start(connection)
        else:
            connection.abortConnection()

    def _met_a_bug(self, connection: _Connection) -> None:
        """Log the exception that is handled, and cut the connection."""
        self._log.failure("A connection whose time was over met a bug.")
        connection.abortConnection()

    def _not_accepted(self, event: LogEvent) -> None:
        """
        Count and log a connection that Twisted could not accept.  Without a free descriptor
        Twisted gives up one that it keeps in reserve, to accept and close those that wait.
        """
        if "address" in event:
            metrics.turned_away()
        # A client gone before it was accepted is no fault.
        if event.get("acceptError") == "ECONNABORTED":
            return
        if self._full.due(self.reactor.seconds()) is not None:
            reason = os.strerror(getattr(errno, event.get("acceptError", "EMFILE")))
            self._log.error("Connections are turned away: {reason}.", reason=reason)
