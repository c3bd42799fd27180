"""`livechat.net.opening`: plain HTTP on the TLS port, over real sockets."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.logger import capturedLogs

from livechat.http.plain import Redirects
from livechat.limits.rates import LogLimit, Rate
from livechat.net.opening import LONGEST_HEAD
from livechat.net.proxies import Proxies
from livechat.net.proxy_protocol import PrefacedPort
from livechat.net.tls import PLAIN
from livechat.net.tls_port import TLSPort
from tests.net.peers import PortTest, in_thread, lines, rest
from tests.net.preceded import V4, PrecededEnd

REDIRECTS = Redirects(lambda: ("chat.example", "*.rooms.example"))
GET = b"GET /rooms/a/?name=Ann HTTP/1.1\r\nHost: localhost:10443\r\nX: y\r\n\r\n"
LOCATION = b"\r\nLocation: https://localhost:10443/rooms/a/?name=Ann\r\n"


class RedirectingTest(PortTest):
    """Real connections to a port that redirects."""

    def make_port(self, reactor: Any, factory: Any, context: Any) -> TLSPort:
        return TLSPort(reactor, factory, context, REDIRECTS)

    async def says(self, *pieces: bytes) -> bytes:
        """All that is answered; the protocol hears nothing."""
        end, plain = await self.accept()
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            await in_thread(plain.sendall, piece)
        found = await in_thread(rest, plain)
        plain.close()
        assert await end.lost() is (ConnectionDone if found else ConnectionLost)
        assert end.told == ["connectionMade", "connectionLost"]
        assert end.received == b""
        return found


class RedirectTest(RedirectingTest):
    """Answers to those who speak no TLS."""

    async def test_plain_http_is_redirected_and_logged(self) -> None:
        """Whole or in pieces, a request is sent to https; the log has one line a second."""
        with capturedLogs() as events:
            for pieces in ([GET], [GET + GET], [bytes([byte]) for byte in GET], [GET[:1], GET[1:]]):
                found = await self.says(*pieces)
                assert found.startswith(b"HTTP/1.1 308 ")
                assert LOCATION in found
                assert found.count(b"HTTP/1.1 ") == 1
        assert lines(events)[0] == f"No TLS with 127.0.0.1: {PLAIN}."
        assert len(lines(events)) < 4

    async def test_other_protocols_are_hung_up_on(self) -> None:
        """Other protocols, and requests with a long head, are hung up on."""
        long = GET[:-4] + b"y" * (LONGEST_HEAD - len(GET) + 1) + GET[-4:]
        for said in (b"SSH-2.0-OpenSSH\r\n", b"GET / HTTP/1.1\n\n", b"A" * 20, long):
            self.port._failures = LogLimit(Rate(0, 1))
            with capturedLogs() as events:
                end, plain = await self.accept()
                await in_thread(plain.sendall, said)
                assert await end.lost() is ConnectionLost
            assert len(lines(events)) == 1
            plain.close()

    async def test_a_head_of_the_bound_is_answered(self) -> None:
        """A head of exactly the bound is answered."""
        fits = GET[:-4] + b"y" * (LONGEST_HEAD - len(GET)) + GET[-4:]
        assert (await self.says(fits)).startswith(b"HTTP/1.1 308 ")

    async def test_nothing_goes_out_without_tls(self) -> None:
        """Nothing of it goes out without TLS, whenever it is said."""
        end, plain = await self.accept()
        end.transport.write(b"secret")
        await in_thread(plain.sendall, GET[:5])
        end.transport.write(b"secret")
        await in_thread(plain.sendall, GET[5:])
        found = await in_thread(rest, plain)
        end.transport.write(b"secret")
        assert found.startswith(b"HTTP/1.1 308 ")
        assert b"secret" not in found
        plain.close()
        await end.lost()

    async def test_a_close_within_a_request_cuts(self) -> None:
        """A close in the middle of a request cuts the connection, without a word."""
        end, plain = await self.accept()
        await in_thread(plain.sendall, GET[:5])
        end.transport.reactor.callLater(0.1, end.transport.loseConnection)
        assert await end.lost() is ConnectionAborted

    async def test_a_handshake_goes_on_as_tls(self) -> None:
        """TLS goes on as ever."""
        end, peer = await self.connect()
        await in_thread(peer.sendall, GET)
        await end.hears(GET)


class CutOffTest(RedirectingTest):
    """Peers that keep the port waiting."""

    closing = 0.3
    handshake = 0.5

    async def test_half_a_request_is_cut_in_time(self) -> None:
        """A request that does not end is cut when a handshake would be."""
        for said in (b"G", GET[:-2]):
            end, plain = await self.accept()
            await in_thread(plain.sendall, said)
            assert await end.lost() is ConnectionAborted
            plain.close()
            end, plain = await self.accept()
            plain.sendall(said)
            plain.close()
            assert await end.lost() is ConnectionLost
        assert len(self.port.shaking) == 0

    async def test_a_peer_that_stays_is_cut_off(self) -> None:
        """A peer that has its answer and does not close is cut off."""
        end, plain = await self.accept()
        reading = in_thread(rest, plain)
        plain.sendall(GET)
        assert await reading
        assert await end.lost() is ConnectionAborted


class BehindAProxyTest(PortTest):
    """Behind a header of the PROXY protocol."""

    protocol = PrecededEnd

    def make_port(self, reactor: Any, factory: Any, context: Any) -> TLSPort:
        proxies = Proxies([ipaddress.ip_network("127.0.0.1/32")])
        return PrefacedPort(reactor, factory, context, proxies, REDIRECTS)

    async def test_plain_http_behind_a_proxy_names_its_client(self) -> None:
        """The same is answered, and the log says whom."""
        for pieces in ([V4 + GET], [V4, GET], [V4[:5], V4[5:] + GET[:1], GET[1:]]):
            self.port._failures = LogLimit(Rate(0, 1))
            with capturedLogs() as events:
                end, plain = await self.accept()
                for piece in pieces:
                    await in_thread(plain.sendall, piece)
                assert LOCATION in await in_thread(rest, plain)
                plain.close()
                await end.lost()
            assert lines(events) == [f"No TLS with 203.0.113.9: {PLAIN}."]
            assert end.received == b""
