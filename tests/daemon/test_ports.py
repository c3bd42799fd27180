"""`livechat.daemon.ports`."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from livechat.addresses import parse
from livechat.daemon.ports import Ports
from livechat.daemon.renewal import find_certificate, secure
from livechat.net.listening import listen
from livechat.net.plain_port import PlainPort
from livechat.net.proxies import Proxies
from livechat.net.proxy_protocol import PrefacedPort
from livechat.net.tls_port import TLSPort
from tests.support import Port
from tests.support.services import config, memory_reactor


def ports(tmp_path: Path, port: Port, **options: str) -> Ports:
    given = config(tmp_path, **options)
    certificate = find_certificate(given)
    secured = None if certificate is None else secure(certificate)
    proxies = Proxies(given.trust_proxy)
    return Ports(given, memory_reactor(), port.factory, secured, proxies=proxies, names=lambda: ())


@pytest.mark.parametrize(
    ("options", "kind"),
    [({}, TLSPort), ({"proxy_protocol": "on", "trust_proxy": "10.0.0.1"}, PrefacedPort)],
)
def test_connections_begin_with_tls_or_a_header(
    tmp_path: Path, port: Port, options: dict[str, str], kind: type
) -> None:
    """Connections begin with TLS, or the PROXY protocol."""
    assert type(ports(tmp_path, port, **options).tls) is kind


def test_each_address_has_the_port_of_its_kind(
    tmp_path: Path, port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each address is served by the port of its kind."""
    found: list[tuple[type, socket.socket]] = []

    def accepts(self: Any, listening: socket.socket) -> Any:
        found.append((type(self), listening))

    monkeypatch.setattr(TLSPort, "listen", accepts)
    monkeypatch.setattr(PlainPort, "listen", accepts)
    made = ports(tmp_path, port)
    for each in listen([parse("tls:127.0.0.1:0"), parse("http:127.0.0.1:0")]):
        made.accept(each)
        each.close()
    assert [kind for kind, _ in found] == [TLSPort, PlainPort]
