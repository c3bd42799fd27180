"""`livechat.net.tls`: handshakes, those that fail, and new keys later on."""

from __future__ import annotations

import os
import socket
import ssl
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs

from livechat.net import certificates, tls_context
from livechat.net.records import MOST_RECORDS
from livechat.net.tls import Connection
from tests.net.forge import Forge
from tests.net.peers import TLS12, TLS13, End, OpenSSL, PortTest, exactly, in_thread, lines


def ends(plain: socket.socket) -> bool:
    """Whether the connection ends, in any way, before the test's patience does."""
    try:
        while plain.recv(1_000):
            pass
    except ConnectionResetError:
        pass
    return True


class FailingTest(PortTest):
    """What is no handshake, or not ours."""

    async def fails(self, said: bytes) -> str:
        """The line in the log about somebody who says *said*."""
        with capturedLogs() as events:
            end, plain = await self.accept()
            plain.sendall(said)
            assert await in_thread(ends, plain)
            assert await end.lost() is ConnectionLost
        assert end.told == ["connectionMade", "connectionLost"]
        assert end.received == b""
        (line,) = lines(events)
        return line

    async def test_plain_http(self) -> None:
        """Who speaks HTTP is told of in words that help."""
        line = await self.fails(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert line == (
            "No TLS with 127.0.0.1: it speaks plain HTTP; the address begins with "
            "https:// or wss://."
        )

    async def test_garbage(self) -> None:
        """Who speaks nothing that is known is told of in OpenSSL's words."""
        line = await self.fails(b"\x00" * 16_384)
        assert line.startswith("No TLS with 127.0.0.1: ")
        assert "wrong version" in line or "packet" in line or "record" in line, line

    async def test_old_versions(self) -> None:
        """So is a client that speaks only what we do not."""
        client = OpenSSL(self.reactor, self.address, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        with capturedLogs() as events:
            await client.shows("alert protocol version")
            await client.end()
            await self.ends.until(lambda: self.ends.made and self.ends.made[-1].reason)
        (line,) = lines(events)
        assert "unsupported protocol" in line

    async def test_who_comes_and_goes(self) -> None:
        """Who says nothing at all before it goes is no line in the log."""
        with capturedLogs() as events:
            for said in (b"", b"\x16\x03\x01"):
                end, plain = await self.accept()
                plain.sendall(said)
                plain.close()
                assert await end.lost() is ConnectionLost
        assert lines(events) == []


class ContextTest(PortTest):
    """Certificates that are renewed."""

    async def test_renewed(self) -> None:
        """New connections get the new certificate, those that are there go on with theirs."""
        before, peer = await self.connect()
        made = certificates.load_or_make(self._directory / "renewed")
        self.port.context = tls_context.context(made.chain, made.key)
        _, other = await self.connect()
        assert peer.getpeercert(binary_form=True) != other.getpeercert(binary_form=True)
        await in_thread(peer.sendall, b"still here")
        await before.hears(b"still here")

    async def test_resumption(self) -> None:
        """Sessions are resumed, but for those that were begun with another context."""
        made = certificates.load_or_make(self._directory / "renewed")
        for version in (TLS12, TLS13):
            end, peer = await self.connect(version)
            # Tickets of TLS 1.3 come with what is read first.
            end.transport.write(b".")
            assert await in_thread(exactly, peer, 1) == b"."
            session, context = peer.session, peer.context

            async def resumed(session: Any, context: ssl.SSLContext) -> bool | None:
                def wrap() -> ssl.SSLSocket:
                    return context.wrap_socket(plain, session=session)

                _, plain = await self.accept()
                again = await in_thread(wrap)
                self.addCleanup(again.close)
                return again.session_reused

            assert await resumed(session, context)
            self.port.context = tls_context.context(made.chain, made.key)
            assert not await resumed(session, context)

    async def test_no_renegotiation(self) -> None:
        """A client of TLS 1.2 that wants to begin anew is refused."""
        client = OpenSSL(self.reactor, self.address, "-tls1_2")
        await self.ends.until(lambda: self.ends.made and self.ends.made[-1].told)
        end = self.ends.made[-1]
        client.says("before\n")
        await end.hears(b"before\n")
        client.says("R\n")
        await client.shows("no renegotiation")
        await client.end()
        assert await end.lost() in (ConnectionDone, ConnectionLost)
        assert end.received == b"before\n"


class KeysTest(PortTest):
    """Peers that change their keys, and mean no good by it."""

    async def forging(self, receive_buffer: int = 0) -> tuple[End, ssl.SSLSocket, Forge]:
        """A connection, and what makes more of its records."""
        keys = self._directory / f"keys{len(self.ends.made)}"
        end, peer = await self.connect(keys=keys, receive_buffer=receive_buffer)
        return end, peer, Forge(keys, sent=1)

    def watch(self, end: End) -> list[str]:
        """Which of the two the reactor calls from now on."""
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
        """Who demands new keys and does not end the sentence keeps no processor busy."""
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
        """What is written goes on when it is ended, and what follows waits for its turn."""
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
        """What may not stand in between ends the connection."""
        end, peer, forge = await self.forging()
        os.write(peer.fileno(), forge.key_update_in_two()[0])
        await self.turns()
        end.transport.write(b"one")
        os.write(peer.fileno(), forge.data(b"hello"))
        assert await end.lost() is ConnectionLost
        assert end.received == b""

    async def test_demands_of_one_who_does_not_read(self) -> None:
        """Who does not take the new keys it demands keeps no processor busy; nothing is lost."""
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
        """Who sends new keys without end has no more than its turn."""
        end, peer, forge = await self.forging()
        count = 20 * MOST_RECORDS
        said = b"".join(forge.key_update() for _ in range(count)) + forge.data(b"done")
        end.transport.pauseProducing()
        called = self.watch(end)
        assert os.write(peer.fileno(), said) == len(said)
        end.transport.resumeProducing()
        await end.hears(b"done")
        assert len(called) >= count / MOST_RECORDS
