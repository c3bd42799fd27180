"""`livechat.net.proxy_protocol`."""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import Any

import pytest
from twisted.logger import capturedLogs

from livechat.limits.rates import LogLimit, Rate
from livechat.net.proxies import Proxies
from livechat.net.proxy_protocol import (
    _LONGEST_REST,
    _SIGNATURE,
    PrefacedPort,
    _end,
    _Invalid,
    _source,
)
from livechat.net.tls_port import TLSPort
from tests.net.peers import TLS13, PortTest, in_thread
from tests.net.preceded import V4, PrecededEnd, second

V6 = second(
    1,
    0x21,
    socket.inet_pton(socket.AF_INET6, "2001:db8::9")
    + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    + struct.pack("!HH", 5_000, 443),
)
NAMED = [
    (b"PROXY TCP4 203.0.113.9 192.0.2.1 5000 443\r\n", "203.0.113.9"),
    (b"PROXY TCP6 2001:db8::9 2001:db8::1 5000 443\r\n", "2001:db8::9"),
    (b"PROXY TCP6 ::ffff:203.0.113.9 ::ffff:192.0.2.1 5000 443\r\n", "203.0.113.9"),
    (V4, "203.0.113.9"),
    (V6, "2001:db8::9"),
]
#: By which a proxy speaks for itself.
UNNAMED = [b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN x y\r\n", second(0, 0, b"")]
WRONG = [
    b"GET / HTTP/1.1\r\n",
    b"\x16\x03\x01\x02\x00",
    b"PROXY TCP4 nonsense 192.0.2.1 5000 443\r\n",
    b"PROXY TCP4 203.0.113.9 192.0.2.1 x 443\r\n",
    b"PROXY TCP4 203.0.113.9\r\n",
    b"PROXY TCP5 203.0.113.9 192.0.2.1 5000 443\r\n",
    b"PROXY \xff\xff \xff\r\n",
    b"PROXY " + b"x" * 200,
    second(7, 0x11, bytes(12)),
    second(1, 0x11, bytes(3)),
    second(1, 0x99, bytes(12)),
    second(1, 0x11, bytes(_LONGEST_REST + 1)),
    _SIGNATURE + b"\x51\x11\x00\x00",
]


@pytest.mark.parametrize(("header", "expected"), [*NAMED, *((each, None) for each in UNNAMED)])
def test_a_header_ends_wherever_it_is_cut(header: bytes, expected: str | None) -> None:
    """A header ends where it ends, wherever it is cut, and says who it is."""
    for size in range(len(header)):
        assert _end(header[:size]) is None
    assert _end(header + b"\x16\x03\x01 and more") == len(header)
    found = _source(header)
    assert (found.host if found else None) == expected


@pytest.mark.parametrize("header", WRONG)
def test_wrong_headers_are_refused(header: bytes) -> None:
    """Every invalid header is refused as such."""

    def read() -> None:
        _source(header[: _end(header)])

    with pytest.raises(_Invalid):
        read()


class PrefaceTest(PortTest):
    """Connections that begin with a header, and then speak TLS."""

    protocol = PrecededEnd
    trusted = "127.0.0.1/32"

    def make_port(self, reactor: Any, factory: Any, context: Any) -> TLSPort:
        proxies = Proxies([ipaddress.ip_network(self.trusted)])
        return PrefacedPort(reactor, factory, context, proxies)

    async def test_the_protocol_knows_the_named_client(self) -> None:
        """The protocol knows whom it is from, and gets what follows."""
        for header, expected in NAMED:
            for step in (1, 7, 1_000):
                end, plain = await self.accept()
                for at in range(0, len(header), step):
                    plain.sendall(header[at : at + step])
                peer = await self.shake(plain, TLS13)
                await in_thread(peer.sendall, b"hello")
                await end.hears(b"hello")
                assert end.told == ["connectionMade", f"comes from {expected}"]
                assert end.transport.getPeer().host == expected

    async def test_a_proxy_may_speak_for_itself(self) -> None:
        """A proxy that speaks for itself is who it is."""
        for header in UNNAMED:
            end, plain = await self.accept()
            plain.sendall(header)
            peer = await self.shake(plain, TLS13)
            await in_thread(peer.sendall, b"hello")
            await end.hears(b"hello")
            assert end.told == ["connectionMade"]
            assert end.transport.getPeer().host == "127.0.0.1"

    async def test_a_missing_header_is_cut_off_and_logged(self) -> None:
        """Without a header it is cut off, and said so in the log."""
        for said in WRONG:
            self.port._failures = LogLimit(Rate(0, 1))
            with capturedLogs() as events:
                end, plain = await self.accept()
                plain.sendall(said)
                await end.lost()
            assert [event["reason"] for event in events if "reason" in event] == [
                "it is a proxy, and sends no PROXY header"
            ]

    async def test_an_unfinished_header_is_not_logged(self) -> None:
        """A connection that ends within the header is not logged."""
        with capturedLogs() as events:
            end, plain = await self.accept()
            plain.sendall(V4[:20])
            plain.close()
            await end.lost()
        assert not [event for event in events if "reason" in event]


class OthersTest(PortTest):
    """Clients that are not trusted to send a header."""

    protocol = PrecededEnd

    def make_port(self, reactor: Any, factory: Any, context: Any) -> TLSPort:
        return PrefacedPort(
            reactor, factory, context, Proxies([ipaddress.ip_network("10.0.0.0/8")])
        )

    async def test_a_header_of_a_stranger_is_garbage(self) -> None:
        """Untrusted clients speak TLS at once; a header from them is garbage."""
        end, peer = await self.connect()
        await in_thread(peer.sendall, b"hello")
        await end.hears(b"hello")
        end, plain = await self.accept()
        plain.sendall(NAMED[0][0])
        await end.lost()
        assert end.told == ["connectionMade", "connectionLost"]
