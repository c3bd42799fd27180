"""`livechat.net.listening`."""

from __future__ import annotations

import grp
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from livechat.addresses import Address, parse
from livechat.errors import StartError
from livechat.net.listening import listen, reserve


def at(interface: str, port: int = 0) -> list[Address]:
    return [Address("tls", interface, port, given=False)]


@contextmanager
def bound(interface: str, port: int = 0) -> Iterator[list[socket.socket]]:
    found = listen(at(interface, port))
    yield [each.socket for each in found]
    for each in found:
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
                listen(at(interface, port))


def test_an_address_of_others() -> None:
    """An address that the machine has not is said so."""
    with pytest.raises(StartError, match="no address"):
        listen(at("203.0.113.7"))


@pytest.mark.parametrize("interface", ["loopback", "0.0.0.0", "::"])
def test_a_port_that_is_shared(interface: str) -> None:
    """Those who share a port all listen there, and who does not share it cannot."""
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


def test_several_addresses() -> None:
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


def file(path: Path, more: str = "") -> list[Address]:
    return [parse(f"unix:{path}{more}")]


def taken(path: Path) -> str:
    """Why nobody can listen at *path*."""
    with pytest.raises(StartError, match=r"^--listen: ") as caught:
        listen(file(path))
    return str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chat.sock"


def test_a_file(path: Path) -> None:
    """A socket file has its permissions, takes connections, and goes with its socket."""
    (found,) = listen(file(path, ":mode=620"))
    assert path.stat().st_mode & 0o777 == 0o620
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(path))
    found.close()
    assert not path.exists()


def test_a_file_of_a_group(path: Path) -> None:
    """A file can be a group's; an unknown one is told, and leaves nothing."""
    name = grp.getgrgid(os.getegid()).gr_name
    (found,) = listen(file(path, f":group={name}"))
    assert path.stat().st_gid == os.getegid()
    found.close()
    with pytest.raises(StartError, match="no group nobody-has-this"):
        listen(file(path, ":group=nobody-has-this"))
    assert not path.exists()


def test_a_file_of_a_dead_process(path: Path) -> None:
    """A file on which nobody listens any more is replaced."""
    (dead,) = listen(file(path))
    dead.socket.close()
    assert path.is_socket()
    (found,) = listen(file(path))
    # It is another's now.
    dead.close()
    assert path.is_socket()
    found.close()


def test_a_file_of_a_living_process(path: Path) -> None:
    """A file on which somebody listens stays, also when its backlog is full."""
    with socket.socket(socket.AF_UNIX) as other, ExitStack() as asking:
        other.bind(str(path))
        other.listen(0)
        assert "is taken" in taken(path)
        with suppress(BlockingIOError):
            for _ in range(10):
                each = asking.enter_context(socket.socket(socket.AF_UNIX))
                each.setblocking(False)
                each.connect(str(path))
        assert "is taken" in taken(path)
    assert path.exists()


def test_a_file_that_is_no_socket(path: Path) -> None:
    """Any other file, and a link to a socket, are left alone."""
    path.write_text("precious")
    assert "no socket" in taken(path)
    assert path.read_text() == "precious"
    path.unlink()
    path.symlink_to("elsewhere")
    assert "no socket" in taken(path)
    assert path.is_symlink()


def test_no_such_directory(path: Path) -> None:
    """A missing directory is told, and so is one that is a file."""
    assert "No such file" in taken(path / "chat.sock")
    path.write_text("")
    assert "Not a directory" in taken(path / "chat.sock")


def test_a_long_path(tmp_path: Path) -> None:
    """A path that no socket can have is told in one line."""
    assert "longer than the 107 bytes" in taken(tmp_path / ("x" * 107))
    assert list(tmp_path.iterdir()) == []


def test_an_inherited_file(path: Path) -> None:
    """Workers get the socket, and leave its file to the process that has made it."""
    (reserved,) = reserve(file(path))
    (first,) = listen(file(path), inherited=[os.dup(reserved.socket.fileno())])
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(path))
        first.socket.accept()[0].close()
    first.close()
    assert path.is_socket()
    reserved.close()
    assert not path.exists()
