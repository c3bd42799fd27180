"""What the endpoints for back ends are for, as operations of OpenAPI."""

from __future__ import annotations

from typing import Final

from livechat.errors import Kind
from livechat.rooms.chat import Chat
from livechat.web.operations import MANAGING, Document, answer, operation, reference, request_body

_WRITING: Final = (
    *MANAGING, Kind.UNKNOWN, Kind.BAD_JSON, Kind.BAD_MESSAGE, Kind.UNSUPPORTED_MEDIA_TYPE,
    Kind.RATE_LIMITED,
)  # fmt: skip


MAKING_KEYS: Final = (*_WRITING, Kind.TOO_MANY_KEYS)


def keys() -> Document:
    """The keys of back ends."""
    listed = answer("All, by name, without their secrets.", reference("KeyList"))
    return _secured(
        operation("keys", "The keys of back ends.", listed, (*MANAGING, Kind.RATE_LIMITED))
    )


def make_key(chat: Chat) -> Document:
    """Making a key."""
    made = answer("It is made; only this answer has the key itself.", reference("KeyMade"))
    making = operation("makeKey", "Make a key.", made, MAKING_KEYS)
    return _secured(making) | request_body(
        chat, {"application/json": {"schema": reference("KeyRequest")}}
    )


def drop_key() -> Document:
    """Dropping a key."""
    dropped = answer("It is done.", reference("KeyDropped"))
    kinds = (*MANAGING, Kind.UNKNOWN, Kind.NOT_FOUND, Kind.RATE_LIMITED)
    summary = "Drop a key: what came with it is closed within a second."
    return _secured(operation("dropKey", summary, dropped, kinds))


def mint(chat: Chat) -> Document:
    """Making a token."""
    made = answer("The token.", reference("TokenMade"))
    minting = operation("mint", "Make a token for a user of the site.", made, _WRITING)
    return _secured(minting) | request_body(
        chat, {"application/json": {"schema": reference("TokenRequest")}}
    )


def _secured(described: Document) -> Document:
    """*described*, which guests cannot ask for."""
    return described | {"security": [{"bearer": []}]}
