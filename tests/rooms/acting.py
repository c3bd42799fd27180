"""Actors and readers of a room, for tests of acts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.protocol.audit import AuditRecord, record_of_text
from livechat.protocol.decoding import decode_action
from livechat.protocol.names import AUDIT_ROOM
from livechat.protocol.v1 import Ack
from livechat.rooms.actions import act
from tests.support import World, result


def does(world: World, actor: Actor, action: dict[str, Any], room: str = "r") -> Ack:
    """Have *actor* act, and return the answer; a refusal is raised."""
    done = act(world.chat, actor, room, decode_action(msgspec.json.encode(action)))
    world.hub.flush()
    # Between the steps of what takes many.
    while not done.called:
        world.clock.advance(0.01)
    answer: Ack = result(done)
    return answer


def refusal(world: World, actor: Actor, action: dict[str, Any]) -> Kind:
    with pytest.raises(ChatError) as refused:
        does(world, actor, action)
    return refused.value.kind


def records(world: World) -> list[AuditRecord]:
    page = result(world.backend.messages.read(AUDIT_ROOM, 0, 100))
    return [record_of_text(each.message) for each in page.messages]
