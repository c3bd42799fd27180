"""Messages that wait, reports, and what becomes of them."""

from __future__ import annotations

from itertools import count
from typing import Any

from livechat.protocol.moderation import Case
from tests.members.session_client import Client
from tests.rooms.moderating import code, manager
from tests.support import ADMIN, World, result

_nonces = map(str, count())


def does(client: Client, *, nonce: str = "", **action: Any) -> Any:
    """The answer to an action, whose nonce is its own unless it is given."""
    nonce = nonce or next(_nonces)
    client.sends({"nonce": nonce, **action})
    client.world.clock.pump([0.05] * 4)
    return next(each for each in client.hears("ack", "error") if each.get("nonce") == nonce)


def rules(world: World, room: str = "r", **settings: Any) -> None:
    """Change settings of a room."""
    actor = manager(world)
    assert does(actor, type="room", set=settings)["type"] == "ack"
    actor.session.close()


def listed(world: World) -> list[tuple[str, Case]]:
    found = world.chat.cases.listed(ADMIN)
    assert all(case.state == "open" for _, case in found)
    return found


def texts(world: World) -> list[str]:
    return [each.message for each in result(world.backend.messages.read("r", 0, 99)).messages]


def says(client: Client, text: str = "hi", **more: Any) -> Any:
    """The answer to a message."""
    return does(client, type="message", message=text, **more)


def held(client: Client, text: str = "hi", **more: Any) -> str:
    """The id of the case under which a message waits."""
    answer = says(client, text, **more)
    assert code(answer) == "held", answer
    found: str = answer["error"]["case"]
    return found


def reports(client: Client, ref: int = 1, **more: Any) -> Any:
    return does(client, type="report", ref=ref, **more)
