"""
A port whose connections come without TLS, from proxies that have ended it: a socket of TCP, or a
socket file.

    open -> loseConnection -> what was written, FIN -> what comes is dropped -> connectionLost

So an answer arrives even if it precedes the end of its request.  Twisted's own transport would
close at once, and the rest of the request would make the kernel reset the connection.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from twisted.internet import tcp
from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure

from livechat.limits.rates import LogLimit, Rate
from livechat.net.opening import address_of
from livechat.net.records import drop
from livechat.net.stream_port import StreamPort
from livechat.net.uptake import Uptake

#: The first byte of a TLS handshake (RFC 8446, section 5.1).
_HANDSHAKE: Final = b"\x16"
#: Seconds between two log lines of peers that speak TLS.
LOG_EVERY: Final = 1.0


class PlainPort(StreamPort["PlainConnection"]):
    """Listening sockets whose connections come without TLS."""

    def __init__(self, reactor: Any, factory: IProtocolFactory) -> None:
        super().__init__(reactor, factory)
        self._failures = LogLimit(Rate(1 / LOG_EVERY, 1))

    def _accepted(self, *accepted: Any) -> PlainConnection:
        return PlainConnection(self, *accepted)

    def speaks_tls(self, connection: PlainConnection) -> None:
        """Log it, if it was not just logged."""
        more = self._failures.due(self.reactor.seconds())
        if more is not None:
            self._log.info(
                "No HTTP with {address}: it speaks TLS, and this is no tls: address of --listen."
                "{more}",
                address=connection.hostname or "a socket file",
                more=more,
            )


class PlainConnection(tcp.Server):
    """
    An accepted connection: a transport as `livechat.net.tls.Connection` is, without TLS.

    It writes at once what the kernel takes, and keeps the rest.
    """

    def __init__(
        self, port: PlainPort, made: socket.socket, protocol: Any, peer: Any, *rest: Any
    ) -> None:
        self._peer = address_of(peer)
        # A peer on a socket file has no name.
        super().__init__(made, protocol, peer if isinstance(peer, tuple) else ("", 0), *rest)
        self.hostname = getattr(self._peer, "host", "")
        self._port = port
        self._unheard = True
        self._said_goodbye = False
        self._uptake: Uptake | None = None

    def getPeer(self) -> Any:
        return self._peer

    def getHost(self) -> Any:
        return UNIXAddress(None) if self._is_file else super().getHost()

    @property
    def _is_file(self) -> bool:
        return isinstance(self._peer, UNIXAddress)

    def setTcpNoDelay(self, enabled: bool) -> None:
        if not self._is_file:
            super().setTcpNoDelay(enabled)

    def doRead(self) -> Exception | None:  # type: ignore[override]
        if self.disconnecting:
            return drop(self.socket)
        if self._unheard:
            self._unheard = False
            with suppress(OSError):
                if self.socket.recv(1, socket.MSG_PEEK) == _HANDSHAKE:
                    self._port.speaks_tls(self)
                    self.abortConnection()
                    return None
        why: Exception | None = super().doRead()
        return why

    def write(self, data: bytes) -> None:
        if data and self._nothing_waits():
            # A fault here is found again by the next attempt, where it can be told.
            with suppress(OSError):
                data = data[self.socket.send(data) :]
        if data and not self.disconnecting:
            FileDescriptor.write(self, data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        self.write(b"".join(iovec))

    def _nothing_waits(self) -> bool:
        return bool(self.connected) and not (
            self.dataBuffer
            or self._tempDataBuffer
            or self.disconnecting
            or self._writeDisconnecting
            or (self.producer is not None and not self.streamingProducer)
        )

    def loseConnection(self, *_: object) -> None:
        if not self.connected or self.disconnecting:
            return
        self.disconnecting = 1
        self._uptake = Uptake(self.fileno())
        self._port.closing.start(self)
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
        self.startReading()
        # Not now, even if nothing waits: callers do not expect the end of the connection within
        # their call.
        self.startWriting()

    def takes(self, checks: int) -> bool:
        """Tell, while closing, whether the peer has taken data within the last *checks* calls."""
        assert self._uptake is not None
        return self._uptake.goes_on(checks)

    def pauseProducing(self) -> None:
        # Data that come while closing are read, and dropped.
        if not self.disconnecting:
            super().pauseProducing()

    def resumeProducing(self) -> None:
        if self.connected:
            self.startReading()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self.disconnecting:
            producer.stopProducing()
        else:
            FileDescriptor.registerProducer(self, producer, streaming)

    def unregisterProducer(self) -> None:
        self.producer = None

    def _postLoseConnection(self) -> Exception | None:
        """Everything is sent: send FIN, and wait for the peer's."""
        if not self._said_goodbye:
            self._said_goodbye = True
            with suppress(OSError):  # reset, as reading will find
                self.socket.shutdown(socket.SHUT_WR)
        return None

    def readConnectionLost(self, reason: Failure) -> None:
        if self.disconnecting:
            self.connectionLost(Failure(CONNECTION_DONE))
        else:
            super().readConnectionLost(reason)

    def connectionLost(self, reason: Failure) -> None:
        self._port.closing.stop(self)
        super().connectionLost(reason)
