"""
TLS for Twisted that encrypts on the socket.

Twisted's own TLS runs OpenSSL in memory, above a TCP transport: each write is
copied through two memory BIOs by Python code, and gathered for the next turn of
the reactor, which adds and removes interest in writing for it.  Here OpenSSL has
the socket: a write is one call that encrypts and sends, and nothing is remembered
of it unless the kernel refuses it.  An idle connection keeps no buffers.

    accepted -> handshake -> open -> loseConnection -> close_notify, FIN
        |           |          |        flush            |  what comes is dropped
        +-----------+----------+-------------------------+-> connectionLost

A port may look at what comes before a handshake: `livechat.net.opening`,
`livechat.net.proxy_protocol`.

`Connection` is a transport like any other (its docstring is the contract), so
protocols and twisted.web run on it as they are.  It does not say that it provides
ISSLTransport: Autobahn takes that for a promise that it is Twisted's own class.

Besides Twisted and pyOpenSSL a connection needs a `Port` only.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final, Protocol

from OpenSSL import SSL
from OpenSSL._util import lib as _lib
from twisted.internet import tcp
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure

from livechat.limits.deadlines import Deadlines
from livechat.net.fast import Wire
from livechat.net.records import drop, receive
from livechat.net.uptake import Uptake

#: Bytes that one turn of the reactor sends of what waits for the kernel.
_MOST_SENT: Final = 128 * 1024

#: The log's words for a peer whose address begins with ``http://``.
PLAIN: Final = "it speaks plain HTTP; the address begins with https:// or wss://"


class Port(Protocol):
    """The part of a port that a connection needs."""

    @property
    def reactor(self) -> IReactorTime:
        """The reactor of its connections."""

    @property
    def context(self) -> SSL.Context:
        """The settings of TLS for new connections."""

    @property
    def shaking(self) -> Deadlines[Connection]:
        """The deadlines of handshakes."""

    @property
    def closing(self) -> Deadlines[Connection]:
        """The times at which connections that are being closed are checked."""

    def handshake_failed(self, connection: Connection, reason: str) -> None:
        """Count and log a handshake that failed."""


class Connection(tcp.Server, Wire):
    """
    An accepted connection: a transport whose bytes are encrypted on their way.

    It provides what `twisted.internet.tcp.Server` does (ITCPTransport, IConsumer,
    IPushProducer, half-closing), with these words on what the interfaces leave open:

    - ``write`` and ``writeSequence`` send at once what the kernel takes, in the order
      of the calls.  What it does not take is kept; over 64 KiB of it, a streaming
      producer is paused, and resumed when all of it is sent.  Nobody is called from
      within ``write``, other than that producer: a connection found broken is lost in
      a later turn.  What is written before the handshake is done is sent after it.
    - ``loseConnection`` sends what was written before, close_notify and FIN.  From
      then on nothing can be written, a producer is stopped, and what still comes is
      read and dropped, so that no reset overtakes what was sent.  The protocol is told
      when the peer has closed its end too.  A peer that neither takes anything of what it
      was sent nor closes for `tls_port.CLOSING` seconds is cut off, and one that takes a little now
      and then after a minute.
    - ``abortConnection`` drops everything and resets; the protocol is told in a later turn.
    - A peer's close_notify ends the connection as ConnectionDone, is answered if nothing is
      unsent, and what is unsent is dropped; a protocol that provides IHalfCloseableProtocol
      is told and goes on writing.  An end without it is ConnectionLost.
    - ``pauseProducing`` stops deliveries, and not a handshake or a close.  While it is in
      force the peer's end is not noticed.
    - After the connection is lost, nothing is delivered and writes are ignored.
    """

    #: Whether `_begin` is to look at what comes before the handshake begins.
    _unheard = False

    def __init__(self, port: Port, *accepted: Any) -> None:
        """
        @param accepted: what `twisted.internet.tcp.Server` is made of.
        """
        Wire.__init__(self)
        super().__init__(*accepted)
        self._port = port
        self._tls: SSL.Connection | None = SSL.Connection(port.context, self.socket)
        self._tls.set_accept_state()
        self.attach(self._tls._ssl)  # noqa: SLF001
        # Otherwise a read would go on as long as records without data come: a peer that sends new
        # keys without end would block the reactor.
        _lib.SSL_clear_mode(self.ssl, _lib.SSL_MODE_AUTO_RETRY)
        # Later too, where OpenSSL cannot write before it has read, or read before it has
        # written: the peer changes its keys.
        self._shaking = True
        self._paused = False
        self._said_goodbye = False
        self._peer_ended = False
        self._uptake: Uptake | None = None
        port.shaking.start(self)

    def doRead(self) -> Exception | None:  # type: ignore[override]
        if self._shaking:
            why = self._begin() if self._unheard else self._shake()
            if why is not None or self._shaking or (self._paused and not self.disconnecting):
                return why
        if self._said_goodbye and self.disconnecting:
            return drop(self.socket)
        data, why = self._read()
        if data and not self.disconnecting:
            self.protocol.dataReceived(data)
            if self._aborting:
                return None
        return why

    def frames_received(
        self, frames: list[bytes | None], rest: bytes, ended: bool
    ) -> Exception | None:
        """
        Tell the protocol what `livechat.net.fast.turn` has read, and go on as `doRead` does.

        An earlier event of the turn may have closed the connection meanwhile.
        """
        if self.connected and not (self.disconnecting or self._aborting):
            protocol: Any = self.protocol
            protocol.frames_received(frames, rest)
        return self.doRead() if ended and self.connected else None

    def _begin(self) -> Exception | None:
        """Begin a handshake with the first bytes that have come."""
        return self._shake()

    def _shake(self) -> Exception | None:
        assert self._tls is not None
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            self._wait_to_read()
            return None
        except SSL.WantWriteError:
            self._wait_to_write()
            return None
        except SSL.Error as reason:
            if isinstance(reason, SSL.SysCallError):
                # The peer came and went, as port scans and load balancers do.
                return CONNECTION_LOST
            self._port.handshake_failed(self, _in_words(reason))
            return CONNECTION_LOST
        self._shaking = False
        self.open = not self.disconnecting
        self._port.shaking.stop(self)
        self.direct = self._nothing_waits()
        if self.direct:
            self.stopWriting()
        else:
            self.startWriting()
        if self._paused and not self.disconnecting:
            self.stopReading()
        else:
            self.startReading()
        return None

    def _wait_to_read(self) -> None:
        """Wait until the peer has sent more of a handshake."""
        self._shaking = True
        self.open = False
        self.stopWriting()
        self.startReading()

    def _wait_to_write(self) -> None:
        """Wait until the peer has taken more of a handshake."""
        self._shaking = True
        self.open = False
        self.stopReading()
        self.startWriting()

    def _nothing_waits(self) -> bool:
        """True if `doWrite` has nothing to do."""
        return not (
            self.dataBuffer
            or self._tempDataBuffer
            or self.disconnecting
            or self._writeDisconnecting
            or (self.producer is not None and not self.streamingProducer)
        )

    def _read(self) -> tuple[bytes, Exception | None]:
        """Return the data that has arrived, and how the connection ended, if it did."""
        data, result = receive(self.ssl, self.fileno())
        if result > 0 or _lib.SSL_get_error(self.ssl, result) == _lib.SSL_ERROR_WANT_READ:
            return data, None
        return data, self._cannot_read(result)

    def _cannot_read(self, result: int) -> Exception | None:
        """The reason why nothing more was read; None if more may come later."""
        assert self._tls is not None
        try:
            self._tls._raise_ssl_error(self.ssl, result)  # noqa: SLF001
        except SSL.WantWriteError:
            self._wait_to_write()
        except SSL.ZeroReturnError:
            return CONNECTION_DONE
        except SSL.Error:
            # A peer that got close_notify, or is about to, need not send its own.
            return CONNECTION_DONE if self.disconnecting or self._said_goodbye else CONNECTION_LOST
        return None

    def readConnectionLost(self, reason: Failure) -> None:
        self._peer_ended = True
        if self.disconnecting:
            self.connectionLost(reason)
        else:
            super().readConnectionLost(reason)

    def write(self, data: bytes) -> None:
        if self.direct and data:
            size = len(data)
            sent = _lib.SSL_write(self.ssl, data, size)
            if sent == size:
                return
            data = data[self._sent_of(data, sent) :]
            if not data:
                return
            self.direct = False
        if not self.disconnecting:
            FileDescriptor.write(self, data)

    def _sent_of(self, data: bytes, result: int) -> int:
        """The bytes of *data* that are sent when OpenSSL has said *result* and not taken all."""
        assert self._tls is not None
        if result > 0:
            more = self.writeSomeData(memoryview(data)[result:])  # type: ignore[arg-type]
            return result + more if isinstance(more, int) else result
        # Either the kernel takes no more, or the connection is broken, which the next
        # attempt will find again, where it can be told.
        with suppress(SSL.Error):
            self._tls._raise_ssl_error(self.ssl, result)  # noqa: SLF001
        return 0

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        self.write(b"".join(iovec))

    def doWrite(self) -> Exception | int | None:  # type: ignore[override]
        if self._shaking:
            return self._shake()
        why: Exception | int | None = FileDescriptor.doWrite(self)
        self.direct = bool(self.connected) and self._nothing_waits()
        return why

    def writeSomeData(self, data: bytes) -> int | Exception:  # type: ignore[override]
        """Give OpenSSL some of *data*; returns how much it took, or why none ever again."""
        assert self._tls is not None
        view = memoryview(data)[:_MOST_SENT]
        sent = 0
        try:
            while sent < len(view):
                # A record that OpenSSL has begun must be offered to it again, with at
                # least as much after it: it is, because the buffer only grows meanwhile.
                sent += self._tls.send(view[sent:])
        except SSL.WantWriteError:
            pass
        except SSL.WantReadError:
            self._wait_to_read()
        except SSL.Error:
            return CONNECTION_LOST
        return sent

    def pauseProducing(self) -> None:
        self._paused = True
        # A handshake needs to be read, and what comes while closing.
        if not self._shaking and not self.disconnecting:
            self.stopReading()

    def resumeProducing(self) -> None:
        self._paused = False
        if not self._peer_ended:
            FileDescriptor.resumeProducing(self)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self.disconnecting:
            producer.stopProducing()
        else:
            # A pull producer is asked for more by `doWrite`, when all is sent.
            self.direct = self.direct and bool(streaming)
            FileDescriptor.registerProducer(self, producer, streaming)

    def unregisterProducer(self) -> None:
        self.producer = None

    def loseConnection(self, *_: object) -> None:
        if not self.connected or self.disconnecting:
            return
        self.disconnecting = 1
        self.open = self.direct = False
        self._uptake = Uptake(self.fileno())
        self._port.closing.start(self)
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
        if self._peer_ended and self._said_goodbye:
            self._port.reactor.callLater(0, self.connectionLost, Failure(CONNECTION_DONE))
            return
        if not self._peer_ended:
            self.startReading()
        # Not now, even if nothing waits: callers do not expect the end of the connection within
        # their call.
        self.startWriting()

    def takes(self, checks: int) -> bool:
        """Tell, while closing, whether the peer has taken data within the last *checks* calls."""
        assert self._uptake is not None
        return self._uptake.goes_on(checks)

    def _postLoseConnection(self) -> Exception | None:
        """Everything is sent: send close_notify and FIN, and wait for the peer's."""
        if not self._goodbye():
            self.startWriting()
            return None
        return CONNECTION_DONE if self._peer_ended else None

    def loseWriteConnection(self) -> None:
        if self.connected and not self.disconnecting:
            super().loseWriteConnection()

    def abortConnection(self) -> None:
        self.open = self.direct = False
        super().abortConnection()

    def _closeWriteConnection(self) -> None:
        self.direct = False
        if not self._goodbye():
            self._writeDisconnected = False
            self.startWriting()
            return
        super()._closeWriteConnection()

    def _goodbye(self) -> bool:
        """Send close_notify and FIN; returns whether that is done."""
        if self._said_goodbye:
            return True
        assert self._tls is not None
        try:
            self._tls.shutdown()
        except SSL.WantWriteError:
            return False
        except SSL.Error:
            pass  # broken, as reading will find
        self._said_goodbye = True
        with suppress(OSError):  # reset, as reading will find
            self.socket.shutdown(socket.SHUT_WR)
        return True

    def connectionLost(self, reason: Failure) -> None:
        self.open = self.direct = False
        self._port.shaking.stop(self)
        self._port.closing.stop(self)
        unsent = self._shaking or self.dataBuffer or self._tempDataBuffer
        if self.connected and not unsent and reason.check(ConnectionDone):
            self._goodbye()
        # A reference to this transport must not keep 30 KB of OpenSSL's alive.
        self._tls = None
        self.detach()
        super().connectionLost(reason)


def _in_words(error: SSL.Error) -> str:
    """Describe a handshake's failure, as OpenSSL says it."""
    reasons = [text for _, _, text in error.args[0]] if error.args else []
    if "http request" in reasons:
        return PLAIN
    return ", ".join(reasons) or "its handshake is broken"
