"""A plain client on a double of its transport."""

from __future__ import annotations

import json
from typing import Any

from livechat.identity.door import Claim
from livechat.members.base import JoinRequest
from livechat.members.plain import PlainSession
from tests.support import RecordingClient, World, run


class Client(RecordingClient):
    """A client with its session."""

    def __init__(self, world: World, room: str = "r") -> None:
        super().__init__()
        actor = run(world.door.member(world.source("192.0.2.1"), Claim()))
        self.session = PlainSession(world.chat, world.clock, actor, JoinRequest(room), self)
        run(self.session.open())

    def says(self, value: Any) -> None:
        self.session.text_received(json.dumps(value).encode())

    def heard(self) -> list[Any]:
        return [json.loads(frame) for frame in self.frames()]
