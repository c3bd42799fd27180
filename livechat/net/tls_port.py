"""
A port whose connections speak TLS: it accepts them, waits for their handshakes and for their ends,
and says what went wrong, but not each time: whoever scans it must not fill the disk.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Any, Final, cast

from OpenSSL import SSL
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import ILogObserver, LogEvent, Logger

from livechat import metrics
from livechat.limits.deadlines import Deadlines
from livechat.limits.rates import LogLimit, Rate
from livechat.net.opening import Opening, Plain, address_of
from livechat.net.tls import Connection

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

#: Seconds for a handshake.
HANDSHAKE: Final = 10.0
#: Seconds in which the peer of a connection that is being closed must take something of
#: what it was sent, or close its own end.
CLOSING: Final = 5.0
#: How often in that time is looked.  Once were too seldom: the goodbye is in flight when it
#: begins, and taken soon after it.
LOOKS: Final = 5
#: Seconds between two log lines of handshakes that fail, and of connections that cannot be
#: accepted.
LOG_EVERY: Final = 1.0
LOG_FULL_EVERY: Final = 10.0


class TLSPort:
    """
    Listening sockets whose connections speak TLS.

    @ivar context: for the connections to come; those that are there keep theirs.
        Sessions begun with another context are not resumed.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: PosixReactorBase,
        factory: IProtocolFactory,
        context: SSL.Context,
        plain: Plain | None = None,
    ) -> None:
        """
        @param factory: makes the protocol of a connection when it is accepted; its
            ``connectionMade`` is called before the handshake, as with Twisted's own TLS.
        @param plain: answers requests in plain HTTP; None: they are hung up on.
        """
        self.plain = plain
        self.reactor = reactor
        self._factory = factory
        self.context = context
        self.shaking: Deadlines[Connection] = Deadlines(
            reactor, HANDSHAKE, self._too_slow, self._met_a_bug
        )
        self.closing: Deadlines[Connection] = Deadlines(
            reactor, CLOSING / LOOKS, self._not_closed, self._met_a_bug
        )
        self._failures = LogLimit(Rate(1 / LOG_EVERY, 1))
        self._full = LogLimit(Rate(1 / LOG_FULL_EVERY, 1))

    def listen(self, listening: socket.socket) -> IListeningPort:
        """Accept connections on a socket that listens; it may be closed afterwards."""
        # Otherwise the reactor would stand still whenever nobody comes.
        listening.setblocking(False)
        port: Any = self.reactor.adoptStreamPort(
            listening.fileno(), listening.family, self._factory
        )
        port.transport = self._accepted
        port._buildAddr = address_of  # noqa: SLF001
        port._logger = Logger(observer=cast("ILogObserver", self._not_accepted))  # noqa: SLF001
        return port  # type: ignore[no-any-return]

    def _accepted(self, *accepted: Any) -> Connection:
        """As Twisted's ports make their transports."""
        return Opening(self, *accepted)

    def _too_slow(self, connection: Connection) -> None:
        self.handshake_failed(connection, "it took too long")
        connection.abortConnection()

    def _not_closed(self, connection: Connection) -> None:
        if connection.takes(LOOKS):
            self.closing.start(connection)
        else:
            connection.abortConnection()

    def _met_a_bug(self, connection: Connection) -> None:
        """Log the exception that is handled, and cut the connection."""
        self._log.failure("A connection whose time was over met a bug.")
        connection.abortConnection()

    def handshake_failed(self, connection: Connection, reason: str) -> None:
        """Count it, and log it if none just was."""
        metrics.handshake_failed()
        more = self._failures.due(self.reactor.seconds())
        if more is not None:
            self._log.info(
                "No TLS with {address}: {reason}.{more}",
                address=connection.hostname,
                reason=reason,
                more=more,
            )

    def _not_accepted(self, event: LogEvent) -> None:
        """
        Twisted says something of a connection that it could not accept: with no file left it
        gives one away that it keeps for that, to close those who wait.
        """
        if "address" in event:
            metrics.turned_away()
        # A client that is gone before it is let in is nobody's fault.
        if event.get("acceptError") == "ECONNABORTED":
            return
        if self._full.due(self.reactor.seconds()) is not None:
            reason = os.strerror(getattr(errno, event.get("acceptError", "EMFILE")))
            self._log.error("Connections are turned away: {reason}.", reason=reason)
