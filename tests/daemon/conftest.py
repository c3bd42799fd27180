"""A port that is about to stop, for tests of services, and passwords that cost nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from livechat.daemon.departure import Departure
from livechat.daemon.services import Port
from livechat.identity import operators
from livechat.net import certificates, tls_context
from livechat.net.tls_port import TLSPort
from tests import support


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash operators' passwords at no cost: a real hash takes longer than the rest of a start."""
    monkeypatch.setattr(operators._HASHER, "_parameters", support.CHEAP._parameters)


@pytest.fixture
def stopping(port: support.Port) -> Port:
    """Make the port's service, without sockets."""
    certificate = certificates.load_or_make(Path(port.world.store._path.parent))
    secured = tls_context.context(certificate.chain, certificate.key)
    tls_port = TLSPort(port.world.clock, port.factory, secured)  # type: ignore[arg-type]
    departure = Departure(port.world.clock)
    parts: dict[str, Any] = {
        "hub": port.world.hub, "sockets": port.sockets, "feeds": port.feeds, "departure": departure
    }  # fmt: skip
    service = Port(port.world.clock, [], tls_port, port.factory, **parts)  # type: ignore[arg-type]
    service.startService()
    return service
