"""Connections of `livechat.net.tls` that are aborted, half closed or lost."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.task import deferLater

from livechat.net.tls import Connection
from tests.net import contracts
from tests.net.contracts import say_goodbye
from tests.net.peers import TLS12, TLS13, End, HalfEnd, PortTest, exactly, in_thread, rest
from tests.net.stoppable import MIB, Stoppable


class AbortTest(PortTest):
    """The protocol aborts."""

    async def test_an_abort_resets_the_peer(self) -> None:
        """The queue is dropped, the peer sees a reset, the protocol is told in a later turn."""
        end, peer = await self.connect(receive_buffer=10_000)
        end.transport.write(b"x" * 20 * MIB)
        end.transport.abortConnection()
        end.transport.abortConnection()
        assert end.reason is None
        assert await end.lost() is ConnectionAborted
        # In the middle of a record, Python takes a reset for an end without goodbye.
        await self.assertFailure(in_thread(rest, peer), ConnectionResetError, ssl.SSLEOFError)

    async def test_nothing_after_it(self) -> None:
        """After aborting nothing is written."""
        end, peer = await self.connect(TLS12)
        end.transport.abortConnection()
        end.transport.write(b"after")
        plain = socket.socket(fileno=peer.detach())
        self.addCleanup(plain.close)
        plain.setblocking(False)
        with pytest.raises(BlockingIOError):
            plain.recv(1, socket.MSG_PEEK)
        assert await end.lost() is ConnectionAborted

    async def test_a_closing_connection_can_be_aborted(self) -> None:
        """A connection that is being closed can be aborted."""
        end, _ = await self.connect(receive_buffer=10_000)
        end.transport.write(b"x" * 20 * MIB)
        end.transport.loseConnection()
        end.transport.abortConnection()
        assert await end.lost() is ConnectionAborted
        assert len(self.port.closing) == 0

    async def test_an_abort_works_within_a_delivery(self) -> None:
        """Aborting works in the middle of a delivery, also in that of the peer's last bytes."""

        class Aborting(End):
            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                self.transport.abortConnection()

        self.ends._made_by = Aborting
        end, plain = await self.accept()
        end.transport.pauseProducing()
        peer = await self.shake(plain)
        await in_thread(peer.sendall, b"?")
        say_goodbye(peer)
        end.transport.resumeProducing()
        assert await end.lost() is ConnectionAborted
        assert end.told == ["connectionMade", "connectionLost"]

    async def test_an_abort_needs_no_handshake(self) -> None:
        """Aborting needs no handshake."""
        end, _ = await self.accept()
        end.transport.abortConnection()
        assert await end.lost() is ConnectionAborted


class PeersEndTest(contracts.PeersEndContract):
    """Peers that end the connection, where each connection reads by itself."""


class HalfCloseTest(PortTest):
    """Protocols that go on when one half of the connection has ended."""

    protocol = HalfEnd

    async def test_the_peer_stops_sending(self) -> None:
        """The protocol is told, once, and goes on writing until it closes."""
        for version in (TLS12, TLS13):
            end, peer = await self.connect(version)
            say_goodbye(peer)
            await end.until(lambda end=end: len(end.told) > 1)  # type: ignore[misc]
            end.transport.write(b"x" * 4 * MIB)
            end.transport.resumeProducing()
            end.transport.loseConnection()
            assert len(await in_thread(exactly, peer, 4 * MIB)) == 4 * MIB
            # So Python calls a clean end after its own goodbye.
            await self.assertFailure(in_thread(rest, peer), ssl.SSLZeroReturnError)
            peer.close()
            assert await end.lost() is ConnectionDone
            assert end.told == ["connectionMade", "readConnectionLost", "connectionLost"]

    async def test_we_stop_sending(self) -> None:
        """The peer gets what was written, and close_notify; we go on reading."""
        for version in (TLS12, TLS13):
            end, peer = await self.connect(version)
            end.transport.write(b"x" * 4 * MIB)
            end.transport.loseWriteConnection()
            assert len(await in_thread(rest, peer)) == 4 * MIB
            await end.until(lambda end=end: "writeConnectionLost" in end.told)  # type: ignore[misc]
            end.transport.write(b"nobody hears this")
            await in_thread(peer.sendall, b"go on")
            await end.hears(b"go on")
            end.transport.loseConnection()
            peer.close()
            assert await end.lost() is ConnectionDone

    async def test_we_stop_before_the_handshake(self) -> None:
        """The same if it was asked for before the handshake was done."""
        end, plain = await self.accept()
        end.transport.loseWriteConnection()
        peer = await self.shake(plain)
        assert await in_thread(rest, peer) == b""
        await in_thread(peer.sendall, b"go on")
        await end.hears(b"go on")

    async def test_both_ends_stop_and_it_closes(self) -> None:
        """If both ends have stopped, closing is all that is left."""
        end, peer = await self.connect()
        end.transport.loseWriteConnection()
        assert await in_thread(rest, peer) == b""
        peer.close()
        await end.until(lambda: "readConnectionLost" in end.told)
        end.transport.loseConnection()
        assert await end.lost() is ConnectionDone

    async def test_the_end_of_the_peer_ends_a_closing_connection(self) -> None:
        """After loseConnection the peer's end is the end."""
        end, peer = await self.connect()
        end.transport.loseConnection()
        assert await in_thread(rest, peer) == b""
        peer.close()
        assert await end.lost() is ConnectionDone
        assert end.told == ["connectionMade", "connectionLost"]


class LostTest(PortTest):
    """Transports of connections that are lost."""

    async def test_a_lost_connection_frees_openssl(self) -> None:
        """OpenSSL's state is freed, and the reactor watches the socket no more."""
        end, peer = await self.connect()
        transport: Connection = end.transport
        peer.close()
        await end.lost()
        assert transport._tls is None
        assert transport not in self.port.shaking
        assert transport not in self.port.closing
        assert not {transport} & {*self.reactor.getReaders(), *self.reactor.getWriters()}

    async def test_calls_on_a_lost_connection_are_ignored(self) -> None:
        """Every call on a lost connection is ignored."""
        end, peer = await self.connect()
        peer.close()
        await end.lost()
        transport: Any = end.transport
        transport.write(b"x")
        transport.writeSequence([b"x"])
        transport.pauseProducing()
        transport.resumeProducing()
        transport.loseWriteConnection()
        transport.loseConnection()
        transport.abortConnection()
        producer = Stoppable()
        transport.registerProducer(producer, True)
        assert producer.stopped == 1
        await deferLater(self.reactor, 0, lambda: None)
        assert end.told == ["connectionMade", "connectionLost"]

    async def test_a_protocol_with_a_bug(self) -> None:
        """An exception from a delivery is logged and ends its connection, and no other."""

        class Broken(End):
            def dataReceived(self, data: bytes) -> None:
                raise ZeroDivisionError

        other, beside = await self.connect()
        self.ends._made_by = Broken
        end, plain = await self.accept()
        peer = await self.shake(plain)
        await in_thread(peer.sendall, b"x")
        assert await end.lost() is ZeroDivisionError
        assert len(self.flushLoggedErrors(ZeroDivisionError)) == 1
        await in_thread(beside.sendall, b"x")
        await other.hears(b"x")
        # Pythons differ in whether an end without an alert is an error.
        try:
            assert await in_thread(rest, peer) == b""
        except (ssl.SSLError, OSError):
            peer.close()
