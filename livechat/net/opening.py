"""
The first bytes on a TLS port: TLS, or a request in plain HTTP, which is answered.

The first byte decides, and stays where OpenSSL finds it.  A plain connection never gets
further than its answer: its protocol hears nothing of it, and can say nothing on it.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any, Final, Protocol

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.main import CONNECTION_LOST

from livechat.net import tls
from livechat.net.tls import PLAIN, Connection
from livechat.protocol.origins import unmapped

#: Bytes of the head of a request in plain HTTP, and its end.
LONGEST_HEAD: Final = 8_192
_END: Final = b"\r\n\r\n"


class Plain(Protocol):
    """Answers requests in plain HTTP."""

    def begins(self, data: bytes) -> bool:
        """Tell whether a request may begin with *data*."""

    def answer(self, head: bytes) -> bytes:
        """
        The answer to a request.  Must not raise.

        @param head: its lines, without the empty one behind them.
        """


class Port(tls.Port, Protocol):
    """The port of a connection that may begin with plain HTTP."""

    @property
    def plain(self) -> Plain | None:
        """Answers them; None to hang up on them."""


def address_of(accepted: Any) -> IPv4Address | IPv6Address | UNIXAddress:
    """
    The address of an accepted connection, of version 4 where the kernel writes that in the form
    of version 6, as it does on sockets of both; none on a socket file.
    """
    if not isinstance(accepted, tuple):
        return UNIXAddress(None)
    host = accepted[0]
    if ":" in host:
        host = unmapped(host)
    return IPv6Address("TCP", *accepted) if ":" in host else IPv4Address("TCP", host, accepted[1])


class Opening(Connection):
    """
    A connection whose peer may speak plain HTTP, where its port has a `Plain`.

    @ivar peer: the address of the peer, where the kernel has another one.
    """

    peer: IPv4Address | IPv6Address | None = None
    _unheard = True
    # The received part of a request in plain HTTP; None until the first byte has come.
    _request: bytes | None = None
    _port: Port

    def __init__(
        self, port: Port, made: socket.socket, protocol: Any, peer: tuple[Any, ...], *rest: Any
    ) -> None:
        super().__init__(port, made, protocol, peer, *rest)
        if ":" not in peer[0]:
            return
        address = address_of(peer)
        assert not isinstance(address, UNIXAddress)
        if address.host != self.hostname:
            self.peer = address
            self.hostname = address.host

    def getPeer(self) -> Any:
        return self.peer or super().getPeer()

    def _begin(self) -> Exception | None:
        plain = self._port.plain
        try:
            if self._request is None:
                first = self.socket.recv(1, socket.MSG_PEEK)
                if plain is None or not first.isalpha():
                    self._unheard = False
                    return self._shake()
            arrived = self.socket.recv(LONGEST_HEAD - len(self._request or b""))
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        self._request = (self._request or b"") + arrived
        if not arrived or plain is None:
            return CONNECTION_LOST
        return self._hear(plain, self._request)

    def _hear(self, plain: Plain, request: bytes) -> Exception | None:
        """Answer a request that is whole; wait for the rest of one that may become so."""
        head, end, _ = request.partition(_END)
        if not plain.begins(head):
            self._port.handshake_failed(self, "it speaks neither TLS nor HTTP")
            return CONNECTION_LOST
        if not end and len(request) < LONGEST_HEAD:
            return None
        self._port.handshake_failed(self, PLAIN)
        if not end:
            return CONNECTION_LOST
        self._say(plain.answer(head))
        return None

    def _say(self, answer: bytes) -> None:
        """Send *answer* past TLS, and close; what the protocol has written is dropped."""
        self.dataBuffer, self._tempDataBuffer, self._tempDataLen = b"", [], 0
        self._shaking = self._unheard = False
        # Not OpenSSL's, which has said nothing yet.
        self._said_goodbye = True
        self._port.shaking.stop(self)
        with suppress(OSError):  # reset, as reading will find
            self.socket.send(answer)
            self.socket.shutdown(socket.SHUT_WR)
        super().loseConnection()

    def loseConnection(self, *_: Any) -> None:
        if self._request is not None and self._unheard:
            # There is no goodbye that it would understand.
            self.abortConnection()
        else:
            super().loseConnection()
