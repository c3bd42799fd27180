"""`livechat.daemon.core`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from twisted.trial.unittest import TestCase

from livechat.daemon.assembly import in_order
from livechat.daemon.core import core, services
from livechat.limits.connections import Connections
from livechat.rooms.history import Window
from tests.support import ADMIN, SOMEBODY
from tests.support.services import config

#: Parts of the surface that take long to import.
HEAVY = ("autobahn", "jinja2", "livechat.web", "twisted.web.server")


class CoreTest(TestCase):
    """The core, as a command without a port uses it, on a real reactor and a real disk."""

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415

        self.reactor: Any = reactor

    async def test_a_command_is_assembled_without_a_port(self) -> None:
        """A command sends, reads, and signs in; nothing listens, and all is stopped in the end."""
        made = core(config(self.directory), self.reactor)
        running = in_order(*services(made, Connections(0, 0)))
        running.startService()
        try:
            await made.chat.send(SOMEBODY, "r", "hi")
            history = await made.chat.history(SOMEBODY, "r", Window())
            assert [message.message async for page in history.pages() for message in page] == ["hi"]
            password = (self.directory / "state" / "admin-password").read_text().strip()
            token = await made.operators.sign_in("192.0.2.1", password)
            assert made.operators.sessions.lasting(token) > 0
            (report,) = await made.chat.overview.reports(ADMIN)
            assert report.connections == 0
        finally:
            await running.stopService()


def test_the_surface_is_imported_behind_the_core() -> None:
    """While the password is checked in a thread, a start has the surface still to import."""
    code = f"import sys, livechat.daemon.starting; print(*sys.modules.keys() & {set(HEAVY)})"
    found = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert found.stdout == "\n"
