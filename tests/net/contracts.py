"""Tests of connections that different parts of `livechat.net` read."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import deferLater

from livechat.net.records import MOST_RECORDS
from livechat.net.tls import Connection
from tests.net.forge import Forge
from tests.net.peers import (
    PATIENCE,
    TLS12,
    TLS13,
    End,
    PortTest,
    exactly,
    in_thread,
)

_MIB = 1024**2


def reset(peer: socket.socket) -> None:
    """Close *peer* so that the kernel sends RST."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # Past TLS, which would say goodbye.
    socket.socket(fileno=peer.detach()).close()


def say_goodbye(peer: ssl.SSLSocket) -> None:
    """Send close_notify, and nothing else."""
    peer.settimeout(0)
    with contextlib.suppress(ssl.SSLWantReadError):
        peer.unwrap()
    peer.settimeout(PATIENCE)


class KeysContract(PortTest):
    """Peers that change their keys, and mean no good by it."""

    async def forging(self, receive_buffer: int = 0) -> tuple[End, ssl.SSLSocket, Forge]:
        """A connection, and what makes more of its records."""
        keys = self._directory / f"keys{len(self.ends.made)}"
        end, peer = await self.connect(keys=keys, receive_buffer=receive_buffer)
        return end, peer, Forge(keys, sent=1)

    def watch(self, end: End) -> list[str]:
        """Record which of the two the reactor calls from now on."""
        called: list[str] = []
        transport: Connection = end.transport
        read, write = transport.doRead, transport.doWrite

        def watched_read() -> Any:
            called.append("doRead")
            return read()

        def watched_write() -> Any:
            called.append("doWrite")
            return write()

        self.patch(transport, "doRead", watched_read)
        self.patch(transport, "doWrite", watched_write)
        return called

    async def turns(self, count: int = 50) -> None:
        """Turn the reactor so many times."""
        for _ in range(count):
            await deferLater(self.reactor, 0, lambda: None)

    async def test_half_a_demand(self) -> None:
        """An unfinished KeyUpdate keeps no processor busy."""
        end, peer, forge = await self.forging()
        called = self.watch(end)
        first, second = forge.key_update_in_two()
        os.write(peer.fileno(), first)
        await self.turns()
        end.transport.write(b"one, ")
        end.transport.write(b"two")
        await self.turns()
        assert len(called) < 10
        os.write(peer.fileno(), second)
        assert await in_thread(exactly, peer, 8) == b"one, two"
        end.transport.write(b", three")
        assert await in_thread(exactly, peer, 7) == b", three"

    async def test_half_a_demand_of_one_who_pauses(self) -> None:
        """Writing goes on when the KeyUpdate is complete; data behind it waits for its turn."""
        end, peer, forge = await self.forging()
        first, second = forge.key_update_in_two()
        os.write(peer.fileno(), first)
        await self.turns()
        end.transport.write(b"one")
        await self.turns()
        end.transport.pauseProducing()
        os.write(peer.fileno(), second + forge.data(b"hello"))
        assert await in_thread(exactly, peer, 3) == b"one"
        await self.turns()
        assert end.received == b""
        end.transport.resumeProducing()
        await end.hears(b"hello")

    async def test_half_a_demand_and_something_else(self) -> None:
        """Data in the middle of a KeyUpdate ends the connection."""
        end, peer, forge = await self.forging()
        os.write(peer.fileno(), forge.key_update_in_two()[0])
        await self.turns()
        end.transport.write(b"one")
        os.write(peer.fileno(), forge.data(b"hello"))
        assert await end.lost() is ConnectionLost
        assert end.received == b""

    async def test_demands_of_one_who_does_not_read(self) -> None:
        """A peer that leaves the demanded keys unread keeps no processor busy and loses no data."""
        for size in range(100, 200):
            end, peer, forge = await self.forging(receive_buffer=4_096)
            sent, heard = await self.fill(end, peer, forge, size)
            called = self.watch(end)
            os.write(peer.fileno(), forge.data(b"more"))
            await self.turns()
            assert len(called) < 10
            blocked = end.transport._shaking
            assert len(await in_thread(exactly, peer, sent)) == sent
            await end.hears(b"." * heard + b"more")
            # Or the kernel was full in the middle of a piece, and not just before new keys:
            # with pieces of other sizes it comes to that.
            if blocked:
                return
        raise AssertionError("the kernel always took the new keys")

    async def fill(self, end: End, peer: ssl.SSLSocket, forge: Forge, size: int) -> tuple[int, int]:
        """Demand new keys before each piece, until the kernel takes no more; bytes each way."""
        transport: Connection = end.transport
        transport.setTcpNoDelay(True)
        transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        count = 0
        while not transport._tempDataBuffer:
            count += 1
            os.write(peer.fileno(), forge.key_update() + forge.data(b"."))
            await end.hears(b"." * count)
            transport.write(b"x" * size)
        await self.turns()
        return count * size, count

    async def test_keys_without_end(self) -> None:
        """Endless KeyUpdates get no more than a connection's turn."""
        end, peer, forge = await self.forging()
        count = 20 * MOST_RECORDS
        said = b"".join(forge.key_update() for _ in range(count)) + forge.data(b"done")
        end.transport.pauseProducing()
        called = self.watch(end)
        assert os.write(peer.fileno(), said) == len(said)
        end.transport.resumeProducing()
        await end.hears(b"done")
        assert len(called) >= count / MOST_RECORDS


class PeersEndContract(PortTest):
    """The peer ends the connection."""

    async def test_close_notify(self) -> None:
        """A close_notify from the peer is answered with ours: ConnectionDone."""
        for version in (TLS12, TLS13):
            end, peer = await self.connect(version)
            await in_thread(peer.sendall, b"bye")
            await in_thread(peer.unwrap)
            assert await end.lost() is ConnectionDone
            assert end.received == b"bye"

    async def test_fin(self) -> None:
        """TCP ends without TLS's goodbye: something may be missing."""
        end, peer = await self.connect()
        await in_thread(peer.sendall, b"by")
        socket.socket(fileno=peer.detach()).close()
        assert await end.lost() is ConnectionLost
        assert end.received == b"by"

    async def test_reset(self) -> None:
        """The peer breaks off."""
        end, peer = await self.connect()
        reset(peer)
        assert await end.lost() is ConnectionLost

    async def test_reset_while_paused(self) -> None:
        """A reset while paused is noticed on resuming."""
        end, peer = await self.connect()
        end.transport.pauseProducing()
        reset(peer)
        end.transport.resumeProducing()
        assert await end.lost() is ConnectionLost

    async def test_reset_while_writing(self) -> None:
        """Writing to a broken connection does no harm: it is lost in a later turn."""
        end, peer = await self.connect(receive_buffer=10_000)
        other, beside = await self.connect()
        end.transport.write(b"x" * 4 * _MIB)
        reset(peer)
        for _ in range(10):
            end.transport.write(b"more")
        other.transport.write(b"not broken")
        assert end.reason is None
        assert await end.lost() is ConnectionLost
        assert await in_thread(exactly, beside, 10) == b"not broken"
        await in_thread(beside.sendall, b"nor is this")
        await other.hears(b"nor is this")

    async def test_reset_in_the_handshake(self) -> None:
        """Before the handshake is done, it is lost without a word."""
        end, plain = await self.accept()
        plain.sendall(b"\x16\x03\x01")
        reset(plain)
        assert await end.lost() is ConnectionLost
