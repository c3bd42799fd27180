"""`livechat.net.plain_port`, on a real reactor, sockets of TCP and socket files."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from livechat.addresses import Address, parse
from livechat.limits.rates import LogLimit, Rate
from livechat.net import dispatch, stream_port
from livechat.net.listening import listen
from livechat.net.plain_port import PlainPort
from tests.net.peers import PATIENCE, End, Watched, in_thread


class Ends(Watched, Factory[End]):
    """Makes ends, and knows them."""

    noisy = False

    def __init__(self) -> None:
        super().__init__()
        self.made: list[End] = []
        self.addresses: list[Any] = []

    def buildProtocol(self, addr: Any) -> End:
        self.addresses.append(addr)
        end = End()
        self.made.append(end)
        end.until(lambda: end.told).addCallback(lambda _: self.changed())
        return end


class Producer:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


class TcpTest(TestCase):
    """A socket of TCP."""

    timeout = 2 * PATIENCE

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    def address(self) -> Address:
        return parse("http:127.0.0.1:0")

    def peer(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.listening.address.port), PATIENCE)

    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415

        self.reactor: Any = reactor
        dispatch.install(reactor)
        self.addCleanup(vars(reactor).pop, "doIteration", None)
        self.patch(stream_port, "CLOSING", 0.5)
        self.ends = Ends()
        self.port = PlainPort(reactor, self.ends)
        (self.listening,) = listen([self.address()])
        port: Any = self.port.listen(self.listening.socket)
        self.addCleanup(self.listening.close)
        self.addCleanup(port.stopListening)

    async def connect(self) -> tuple[End, socket.socket]:
        count = len(self.ends.made)
        peer = await in_thread(self.peer)
        self.addCleanup(peer.close)
        await self.ends.until(lambda: len(self.ends.made) > count and self.ends.made[-1].told)
        return self.ends.made[-1], peer

    async def hang_up(self, end: End, peer: socket.socket) -> None:
        peer.close()
        await end.lost()

    async def test_data_arrives_both_ways(self) -> None:
        """Written data arrives at once and in order."""
        end, peer = await self.connect()
        end.transport.setTcpNoDelay(True)
        peer.sendall(b"ask")
        await end.hears(b"ask")
        end.transport.write(b"an")
        end.transport.writeSequence([b"s", b"wer"])
        assert peer.recv(100) == b"answer"
        await self.hang_up(end, peer)
        assert end.reason is ConnectionDone

    async def test_a_peer_has_an_address(self) -> None:
        """A peer has an address."""
        end, peer = await self.connect()
        assert self.ends.addresses[-1] == end.transport.getPeer()
        assert isinstance(end.transport.getPeer(), IPv4Address)
        assert end.transport.getHost().port == self.listening.address.port
        await self.hang_up(end, peer)

    async def test_a_full_kernel_pauses_the_producer(self) -> None:
        """Data that the kernel does not take is queued; a producer is paused and resumed."""
        end, peer = await self.connect()
        producer, data = Producer(), bytes(range(256)) * 40_000
        end.transport.registerProducer(producer, True)
        end.transport.write(data[:5_000_000])
        end.transport.write(data[5_000_000:])
        assert set(producer.told) == {"pause"}

        def read() -> bytes:
            received = b""
            while len(received) < len(data):
                received += peer.recv(1 << 20)
            return received

        assert await in_thread(read) == data
        await end.until(lambda: True)
        end.transport.unregisterProducer()
        await self.hang_up(end, peer)
        assert producer.told[-1] == "resume"

    async def test_data_before_the_close_arrives(self) -> None:
        """Data written before the close arrives, whatever the peer still sends."""
        end, peer = await self.connect()
        peer.sendall(bytes(100))
        await end.until(lambda: end.received)
        end.transport.pauseProducing()
        end.transport.write(b"no")
        producer = Producer()
        end.transport.registerProducer(producer, True)
        end.transport.loseConnection()
        end.transport.loseConnection()
        assert producer.told == ["stop"]
        heard = len(end.received)
        end.transport.write(b"too late")
        late = Producer()
        end.transport.registerProducer(late, True)
        assert late.told == ["stop"]

        def read() -> bytes:
            peer.sendall(bytes(500_000))
            return peer.recv(100) + peer.recv(100)

        assert await in_thread(read) == b"no"
        peer.close()
        assert await end.lost() is ConnectionDone
        assert len(end.received) == heard

    async def test_a_peer_that_stays_is_cut_off(self) -> None:
        """A peer that does not close its end is cut off in time."""
        end, _ = await self.connect()
        end.transport.loseConnection()
        assert await end.lost() is ConnectionAborted
        assert len(self.port.closing) == 0

    async def test_a_peer_that_speaks_tls(self) -> None:
        """A TLS handshake is cut off and logged, but not each time."""
        self.port._failures = LogLimit(Rate(1 / 3_600, 1))
        with capturedLogs() as events:
            for _ in range(3):
                end, peer = await self.connect()
                peer.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
                assert await end.lost() is ConnectionAborted
                assert end.received == b""
        (line,) = [event["log_format"].format(**event) for event in events]
        assert "it speaks TLS" in line

    async def test_a_paused_transport_delivers_nothing(self) -> None:
        """While it is paused nothing is delivered."""
        end, peer = await self.connect()
        end.transport.pauseProducing()
        peer.sendall(b"later")
        await deferLater(self.reactor, 0.05, lambda: None)
        assert end.received == b""
        end.transport.resumeProducing()
        await end.hears(b"later")
        await self.hang_up(end, peer)
        end.transport.resumeProducing()
        end.transport.write(b"nobody")


class FileTest(TcpTest):
    """A socket file."""

    def address(self) -> Address:
        return parse(f"unix:{self.directory}/chat.sock")

    def peer(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(PATIENCE)
        made.connect(str(self.directory / "chat.sock"))
        return made

    async def test_a_peer_has_an_address(self) -> None:
        """A peer on a socket file has none."""
        end, peer = await self.connect()
        assert end.transport.getPeer() == end.transport.getHost() == UNIXAddress(None)
        assert end.transport.hostname == ""
        await self.hang_up(end, peer)

    def test_accepting_does_not_change_the_file(self) -> None:
        """Accepting does not change the file."""
        assert (self.directory / "chat.sock").stat().st_mode & 0o777 == 0o660
