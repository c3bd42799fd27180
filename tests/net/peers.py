"""Both ends of TLS connections, on a real reactor and loopback sockets."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, ProcessProtocol, Protocol, connectionDone
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from livechat.net import certificates, dispatch, stream_port, tls_context, tls_port
from livechat.net.tls_port import TLSPort

_T = TypeVar("_T")

#: Seconds after which a test no longer waits for what must come.
PATIENCE: Final = 20.0
TLS12: Final = ssl.TLSVersion.TLSv1_2
TLS13: Final = ssl.TLSVersion.TLSv1_3


class Watched:
    """A state that can be awaited."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], object], Deferred[None]]] = []

    def changed(self) -> None:
        """Look who has waited for this."""
        for each in tuple(self._waiting):
            condition, deferred = each
            if condition():
                self._waiting.remove(each)
                deferred.callback(None)

    def until(self, condition: Callable[[], object]) -> Deferred[None]:
        """Fires when *condition* holds."""
        deferred: Deferred[None] = Deferred()
        self._waiting.append((condition, deferred))
        self.changed()
        return deferred


class End(Watched, Protocol):
    """
    The server's end of a connection, which remembers what it is told.

    @ivar received: all that was delivered.
    @ivar deliveries: the sizes of the pieces.
    @ivar told: the methods that were called, but for `dataReceived`.
    @ivar reason: why the connection was lost; None as long as it is not.
    """

    transport: Any
    reason: type[BaseException] | None = None

    def __init__(self) -> None:
        super().__init__()
        self.received = b""
        self.deliveries: list[int] = []
        self.told: list[str] = []

    def connectionMade(self) -> None:
        self._told("connectionMade")

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self.deliveries.append(len(data))
        self.changed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.reason = reason.type
        self._told("connectionLost")

    def _told(self, what: str) -> None:
        self.told.append(what)
        self.changed()

    async def hears(self, data: bytes) -> None:
        """Wait until all of *data* was delivered, and nothing else."""
        await self.until(lambda: len(self.received) >= len(data))
        assert self.received == data

    async def lost(self) -> type[BaseException]:
        """Wait for the end; returns its reason."""
        await self.until(lambda: self.reason is not None)
        assert self.reason is not None
        return self.reason


@implementer(IHalfCloseableProtocol)
class HalfEnd(End):
    """An end that goes on when one half of the connection has ended."""

    def readConnectionLost(self) -> None:
        self._told("readConnectionLost")

    def writeConnectionLost(self) -> None:
        self._told("writeConnectionLost")


class Ends(Watched, Factory[End]):
    """
    Makes ends, and knows them.

    @ivar made: the ends so far.
    @ivar addresses: whom they were made for.
    """

    noisy = False

    def __init__(self, made_by: Callable[[], End]) -> None:
        super().__init__()
        self._made_by = made_by
        self.made: list[End] = []
        self.addresses: list[str] = []

    def buildProtocol(self, addr: Any) -> End:
        self.addresses.append(addr.host)
        end = self._made_by()
        self.made.append(end)
        # When its transport is there.
        end.until(lambda: end.told).addCallback(lambda _: self.changed())
        return end


def lines(events: Sequence[dict[str, Any]]) -> list[str]:
    """Log lines about handshakes."""
    return [event["log_format"].format(**event) for event in events if "reason" in event]


