"""Wires with TLS on pairs of sockets, and a fixture of both parts that can write to them."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from OpenSSL import SSL
from OpenSSL._util import lib

from livechat.net import _slow, certificates, fast, tls_context
from tests.net.peers import exactly, trusting

#: Seconds to wait for data; a test reads only data that is there, or never comes.
PATIENCE = 10.0


def native() -> ModuleType:
    """The part in C, which tests are not run without."""
    part = import_module("livechat.net._fast")
    fast.set_up(part)
    return part


@pytest.fixture(params=["pure", "native"])
def part(request: pytest.FixtureRequest) -> ModuleType:
    """Each of the two parts in its turn."""
    return _slow if request.param == "pure" else native()


class Pair:
    """
    A connection's two ends, which have shaken hands.

    @ivar wire: the server's end, ready and direct.
    """

    def __init__(self, part: Any, context: SSL.Context) -> None:
        here, there = socket.socketpair()
        here.setblocking(False)
        there.settimeout(PATIENCE)
        self.here = here
        self.tls = SSL.Connection(context, here)
        self.tls.set_accept_state()
        self.there = _shaken(self.tls, there)
        self.wire = part.Wire()
        self.wire.attach(self.tls._ssl)
        self.wire.open = self.wire.direct = self.wire.ready = True

    def close(self) -> None:
        self.wire.detach()
        self.there.close()
        self.here.close()

    def hears(self, size: int) -> bytes:
        """Read the next *size* bytes at the client's end."""
        return exactly(self.there, size)

    def buffer(self, size: int) -> None:
        """Have the kernel take about *size* bytes that are not read."""
        self.here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)

    def fill(self) -> None:
        """Write until the kernel takes no more."""
        while lib.SSL_write(self.wire.ssl, bytes(8_192), 8_192) > 0:
            pass

    def send(self, data: bytes) -> None:
        """Send all of *data*, waiting for room, from other memory each time."""
        while data:
            sent = lib.SSL_write(self.wire.ssl, data, len(data))
            if sent > 0:
                data = data[sent:]
            else:
                select.select((), (self.here,), (), PATIENCE)

    def hears_nothing(self) -> None:
        self.there.settimeout(0)
        with pytest.raises((ssl.SSLWantReadError, BlockingIOError)):
            self.there.recv(1)
        self.there.settimeout(PATIENCE)


def _shaken(server: SSL.Connection, plain: socket.socket) -> Any:
    """Shake hands between both ends, in one thread; return the client's."""
    plain.setblocking(False)
    client = trusting().wrap_socket(plain, do_handshake_on_connect=False)
    waiting = {client.do_handshake, server.do_handshake}
    while waiting:
        for shake in tuple(waiting):
            try:
                shake()
            except (ssl.SSLWantReadError, SSL.WantReadError):
                continue
            waiting.discard(shake)
    client.settimeout(PATIENCE)
    return client


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> SSL.Context:
    """The settings of a server."""
    made = certificates.load_or_make(tmp_path_factory.mktemp("wires"))
    return tls_context.context(made.chain, made.key)


@pytest.fixture
def pairs(part: ModuleType, tls: SSL.Context) -> Iterator[list[Pair]]:
    """Three connections."""
    made = [Pair(part, tls) for _ in range(3)]
    yield made
    for pair in made:
        pair.close()
