"""`livechat.net.listening`."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from livechat.errors import StartError
from livechat.net.listening import bind


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
