"""`livechat.rooms.overview`; its rights are tried in test_rights."""

from __future__ import annotations

from livechat.identity.actor import Actor
from livechat.identity.rights import grants_of
from livechat.protocol.cluster import Room
from tests.support import ADMIN, SOMEBODY, World

ROOMS = [Room(name, 0, 0.0, None) for name in ("lobby", "team-a", "team-b")]


def test_moderated(world: World) -> None:
    """Of the rooms an actor sees those that it moderates, or all."""
    names = [
        [each.name for each in world.chat.overview.moderated(actor, ROOMS)]
        for actor in (ADMIN, SOMEBODY, moderating("team-*"), moderating("lobby"))
    ]
    assert names == [["lobby", "team-a", "team-b"], [], ["team-a", "team-b"], ["lobby"]]


def moderating(pattern: str) -> Actor:
    return Actor("key", SOMEBODY.source, grants=grants_of({pattern: ["moderate"]}))
