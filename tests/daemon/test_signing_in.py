"""`livechat.daemon.signing_in`."""

from __future__ import annotations

from pathlib import Path

from livechat.daemon.signing_in import SigningIn, operators
from livechat.identity.passwords import Password
from tests.support import PASSWORD, Lane, World
from tests.support.services import config


def test_sessions_of_operators_last_as_the_option_says(world: World, tmp_path: Path) -> None:
    """Sessions last as the option says; passwords are hashed while the service runs."""
    found = config(tmp_path, admin_session="2m")
    found.state.mkdir()
    made = operators(found, world.backend, world.time, world.clock)  # type: ignore[arg-type]
    made._hashing = hashing = Lane()
    made._saving = Lane()
    made.load(Password(PASSWORD, "a test"))
    assert (found.state / "operators.json").exists()
    assert made.sessions.lasts == 120
    service = SigningIn(made)
    service.startService()
    assert hashing.running
    service.stopService()
    assert not hashing.running
