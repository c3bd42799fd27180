"""
A client's WebSocket that costs its machine little.

Where a crowd shares the processors with the livechat that it measures, the time of clients counts
as livechat's.  So OpenSSL has the socket, without a copy in memory; all connections of a process
share its settings; and the protocol is that of `websockets`, without tasks, queues and timers of
its own.  Each connection has a whole handshake, which takes pyOpenSSL's newer OpenSSL three
quarters of the time that Python's own takes.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from errno import EINPROGRESS
from os import strerror
from typing import Final

from OpenSSL import SSL
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

#: Bytes that are read at a time, a record of TLS; more stays with the kernel, which then says so
#: again.
_READ: Final = 16_384


def trusting() -> SSL.Context:
    """TLS that accepts any certificate, as `curl -k` does."""
    return SSL.Context(SSL.TLS_METHOD)


class LightSocket:
    """
    A connection to a WebSocket.

    @ivar ended: fires when the connection is over; fails with what the receiver of messages raised.
    """

    def __init__(
        self, address: str, tls: SSL.Context, hears: Callable[[bytes], None], *spoken: str
    ) -> None:
        """
        @param address: a ``wss`` one, whose host is an IP address.
        @param hears: called with each text message, which is not in fragments.
        @param spoken: the subprotocols that are offered.
        """
        self._uri = parse_uri(address)
        self._protocol = ClientProtocol(
            self._uri, subprotocols=[Subprotocol(each) for each in spoken], max_size=None
        )
        self._tls, self._hears = tls, hears
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._raw: socket.socket | None = None
        self._socket: SSL.Connection | None = None
        self._shaking, self._over = True, False
        self._unsent = bytearray()

    @property
    def closed_with(self) -> str:
        """The code and the reason of the other end's close frame."""
        return f"{self._protocol.close_code} {self._protocol.close_reason}"

    async def open(self) -> None:
        """
        Connect.

        @raise OSError, websockets.exceptions.InvalidHandshake: it failed, or was refused.
        """
        self._raw = socket.socket()
        self._raw.setblocking(False)
        self._raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        error = self._raw.connect_ex((self._uri.host, self._uri.port))
        if error not in (0, EINPROGRESS):
            self._end(OSError(error, strerror(error)))
        else:
            self._loop.add_writer(self._raw, self._connected)
        await self._opened

    def write(self, text: str) -> None:
        """Send a text message.  No-op on a connection that is not open."""
        if self._protocol.state is OPEN and not self._over:
            self._protocol.send_text(text.encode())
            self._send()

    def close(self) -> None:
        """Cut the connection.  No-op a second time."""
        self._end(ConnectionAbortedError("it was cut here"))

    def _connected(self) -> None:
        assert self._raw is not None
        self._loop.remove_writer(self._raw)
        error = self._raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._end(OSError(error, strerror(error)))
            return
        self._socket = SSL.Connection(self._tls, self._raw)
        self._socket.set_connect_state()
        self._loop.add_reader(self._raw, self._ready)
        self._ready()

    def _ready(self) -> None:
        """Go on with the handshake, or read."""
        assert self._socket is not None
        try:
            if self._shaking:
                self._socket.do_handshake()
                self._shaking = False
                self._protocol.send_request(self._protocol.connect())
                self._send()
                return
            data = self._socket.recv(_READ)
        except SSL.WantReadError:
            return
        except SSL.ZeroReturnError:
            data = b""
        except SSL.Error as reason:
            self._end(ConnectionResetError(str(reason)))
            return
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        try:
            self._take()
        except Exception as bug:  # noqa: BLE001 - the loop would only log it
            self._end(bug, met_a_bug=True)
        if not data:
            self._end(ConnectionResetError("it was closed"))

    def _take(self) -> None:
        """Take what has come of the protocol, and send its answers."""
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                if event.opcode is Opcode.TEXT:
                    self._hears(bytes(event.data))
            elif self._protocol.handshake_exc is None:
                self._opened.set_result(None)
        self._send()
        if self._protocol.handshake_exc is not None:
            self._end(self._protocol.handshake_exc)

    def _send(self) -> None:
        # An empty piece means the end of the stream, which is the other end's to begin.
        self._unsent += b"".join(self._protocol.data_to_send())
        if self._raw is None or self._socket is None or self._over or not self._unsent:
            return
        try:
            sent = self._socket.send(bytes(self._unsent))
        except SSL.WantWriteError:
            sent = 0
        except SSL.Error as reason:
            self._end(ConnectionResetError(str(reason)))
            return
        del self._unsent[:sent]
        if self._unsent:
            self._loop.add_writer(self._raw, self._send)
        else:
            self._loop.remove_writer(self._raw)

    def _end(self, reason: Exception, *, met_a_bug: bool = False) -> None:
        if self._over:
            return
        self._over = True
        if self._raw is not None:
            self._loop.remove_reader(self._raw)
            self._loop.remove_writer(self._raw)
            self._raw.close()
        # Those that wait for them may have been cancelled.
        if not self._opened.done():
            self._opened.set_exception(reason)
        if self.ended.done():
            return
        if met_a_bug:
            self.ended.set_exception(reason)
        else:
            self.ended.set_result(None)
