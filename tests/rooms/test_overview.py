"""`livechat.rooms.overview`; its rights are tried in test_rights."""

from __future__ import annotations

import pytest

from livechat.identity.actor import Actor
from livechat.identity.rights import grants_of
from livechat.protocol.cluster import Room
from livechat.protocol.settings import SettingsChange
from tests.support import ADMIN, SOMEBODY, World, run

ROOMS = [Room(name, 0, 0.0, None) for name in ("lobby", "team-a", "team-b")]


def test_rooms_that_an_actor_moderates_are_listed(world: World) -> None:
    """The list has the rooms that an actor moderates, or all for an operator."""
    names = [
        [each.name for each in world.chat.overview.moderated(actor, ROOMS)]
        for actor in (ADMIN, SOMEBODY, moderating("team-*"), moderating("lobby"))
    ]
    assert names == [["lobby", "team-a", "team-b"], [], ["team-a", "team-b"], ["lobby"]]


def test_nothing_is_listed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rooms are not even gone through for strangers, where no setting lists any."""
    gone_through: list[object] = []
    rooms = world.chat.directory.rooms

    def counted() -> object:
        gone_through.append(None)
        return rooms()

    monkeypatch.setattr(world.chat.directory, "rooms", counted)
    assert run(world.chat.overview.open(SOMEBODY)) == []
    assert gone_through == []
    run(world.chat.settings.change("team-*", SettingsChange(listed=True)))
    run(world.chat.overview.open(SOMEBODY))
    assert len(gone_through) == 1


def moderating(pattern: str) -> Actor:
    return Actor("key", SOMEBODY.source, grants=grants_of({pattern: ["moderate"]}))
