"""Places and numbers that a session tells its client."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from livechat.protocol.messages import Place
from tests.members.session_client import Client
from tests.support import SOMEBODY, World, run


def place(world: World, seq: int) -> Place:
    return Place(run(world.chat.place(SOMEBODY, "r")).epoch, seq)


def seqs(frames: Iterable[Any]) -> list[int]:
    return [frame["seq"] for frame in frames if frame["type"] == "message"]


def history(world: World, **asked: Any) -> Any:
    client = Client(world)
    client.heard()
    client.sends({"type": "history", **asked})
    (page,) = client.heard()
    return page
