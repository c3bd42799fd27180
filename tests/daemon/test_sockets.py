"""`livechat.daemon.sockets`."""

from __future__ import annotations

import socket

import pytest

from livechat.daemon.sockets import Kept, OfOnePort
from livechat.errors import StartError
from livechat.net.activation import Inherited
from livechat.net.listening import bind, reserve


def knock(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 5)


def test_a_place_keeps_its_sockets() -> None:
    """Whoever follows at a place finds what waits there; places share a port."""
    reserved = reserve("127.0.0.1", 0)
    port = reserved[0].getsockname()[1]
    sockets = OfOnePort("127.0.0.1", reserved)
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
    reserved = reserve("127.0.0.1", 0)
    port = reserved[0].getsockname()[1]
    sockets = OfOnePort("127.0.0.1", reserved)
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


def test_a_port_that_is_lost() -> None:
    """Where no socket can be had, that is told in words."""
    reserved = reserve("127.0.0.1", 0)
    port = reserved[0].getsockname()[1]
    sockets = OfOnePort("127.0.0.1", reserved)
    for each in reserved:
        each.close()
    (taken,) = bind("127.0.0.1", port)
    with taken, pytest.raises(StartError, match="taken"):
        sockets.take(1)


def test_sockets_of_others() -> None:
    """What systemd keeps is for all workers, and stays open when one breaks."""
    (one,) = bind("127.0.0.1", 0)
    sockets = Kept([Inherited("tls", one)])
    assert sockets.take(1) == sockets.take(2) == [("tls", one)]
    sockets.drop(1)
    assert one.fileno() >= 0
    sockets.close()
    assert one.fileno() == -1
