"""`livechat.rooms.rules`."""

from __future__ import annotations

from livechat.protocol.settings import RoomSettings, SettingsChange
from livechat.rooms.rules import make_rules
from tests.support import SOMEBODY, World, run


def test_rules_of_one_backend_know_of_changes(world: World) -> None:
    """Rules on the same backend know of the same changes; the usual settings are the server's."""
    one = make_rules(world.backend, world.time, RoomSettings(guests="read"))
    other = make_rules(world.backend, world.time, RoomSettings())
    assert one.policy.rights(SOMEBODY, "r1") == {"join", "history"}
    run(one.settings.change("r", SettingsChange(slow=3)))
    assert other.settings.of("r").slow == 3
    SOMEBODY.rights.clear()
