"""Messages that are said in a room, and what is kept of them."""

from __future__ import annotations

from livechat.rooms.history import Window
from tests.support import (
    SOMEBODY,
    World,
    result,
    run,
)


def say(world: World, *texts: str, room: str = "r") -> None:
    sender = world.caller("192.0.2.1")
    for text in texts:
        result(world.chat.send(sender, room, text))


def seqs(world: World, window: Window, room: str = "r") -> list[int]:
    async def read() -> list[int]:
        history = await world.chat.history(SOMEBODY, room, window)
        return [message.seq async for page in history.pages() for message in page]

    found: list[int] = run(read())
    return found
