"""Clients' frames of ``livechat.v1``, and actions in bodies, as they are read."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from livechat.errors import ChatError, Kind
from livechat.protocol.actions import Action, Say
from livechat.protocol.v1 import ClientFrame
from livechat.protocol.wire import check_depth, explained

_client_frame: Final[msgspec.json.Decoder[ClientFrame]] = msgspec.json.Decoder(ClientFrame)
_action: Final[msgspec.json.Decoder[Action]] = msgspec.json.Decoder(Action)
_say: Final = msgspec.json.Decoder(Say)
_F = TypeVar("_F")


def decode_frame(data: bytes) -> ClientFrame:
    """
    Decode a client's frame.

    @param data: the frame's payload, known to be UTF-8.
    @raise ChatError: it is none of the protocol's frames.
    """
    return _decoded(data, _client_frame)


def decode_action(data: bytes) -> Action:
    """
    Decode the body of ``POST /chat/actions/{room}/``.

    @raise ChatError: it is no action.
    """
    try:
        # msgspec checks the UTF-8 of strings that it returns, not of those that it skips.
        data.decode()
    except UnicodeDecodeError as reason:
        raise explained(reason) from None
    return _decoded(data, _action)


def _decoded(data: bytes, decoder: msgspec.json.Decoder[_F]) -> _F | Say:
    check_depth(data)
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as reason:
        if str(reason) != "Object missing required field `type`":
            raise _refused(str(reason)) from None
    except ValueError as reason:
        raise explained(reason) from None
    try:
        # The type of a message is optional.
        return _say.decode(data)
    except msgspec.ValidationError as reason:
        raise _refused(str(reason)) from None
    except ValueError as reason:
        raise explained(reason) from None


def _refused(found: str) -> ChatError:
    """Translate msgspec's error into the words of this protocol."""
    if found.startswith("Invalid value") and found.endswith("`$.type`"):
        return ChatError(Kind.UNKNOWN_TYPE, "There is no frame of that type.")
    what, at, key = found.partition(" - at `$.")
    if at:
        name = key.rstrip("`")
        return ChatError(Kind.BAD_MESSAGE, f"'{name}' is not what it must be: {what}.")
    if "missing required field" in found:
        name = found.split("`")[1]
        return ChatError(Kind.BAD_MESSAGE, f"The object has no key '{name}'.")
    return ChatError(Kind.BAD_MESSAGE, 'Send a JSON object, such as {"message": "text"}.')
