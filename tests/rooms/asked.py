"""Messages that the site is asked about, and the time it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from livechat.identity.actor import Actor
from livechat.protocol.messages import Message, User
from tests.support import World

MakeWorld = Callable[..., World]


def sender(world: World, name: str = "Ann", address: str = "192.0.2.1") -> Actor:
    return world.caller(address, User(name.lower(), name))


def send(world: World, actor: Actor, text: str = "hi", **more: Any) -> Deferred[Message]:
    return world.chat.send(actor, "r", text, **more)


def pump(world: World) -> None:
    """Advance by a tenth of a second: enough for turns, too little for the site's deadline."""
    world.clock.pump([0.01] * 10)
