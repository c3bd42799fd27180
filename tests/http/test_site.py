"""`livechat.http.site`."""

from __future__ import annotations

import pytest

from livechat.errors import ChatError
from livechat.http import site
from tests.support import Port


def test_far_too_many_connections(port: Port) -> None:
    """In the end connections are not even let in."""
    limited = Port(port.world, most=1)
    wires = [limited.factory.buildProtocol(None) for _ in range(200)]
    assert wires[0] is not None
    assert wires[-1] is None


def test_sessions_are_bounded(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mounted resources have as many sessions as there may be, and no more; each ends."""
    monkeypatch.setattr(site, "MOST_SESSIONS", 2)
    first, _ = port.factory.makeSession(), port.factory.makeSession()
    with pytest.raises(ChatError):
        port.factory.makeSession()
    port.world.clock.advance(first.sessionTimeout)
    assert port.factory.sessions == {}
