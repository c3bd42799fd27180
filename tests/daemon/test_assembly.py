"""`livechat.daemon.assembly`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.trial.unittest import TestCase

from livechat.daemon.assembly import _promises, core, in_order, services
from livechat.http.origins import Asked
from livechat.limits.connections import Connections
from livechat.net import certificates
from livechat.net.certificates import Shown
from livechat.rooms.history import Window
from tests.support import ADMIN, SOMEBODY
from tests.support.certificates import issue
from tests.support.services import config


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


def test_only_a_trusted_certificate_promises_https(tmp_path: Path) -> None:
    """Browsers are bound to HTTPS only by a certificate that is not self-signed."""
    given, none = config(tmp_path), Shown(None)
    mine = Shown(certificates.load_or_make(tmp_path))
    real = Shown(certificates.load(*issue(tmp_path)))
    assert _promises(given, mine, None) == ()
    ((name, _),) = _promises(given, real, None)
    assert name == "Strict-Transport-Security"
    assert _promises(given, real, Asked("chat.example"))
    # Behind a proxy that ends TLS its word counts, with any certificate of ours.
    for shown in (none, mine, real):
        assert _promises(given, shown, Asked("chat.example", ended=True))
        assert not _promises(given, shown, Asked("chat.example", "http", ended=True))
    # Below a path the host's name belongs to other applications too.
    assert not _promises(config(tmp_path, prefix="/chat"), real, None)
