"""A client of livechat.v1 on a double of its transport."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred

from livechat.identity.door import Claim
from livechat.members.base import JoinRequest
from livechat.members.session import Session
from livechat.protocol.encoding import Encoding
from livechat.protocol.messages import Place
from tests.support import RecordingClient, World

KEY = "k" * 16


class Client(RecordingClient):
    """A client of livechat.v1."""

    encoding = Encoding.V1

    session: Session

    def __init__(
        self,
        world: World,
        room: str = "r",
        *,
        name: str | None = None,
        key: str | None = None,
        since: Place | None = None,
        token: str | None = None,
    ) -> None:
        super().__init__()
        self.world = world
        request = JoinRequest(room, Encoding.V1, since)
        claim = Claim(name, key, credential=token)
        self.opening = Deferred.fromCoroutine(self._open(request, claim))

    async def _open(self, request: JoinRequest, claim: Claim) -> None:
        world = self.world
        actor = await world.door.member(world.source("192.0.2.1"), claim)
        self.session = Session(
            world.chat, world.clock, actor, request, self, renew=world.door.renew
        )
        await self.session.open()

    def sends(self, *frames: Any) -> None:
        for frame in frames:
            data = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
            self.session.text_received(data)
        self.world.hub.flush()

    def heard(self) -> list[Any]:
        self.world.hub.flush()
        return [json.loads(frame) for frame in self.frames()]

    def hears(self, *kinds: str) -> list[Any]:
        """Frames heard so far, of these types."""
        return [frame for frame in self.heard() if frame["type"] in kinds]


def say(world: World, *texts: str) -> None:
    for text in texts:
        world.chat.send(world.caller("192.0.2.2"), "r", text)
    world.hub.flush()
