"""`livechat.daemon.surface`."""

from __future__ import annotations

from pathlib import Path

from livechat.daemon.building import build
from tests.support.services import config, memory_reactor, release


def test_services_start_and_stop_in_order(tmp_path: Path) -> None:
    """Renewal and systemd start first, and so stop last; the departure stops first."""
    daemon = build(config(tmp_path), memory_reactor())
    names = [each.name for each in daemon]
    assert names[:3] == ["renewal", "not renewed", "systemd"]
    assert names[-1] == "departure"
    assert names.index("storage") < names.index("port") < names.index("announcement")
    release(daemon)
