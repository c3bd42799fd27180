"""`livechat.net.listening`."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from livechat.errors import StartError
from livechat.net.listening import bind, reserve


@contextmanager
def bound(interface: str, port: int = 0) -> Iterator[list[socket.socket]]:
    sockets = bind(interface, port)
    yield sockets
    for each in sockets:
        each.close()


def test_loopback() -> None:
    """Both addresses of the loopback have the same port, and are not waited for."""
    with bound("loopback") as sockets:
        ports = {each.getsockname()[1] for each in sockets}
        assert len(ports) == 1
        for each in sockets:
            assert not each.getblocking()
            socket.create_connection(each.getsockname()[:2], timeout=5).close()


def test_all_addresses() -> None:
    """`::` takes connections over IPv4 too."""
    with bound("::") as (listening,):
        address = ("127.0.0.1", listening.getsockname()[1])
        socket.create_connection(address, timeout=5).close()


def test_a_taken_port() -> None:
    """A port that somebody has is said to be taken."""
    with bound("127.0.0.1") as (taken,):
        port = taken.getsockname()[1]
        for interface in ("127.0.0.1", "loopback", "0.0.0.0"):
            with pytest.raises(StartError, match=f"--port: {port} is taken"):
                bind(interface, port)


def test_an_address_of_others() -> None:
    """An address that the machine has not is said so."""
    with pytest.raises(StartError, match="no address"):
        bind("203.0.113.7", 0)


@pytest.mark.parametrize("interface", ["loopback", "0.0.0.0", "::"])
def test_a_port_that_is_shared(interface: str) -> None:
    """Those who share a port all listen there, and who does not share it cannot."""
    reserved = reserve(interface, 0)
    port = reserved[0].getsockname()[1]
    try:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        listening = bind(interface, port, shared=True)
        others = bind(interface, port, shared=True)
        assert {each.getsockname()[1] for each in (*listening, *others)} == {port}
        for make in (bind, reserve):
            with pytest.raises(StartError, match=f"{port} is taken"):
                make(interface, port)
        for _ in range(20):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        for each in (*listening, *others):
            each.close()
    finally:
        for each in reserved:
            each.close()
