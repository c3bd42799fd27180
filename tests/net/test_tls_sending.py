"""`livechat.net.tls`: what is written arrives, and what arrives is delivered."""

from __future__ import annotations

import hashlib
import resource
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IPullProducer, IPushProducer
from zope.interface import implementer

from livechat.net.tls import Connection
from tests.net.peers import TLS12, TLS13, OpenSSL, PortTest, exactly, in_thread

MIB = 1024 * 1024


@implementer(IPushProducer)
class Pieces:
    """Writes so many pieces as fast as it may; knows how much ever waited in the transport."""

    def __init__(self, transport: Any, count: int) -> None:
        self._transport = transport
        self._left = count
        self._paused = False
        self.pauses = 0
        self.most_waiting = 0
        self.sum = hashlib.sha256()

    def resumeProducing(self) -> None:
        self._paused = False
        while self._left and not self._paused:
            piece = self._left.to_bytes(4, "big") * (16 * 1024 // 4)
            self._left -= 1
            self.sum.update(piece)
            self._transport.write(piece)
            waiting = len(self._transport.dataBuffer) + self._transport._tempDataLen
            self.most_waiting = max(self.most_waiting, waiting)
        if not self._left:
            self._transport.unregisterProducer()

    def pauseProducing(self) -> None:
        self.pauses += 1
        self._paused = True

    def stopProducing(self) -> None:
        self._left = 0


@implementer(IPullProducer)
class Pulled:
    """Writes one of so many pieces whenever it is asked to."""

    def __init__(self, transport: Any, count: int) -> None:
        self._transport = transport
        self.left = count

    def resumeProducing(self) -> None:
        self.left -= 1
        self._transport.write(b"x" * 1_000)
        if not self.left:
            self._transport.unregisterProducer()

    def stopProducing(self) -> None:
        self.left = 0


class SendingTest(PortTest):
    """Large and small, at once and later."""

    async def test_a_hundred_megabytes(self) -> None:
        """A hundred megabytes reach a slow reader whole, with little of them queued here."""
        end, peer = await self.connect(receive_buffer=20_000)
        size = 100 * MIB
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        pieces = Pieces(end.transport, size // (16 * 1024))
        end.transport.registerProducer(pieces, True)

        def read() -> bytes:
            got, found = 0, hashlib.sha256()
            while got < size:
                data = peer.recv(65_536)
                got += len(data)
                found.update(data)
            return found.digest()

        reading = in_thread(read)
        pieces.resumeProducing()
        assert await reading == pieces.sum.digest()
        assert pieces.pauses > 1
        assert pieces.most_waiting < 128 * 1024
        grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        assert grown < 30 * MIB

    async def test_a_producer_that_waits_to_be_asked(self) -> None:
        """A pull producer is asked for a piece when the last one is sent, until it has no more."""
        end, peer = await self.connect()
        producer = Pulled(end.transport, 100)
        end.transport.registerProducer(producer, False)
        assert len(await in_thread(exactly, peer, 100_000)) == 100_000
        assert producer.left == 0
        end.transport.write(b"and more")
        assert await in_thread(exactly, peer, 8) == b"and more"

    async def test_a_producer_from_before_the_handshake(self) -> None:
        """The same if it was registered before the handshake was done."""
        end, plain = await self.accept()
        end.transport.registerProducer(Pulled(end.transport, 100), False)
        peer = await self.shake(plain)
        assert len(await in_thread(exactly, peer, 100_000)) == 100_000

    async def test_one_large_write(self) -> None:
        """A single write of any size arrives whole, and data behind it follows."""
        for version in (TLS12, TLS13):
            end, peer = await self.connect(version)
            data = bytes(range(256)) * (20 * MIB // 256)
            end.transport.write(data)
            end.transport.writeSequence([b"and", b" so on"])
            assert await in_thread(exactly, peer, len(data)) == data
            assert await in_thread(exactly, peer, 9) == b"and so on"

    async def test_pieces_of_any_size_keep_their_order(self) -> None:
        """Pieces of any size keep their order, those around a record's size above all."""
        end, peer = await self.connect()
        sizes = [0, 1, 16_383, 16_384, 16_385, 40_000, 1, 0, 131_072, 131_073, 7]
        pieces = [bytes([65 + at]) * size for at, size in enumerate(sizes)]
        for piece in pieces:
            end.transport.write(piece)
        whole = b"".join(pieces)
        assert await in_thread(exactly, peer, len(whole)) == whole

    async def test_data_before_the_handshake_arrives_after_it(self) -> None:
        """Data written before the handshake arrives after it, in order."""
        end, plain = await self.accept()
        end.transport.write(b"early, ")
        peer = await self.shake(plain)
        assert await in_thread(exactly, peer, 7) == b"early, "
        end.transport.write(b"late")
        assert await in_thread(exactly, peer, 4) == b"late"

    async def test_paused_before_the_handshake(self) -> None:
        """A pause stops deliveries, not the handshake."""
        end, plain = await self.accept()
        end.transport.pauseProducing()
        peer = await self.shake(plain)
        await in_thread(peer.sendall, b"hello")
        end.transport.write(b"done")
        assert await in_thread(exactly, peer, 4) == b"done"
        assert end.received == b""
        end.transport.resumeProducing()
        await end.hears(b"hello")

    async def test_a_connection_knows_both_addresses(self) -> None:
        """A connection knows both addresses, and switches Nagle's delay off."""
        end, peer = await self.connect()
        transport: Connection = end.transport
        assert transport.getPeer() == IPv4Address("TCP", *peer.getsockname())
        assert transport.getHost() == IPv4Address("TCP", *self.address)
        transport.setTcpNoDelay(True)
        assert transport.getTcpNoDelay()

    async def test_new_keys_lose_nothing(self) -> None:
        """A client of TLS 1.3 may change its keys, and ours, in the middle: nothing is lost."""
        client = OpenSSL(self.reactor, self.address, "-tls1_3")
        await self.ends.until(lambda: self.ends.made and self.ends.made[-1].told)
        end = self.ends.made[-1]
        client.says("one\n")
        await end.hears(b"one\n")
        # The client's keys; then the client's and ours.
        for number, (command, said) in enumerate((("k", b"two\n"), ("K", b"three\n")), 1):
            client.says(f"{command}\n")
            await client.shows("KEYUPDATE", number)
            end.received = b""
            client.says(said.decode())
            await end.hears(said)
            end.transport.write(b"heard " + said)
            await client.shows("heard " + said.decode())
        await client.end()
        await end.lost()
