"""`livechat.daemon.building`."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from livechat.daemon.building import build
from livechat.errors import StartError
from livechat.net.activation import Inherited
from tests.support.services import config, memory_reactor, release


def test_sockets_that_were_handed_over(tmp_path: Path) -> None:
    """The port listens on inherited sockets alone; the command finds their address."""
    with socket.create_server(("127.0.0.1", 0)) as given:
        daemon = build(
            config(tmp_path, interface="203.0.113.7"),
            memory_reactor(),
            [Inherited("tls", given)],
        )
        port: Any = daemon.getServiceNamed("port")
        assert [each.socket for each in port._listening] == [given]
        signpost: Any = daemon.getServiceNamed("signpost")
        assert (signpost._address.interface, signpost._address.port) == given.getsockname()
        release(daemon)


def test_a_failed_start_closes_all_sockets(tmp_path: Path) -> None:
    """All sockets are closed, inherited ones too."""
    with socket.create_server(("127.0.0.1", 0)) as given, pytest.raises(StartError):
        build(config(tmp_path, certificate="x"), memory_reactor(), [Inherited("", given)])
    assert given.fileno() == -1
