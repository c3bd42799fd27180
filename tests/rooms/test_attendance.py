"""`livechat.rooms.attendance`; `tests.web.test_back_ends` has the rest."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from livechat.errors import Kind
from livechat.rooms.attendance import attendance
from tests.support import ANN, SOMEBODY, RecordingClient, World, kind, run


def test_a_look_makes_nobody_a_member(world: World) -> None:
    """A look makes nobody a member, and tells members nothing."""
    member = RecordingClient()
    run(world.chat.join(ANN, "r", member))
    found = run(attendance(world.chat, SOMEBODY, "r"))
    assert (found.users, found.connections, list(found.members.values())) == (1, 1, [ANN.user])
    assert found.place.seq == 0
    world.hub.flush()
    assert member.frames() == []
    assert world.hub.members("r") == 1
    assert world.hub._watchers == {}


@pytest.mark.parametrize("room", ["!audit"])
def test_internal_rooms_are_not_looked_at(world: World, room: str) -> None:
    """Rooms that no client can name are not looked at."""
    looked = Deferred.fromCoroutine(attendance(world.chat, SOMEBODY, room))
    assert kind(looked) is Kind.FORBIDDEN
