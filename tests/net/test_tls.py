"""`livechat.net.tls`: handshakes, those that fail, and new keys later on."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.logger import capturedLogs

from livechat.net import certificates, tls_context
from tests.net import contracts
from tests.net.peers import TLS12, TLS13, OpenSSL, PortTest, exactly, in_thread, lines


def ends(plain: socket.socket) -> bool:
    """Return True once the connection has ended in any way; the test's timeout bounds the wait."""
    try:
        while plain.recv(1_000):
            pass
    except ConnectionResetError:
        pass
    return True


class FailingTest(PortTest):
    """Bytes that are no handshake, or not of a version that is served."""

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

    async def test_plain_http_is_logged_in_words(self) -> None:
        """Plain HTTP is logged in words that help."""
        line = await self.fails(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert line == (
            "No TLS with 127.0.0.1: it speaks plain HTTP; the address begins with "
            "https:// or wss://."
        )

    async def test_garbage_is_logged_in_words_of_openssl(self) -> None:
        """Garbage is logged in OpenSSL's words."""
        line = await self.fails(b"\x00" * 16_384)
        assert line.startswith("No TLS with 127.0.0.1: ")
        assert "wrong version" in line or "packet" in line or "record" in line, line

    async def test_old_versions_are_logged(self) -> None:
        """So is a client that speaks only what we do not."""
        client = OpenSSL(self.reactor, self.address, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        with capturedLogs() as events:
            await client.shows("alert protocol version")
            await client.end()
            await self.ends.until(lambda: self.ends.made and self.ends.made[-1].reason)
        (line,) = lines(events)
        assert "unsupported protocol" in line

    async def test_who_comes_and_goes(self) -> None:
        """A client that says nothing and leaves is not logged."""
        with capturedLogs() as events:
            for said in (b"", b"\x16\x03\x01"):
                end, plain = await self.accept()
                plain.sendall(said)
                plain.close()
                assert await end.lost() is ConnectionLost
        assert lines(events) == []


class ContextTest(PortTest):
    """Certificates that are renewed."""

    async def test_new_connections_get_the_new_certificate(self) -> None:
        """New connections get the new certificate, those that are there go on with theirs."""
        before, peer = await self.connect()
        made = certificates.load_or_make(self._directory / "renewed")
        self.port.context = tls_context.context(made.chain, made.key)
        _, other = await self.connect()
        assert peer.getpeercert(binary_form=True) != other.getpeercert(binary_form=True)
        await in_thread(peer.sendall, b"still here")
        await before.hears(b"still here")

    async def test_sessions_are_resumed_within_a_context(self) -> None:
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

    async def test_renegotiation_is_refused(self) -> None:
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


class KeysTest(contracts.KeysContract):
    """Peers that change their keys, where each connection reads by itself."""