class PortTest(TestCase):
    """
    Tests of connections to a TLS port.

    @cvar protocol: makes the server's ends.
    @cvar handshake: how many seconds it takes for `livechat.net.tls_port.HANDSHAKE`.
    @cvar closing: the same for `livechat.net.stream_port.CLOSING`.
    """

    timeout = 2 * PATIENCE
    protocol: Callable[[], End] = End
    handshake = tls_port.HANDSHAKE
    closing = tls_port.CLOSING

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> None:
        self._directory = tmp_path

    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415

        self.reactor: Any = reactor
        # As in a daemon.
        dispatch.install(reactor)
        self.addCleanup(vars(reactor).pop, "doIteration", None)
        self.patch(tls_port, "HANDSHAKE", self.handshake)
        self.patch(stream_port, "CLOSING", self.closing)
        certificate = certificates.load_or_make(self._directory)
        context = tls_context.context(certificate.chain, certificate.key)
        self.ends = Ends(type(self).protocol)
        self.port = self.make_port(reactor, self.ends, context)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.address = listening.getsockname()
            port = self.port.listen(listening)
        self.addCleanup(self._end)
        self.addCleanup(port.stopListening)

    def make_port(self, reactor: Any, factory: Ends, context: SSL.Context) -> TLSPort:
        return TLSPort(reactor, factory, context)

    async def _end(self) -> None:
        """End the connections that are left."""
        for end in self.ends.made:
            if end.reason is None:
                end.transport.abortConnection()
                await end.lost()

    def plain(self, *, receive_buffer: int = 0) -> socket.socket:
        """A TCP connection to the port; its ends are closed after the test."""
        made = socket.socket()
        if receive_buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        made.settimeout(PATIENCE)
        made.connect(self.address)
        self.addCleanup(made.close)
        return made

    async def accept(self, **options: Any) -> tuple[End, socket.socket]:
        """A connection on which no handshake has begun."""
        count = len(self.ends.made)
        plain = self.plain(**options)
        await self.ends.until(lambda: len(self.ends.made) > count and self.ends.made[-1].told)
        return self.ends.made[-1], plain

    async def connect(
        self, version: ssl.TLSVersion = TLS13, *, receive_buffer: int = 0, keys: Path | None = None
    ) -> tuple[End, ssl.SSLSocket]:
        """A connection on which both ends have shaken hands."""
        end, plain = await self.accept(receive_buffer=receive_buffer)
        peer = await self.shake(plain, version, keys)
        # A client of TLS 1.3 is done before the server is.
        await in_thread(peer.sendall, b".")
        await end.hears(b".")
        end.received = b""
        end.deliveries.clear()
        return end, peer

    async def shake(
        self, plain: socket.socket, version: ssl.TLSVersion = TLS13, keys: Path | None = None
    ) -> ssl.SSLSocket:
        """The client's part of a handshake; an end without close_notify is an error for it."""

        def wrap() -> ssl.SSLSocket:
            return trusting(version, keys).wrap_socket(plain, suppress_ragged_eofs=False)

        peer = await in_thread(wrap)
        self.addCleanup(peer.close)
        return peer


class OpenSSL(Watched, ProcessProtocol):
    """
    ``openssl s_client``, for what Python's own TLS cannot do.

    @ivar output: what it has written.
    """

    def __init__(self, reactor: Any, address: tuple[str, int], *options: str) -> None:
        super().__init__()
        self.output = ""
        self.ended: Deferred[None] = Deferred()
        path = shutil.which("openssl")
        assert path, "openssl is missing: run tests/clients/install"
        host, port = address
        command = [path, "s_client", "-connect", f"{host}:{port}", *options]
        self._process = reactor.spawnProcess(self, path, command)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self.output += data.decode(errors="replace")
        self.changed()

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(None)

    def says(self, text: str) -> None:
        self._process.write(text.encode())

    async def shows(self, pattern: str, count: int = 1) -> None:
        """Wait until it has written something *count* times."""
        await self.until(lambda: len(re.findall(pattern, self.output)) >= count)

    async def end(self) -> None:
        self._process.loseConnection()
        await self.ended


def trusting(version: ssl.TLSVersion = TLS13, keys: Path | None = None) -> ssl.SSLContext:
    """
    A client's TLS of one version, which accepts any certificate.

    @param keys: where the keys of its connections are written.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    if keys is not None:
        context.keylog_filename = str(keys)
    return context


def in_thread(function: Callable[..., _T], *arguments: Any) -> Deferred[_T]:
    """Run a client's blocking call in a thread."""
    return deferToThread(function, *arguments)


def rest(peer: socket.socket) -> bytes:
    """All that comes until the end, which must be a clean one."""
    pieces = []
    while piece := peer.recv(65_536):
        pieces.append(piece)
    return b"".join(pieces)


def exactly(peer: socket.socket, size: int) -> bytes:
    """The next *size* bytes."""
    data = bytearray()
    while len(data) < size:
        piece = peer.recv(min(65_536, size - len(data)))
        assert piece, "it ended before its time"
        data += piece
    return bytes(data)
