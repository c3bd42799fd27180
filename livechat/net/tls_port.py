"""
A port whose connections speak TLS: it waits for their handshakes, and logs failures at a limited
rate, so that port scans cannot fill the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from OpenSSL import SSL
from twisted.internet.interfaces import IProtocolFactory

from livechat import metrics
from livechat.limits.deadlines import Deadlines
from livechat.limits.rates import LogLimit, Rate
from livechat.net.opening import Opening, Plain
from livechat.net.stream_port import CLOSING, LOOKS, StreamPort
from livechat.net.tls import Connection

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase

__all__ = ["CLOSING", "HANDSHAKE", "LOG_EVERY", "LOOKS", "TLSPort"]

#: Seconds for a handshake.
HANDSHAKE: Final = 10.0
#: Seconds between two log lines of handshakes that fail.
LOG_EVERY: Final = 1.0


class TLSPort(StreamPort[Connection]):
    """
    Listening sockets whose connections speak TLS.

    @ivar context: for the connections to come; those that are there keep theirs.
        Sessions begun with another context are not resumed.
    """

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
        super().__init__(reactor, factory)
        self.plain = plain
        self.context = context
        self.shaking: Deadlines[Connection] = Deadlines(
            reactor, HANDSHAKE, self._too_slow, self._met_a_bug
        )
        self._failures = LogLimit(Rate(1 / LOG_EVERY, 1))

    def _accepted(self, *accepted: Any) -> Connection:
        return Opening(self, *accepted)

    def _too_slow(self, connection: Connection) -> None:
        self.handshake_failed(connection, "it took too long")
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
