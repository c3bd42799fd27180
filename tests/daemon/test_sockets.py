"""`livechat.daemon.sockets`."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from livechat.addresses import parse
from livechat.daemon.sockets import Kept, OfPorts
from livechat.errors import StartError
from livechat.net.activation import Inherited
from livechat.net.listening import listen, reserve


def knock(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 5)


def test_a_place_keeps_its_sockets() -> None:
    """The next worker at a place finds its waiting connections; places share a port."""
    reserved = reserve([parse("tls:127.0.0.1:0")])
    port = reserved[0].address.port
    sockets = OfPorts(reserved)
    ((_, one),) = sockets.take(1)
    with knock(port):
        assert sockets.take(1)[0].socket is one
        ((_, two),) = sockets.take(2)
        assert two is not one
        assert two.getsockname()[1] == one.getsockname()[1] == port
        accepted, _ = one.accept()
        accepted.close()
    sockets.close()


def test_nobody_waits_at_a_place_that_was_dropped() -> None:
    """Connections that wait there break, and the next ones come elsewhere."""
    reserved = reserve([parse("tls:127.0.0.1:0")])
    port = reserved[0].address.port
    sockets = OfPorts(reserved)
    ((_, one),) = sockets.take(1)
    with knock(port) as waiting:
        sockets.drop(1)
        sockets.drop(1)
        assert one.fileno() == -1
        with pytest.raises(ConnectionResetError):
            waiting.recv(1)
        ((_, two),) = sockets.take(2)
        with knock(port):
            two.setblocking(True)
            two.settimeout(5)
            accepted, _ = two.accept()
            accepted.close()
    sockets.close()
    with pytest.raises(ConnectionRefusedError):
        knock(port)


def test_a_port_that_was_taken_meanwhile_is_told() -> None:
    """A port that another process has taken meanwhile is a clear error."""
    reserved = reserve([parse("tls:127.0.0.1:0")])
    port = reserved[0].address.port
    sockets = OfPorts(reserved)
    for each in reserved:
        each.close()
    (taken,) = listen([parse(f"tls:127.0.0.1:{port}")])
    with taken.socket, pytest.raises(StartError, match="taken"):
        sockets.take(1)


def test_workers_share_sockets_of_systemd() -> None:
    """All workers share systemd's sockets, which stay open when one of them breaks."""
    one = listen([parse("tls:127.0.0.1:0")])[0].socket
    sockets = Kept([Inherited("tls", one)])
    assert sockets.take(1) == sockets.take(2) == [("tls", one)]
    sockets.drop(1)
    assert one.fileno() >= 0
    sockets.close()
    assert one.fileno() == -1


def test_all_workers_accept_at_a_socket_file(tmp_path: Path) -> None:
    """All workers accept at a socket file, which goes when they are gone."""
    file = tmp_path / "chat.sock"
    sockets = OfPorts(reserve([parse("http:127.0.0.1:0"), parse(f"unix:{file}")]))
    one, two = sockets.take(1), sockets.take(2)
    assert [name for name, _ in one] == ["http", "unix"]
    assert one[0] != two[0]
    assert one[1] == two[1]
    sockets.drop(1)
    assert one[1].socket.fileno() >= 0
    sockets.close()
    assert file.is_socket()
    sockets.clean()
    assert not file.exists()
