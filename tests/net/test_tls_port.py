"""`livechat.net.tls_port`."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any, cast

import pytest
from twisted.internet.error import ConnectionAborted
from twisted.internet.task import Clock, deferLater
from twisted.logger import capturedLogs

from livechat.addresses import parse
from livechat.limits.rates import LogLimit, Rate
from livechat.net.listening import listen
from livechat.net.tls_port import LOG_EVERY, TLSPort
from tests.net.peers import PortTest, in_thread, lines


class SayingTest(PortTest):
    """Log lines about clients that cannot be served."""

    def test_many_failures_are_one_line(self) -> None:
        """Many failures in a short time are logged once; the next line counts the others."""
        clock = Clock()
        port = TLSPort(clock, self.ends, self.port.context)  # type: ignore[arg-type]
        peer: Any = SimpleNamespace(hostname="192.0.2.1")
        with capturedLogs() as events:
            for _ in range(100):
                port.handshake_failed(peer, "no")
            clock.advance(LOG_EVERY)
            port.handshake_failed(peer, "no")
            clock.advance(LOG_EVERY)
            port.handshake_failed(peer, "no")
        assert lines(events) == [
            "No TLS with 192.0.2.1: no.",
            "No TLS with 192.0.2.1: no. (99 more since the last one)",
            "No TLS with 192.0.2.1: no.",
        ]


class SlowTest(PortTest):
    """Handshakes that take too long."""

    handshake = 0.5

    async def test_a_slow_handshake_is_cut_off(self) -> None:
        """A client that stops in the middle of a handshake is cut off in time and logged."""
        for said in (b"", b"\x16\x03\x01\x00\xf0\x01\x00\x00\xec\x03\x03" + bytes(40)):
            with capturedLogs() as events:
                end, plain = await self.accept()
                plain.sendall(said)
                assert await end.lost() is ConnectionAborted
            with pytest.raises(ConnectionResetError):
                await in_thread(plain.recv, 1)
            assert lines(events) == ["No TLS with 127.0.0.1: it took too long."]
            self.port._failures = LogLimit(Rate(0, 1))
        assert len(self.port.shaking) == 0


class FinishedTest(PortTest):
    """Handshakes that have a while, which they need on a busy machine."""

    handshake = 1.5

    async def test_a_finished_handshake_has_no_deadline(self) -> None:
        """A finished handshake has no deadline any more."""
        end, peer = await self.connect()
        assert len(self.port.shaking) == 0
        await deferLater(self.reactor, 2 * self.handshake, lambda: None)
        await in_thread(peer.sendall, b"still here")
        await end.hears(b"still here")


class DualStackTest(PortTest):
    """A socket of IPv6 that takes connections over IPv4 too."""

    async def test_a_mapped_peer_has_its_own_address(self) -> None:
        """A mapped IPv4 peer has its own address, wherever that is told."""
        (listening,) = listen([parse("tls:[::]:0")])
        port = self.port.listen(listening.socket)
        listening.close()
        self.addCleanup(port.stopListening)
        for address in ("127.0.0.1", "::1"):
            count = len(self.ends.made)
            with (
                capturedLogs() as events,
                socket.create_connection((address, cast("Any", port).getHost().port)) as plain,
            ):
                plain.sendall(b"\x00" * 100)
                await self.ends.until(lambda: len(self.ends.made) > count)  # noqa: B023
                end = self.ends.made[-1]
                await end.lost()
            assert self.ends.addresses[-1] == address
            assert end.transport.getPeer().host == address
            assert lines(events)[0].startswith(f"No TLS with {address}: ")
            self.port._failures = LogLimit(Rate(0, 1))
