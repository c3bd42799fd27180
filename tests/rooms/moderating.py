"""Moderators, the people they act on, and what the audit has of it."""

from __future__ import annotations

from itertools import count
from typing import Any

from livechat.errors import Kind
from livechat.protocol.audit import record_of_text
from livechat.rooms.history import History, Window
from tests.members.session_client import Client
from tests.support import ADMIN, World, run

MODERATOR = {"r": ["join", "history", "send", "moderate"]}
MANAGER = {"*": ["*"]}
_NONCES = count()


def moderator(world: World, user: str = "7") -> Client:
    return Client(world, token=world.token(user, rooms=MODERATOR))


def manager(world: World, user: str = "8") -> Client:
    return Client(world, token=world.token(user, rooms=MANAGER))


def user(world: World, known_as: str = "42", room: str = "r") -> Client:
    return Client(world, room, token=world.token(known_as, name=f"User {known_as}"))


def acts(client: Client, **action: Any) -> Any:
    """The answer to an action."""
    nonce = f"n{next(_NONCES)}"
    client.heard()
    client.sends({"nonce": nonce, **action})
    client.world.clock.pump([0.05] * 25)
    # A frame that cannot be read has no nonce.
    return next(each for each in client.hears("ack", "error") if each.get("nonce", nonce) == nonce)


def restricts(client: Client, what: str = "mute", user: str = "42", **more: Any) -> Any:
    return acts(client, type="restrict", kind=what, user=user, **more)


def code(answer: Any) -> str:
    found: str = answer["error"]["code"]
    return found


def recorded(world: World) -> list[Any]:
    found = run(world.chat.audit.history(ADMIN, Window(50)))
    return [record_of_text(each) for each in texts(found)]


def texts(found: History) -> list[str]:
    async def read() -> list[str]:
        return [each.message async for page in found.pages() for each in page]

    found_texts: list[str] = run(read())
    return found_texts


def closed(client: Client) -> tuple[Kind, str] | None:
    """Tell how the client's connection was closed; None if it was not."""
    return None if client.refused is None else (client.refused.kind, client.refused.detail)
