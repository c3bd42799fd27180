"""`livechat.net.listening`."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from livechat.addresses import Address, parse
from livechat.errors import StartError
from livechat.net.activation import Inherited
from livechat.net.listening import adopted, listen, reserve


def at(interface: str, port: int = 0) -> list[Address]:
    return [Address("tls", interface, port, given=False)]


@contextmanager
def bound(interface: str, port: int = 0) -> Iterator[list[socket.socket]]:
    found = listen(at(interface, port))
    yield [each.socket for each in found]
    for each in found:
        each.close()


def test_both_loopback_addresses_share_a_port() -> None:
    """Both addresses of the loopback have the same port, and are not waited for."""
    with bound("loopback") as sockets:
        ports = {each.getsockname()[1] for each in sockets}
        assert len(ports) == 1
        for each in sockets:
            assert not each.getblocking()
            socket.create_connection(each.getsockname()[:2], timeout=5).close()


def test_all_addresses_include_ipv4() -> None:
    """`::` takes connections over IPv4 too."""
    with bound("::") as (listening,):
        address = ("127.0.0.1", listening.getsockname()[1])
        socket.create_connection(address, timeout=5).close()


def test_a_taken_port_is_told() -> None:
    """A port that somebody has is said to be taken."""
    with bound("127.0.0.1") as (taken,):
        port = taken.getsockname()[1]
        for interface in ("127.0.0.1", "loopback", "0.0.0.0"):
            with pytest.raises(StartError, match=f"--port: {port} is taken"):
                listen(at(interface, port))


def test_an_address_of_another_machine_is_told() -> None:
    """An address that the machine has not is said so."""
    with pytest.raises(StartError, match="no address"):
        listen(at("203.0.113.7"))


@pytest.mark.parametrize("interface", ["loopback", "0.0.0.0", "::"])
def test_a_port_that_is_shared(interface: str) -> None:
    """Sharers of a port all listen on it; a process that does not share it is refused."""
    reserved = reserve(at(interface))
    port = reserved[0].address.port
    try:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        listening = listen(at(interface, port), shared=True)
        others = listen(at(interface, port), shared=True)
        ports = {each.socket.getsockname()[1] for each in (*listening, *others)}
        assert ports == {port} == {each.address.port for each in (*listening, *others)}
        for make in (listen, reserve):
            with pytest.raises(StartError, match=f"{port} is taken"):
                make(at(interface, port))
        for _ in range(20):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        for each in (*listening, *others):
            each.close()
    finally:
        for each in reserved:
            each.close()


def test_all_addresses_are_listened_on_or_none() -> None:
    """All addresses are listened on, or none of them."""
    both = [parse("tls:0"), parse("http:127.0.0.9:0")]
    found = listen(both)
    try:
        assert [each.address.kind for each in found][-1] == "http"
        port = found[-1].address.port
        assert str(found[-1].address) == f"http:127.0.0.9:{port}"
        free = found[0].address.port
        found.pop(0).close()
        found.pop(0).close()
        with pytest.raises(StartError, match=f"--listen: {port} is taken on 127.0.0.9"):
            listen([parse(f"tls:{free}"), found[-1].address])
        closed = listen([parse(f"tls:{free}")])
        found += closed
    finally:
        for each in found:
            each.close()


def test_sockets_that_others_keep(tmp_path: Path) -> None:
    """A name, or a file, says which are for proxies; the file stays its keeper's."""
    file = tmp_path / "chat.sock"
    found = listen([parse("tls:127.0.0.1:0"), parse("http:[::1]:0"), parse(f"unix:{file}")])
    try:
        names = ("whatever", "http", "whatever")
        given = [Inherited(name, each.socket) for name, each in zip(names, found, strict=True)]
        taken = adopted(given)
        assert [each.address for each in taken] == [each.address for each in found]
        taken[-1].close()
        assert file.is_socket()
    finally:
        for each in found:
            each.close()
    assert not file.exists()
