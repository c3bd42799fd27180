"""
The contract, for programs: OpenAPI for HTTP, AsyncAPI for what a connection carries.

The schemas are made from the structs by which the bodies and frames are read and written,
and the limits are the chat's.  OpenAPI's operations are those of the endpoints' rows.  Tests hold
all of it against real answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, get_args

import msgspec
from msgspec import UNSET, Struct, structs

from livechat import __version__
from livechat.errors import Close, Kind
from livechat.http.endpoint import Endpoint
from livechat.http.tree import Place
from livechat.identity import passwords
from livechat.members.base import HEARTBEAT
from livechat.protocol import actions, back_ends, bodies, messages, names, plain, receivers
from livechat.protocol import v1 as frames
from livechat.protocol.actions import Action
from livechat.protocol.plain import PLAIN, PlainError, PlainFrame
from livechat.protocol.wire import encode
from livechat.rooms.chat import Chat
from livechat.web.back_end_operations import MAKING_KEYS
from livechat.web.operations import (
    ACTING,
    ANYWHERE,
    AS_USER,
    KNOWN,
    PATH,
    QUERY,
    ROOM,
    SENDING,
    TEXT,
    UPGRADING,
    Document,
    by_method,
    codes,
    reference,
    structure,
)  # fmt: skip

#: Refusals of requests without a described operation.
_ELSEWHERE: Final = (Kind.NOT_FOUND, Kind.METHOD_NOT_ALLOWED, Kind.FORBIDDEN)
_PLAIN_FRAMES: Final = (
    Kind.BAD_JSON, Kind.BAD_MESSAGE, Kind.MESSAGE_TOO_LONG, Kind.NOT_TEXT, Kind.RATE_LIMITED,
    *KNOWN, Kind.FORBIDDEN, Kind.INTERNAL, Kind.OVERLOADED, Kind.UNAVAILABLE, Kind.UNKNOWN,
    Kind.BANNED, Kind.MUTED, Kind.SLOW_MODE, Kind.REJECTED, Kind.HELD, Kind.ROOM_CLOSED,
)  # fmt: skip
_V1_FRAMES: Final = (
    *_PLAIN_FRAMES, Kind.UNKNOWN_TYPE, Kind.NONCE_REUSED, Kind.EMPTY_MESSAGE, Kind.NOT_FOUND,
    Kind.TOO_LATE, Kind.TOO_MANY_EDITS,
)  # fmt: skip

#: Frames with a text.
_TEXTS: Final = ("Say", "Reword")
#: The frames of plain mode, those of v1's clients and server, and those of events.
_PLAIN: Final = ("PlainSay", "PlainSaid", "PlainError")
_ASKED: Final = [each.__name__ for each in get_args(frames.ClientFrame)]
_TOLD: Final = [each.__name__ for each in get_args(frames.ServerFrame)]
_HEARD: Final = [name for name in _TOLD if name not in ("Ack", "History", "Pong")]

_STRUCTS: Final = {
    each.__name__: each
    for module in (messages, actions, bodies, back_ends, receivers, plain, frames)
    for each in vars(module).values()
    if isinstance(each, type) and issubclass(each, Struct)
}
_BEARER: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "The key of a back end (`lck_…`), or the token of a user.",
}
#: Names in a path.
_BRACES: Final = re.compile(r"\{(\w+)\}")
_SAID_OF: Final = re.compile(r"^@ivar (\w+): ", re.MULTILINE)


def openapi(chat: Chat, places: Iterable[Place], base: str = "") -> Document:
    """
    The HTTP endpoints, as an OpenAPI document.

    @param places: those of the tree, of which those that are described are in it.
    @param base: the path below which everything is.
    """
    schemas = _schemas(
        (*bodies.ASKED, *back_ends.ASKED, *receivers.ASKED, *get_args(Action))
    ) | _schemas(
        (
            *bodies.ANSWERED,
            *back_ends.ANSWERED,
            *receivers.ANSWERED,
            messages.Message,
            frames.Ack,
        ),
        written=True,
    )
    # The type of a message is optional.
    schemas["Say"]["required"].remove("type")
    for name in ("SendRequest", *_TEXTS):
        _bound(schemas[name], chat)
    schemas["SendRequest"]["properties"]["room"]["anyOf"][0] |= ROOM
    schemas["Rename"]["properties"]["name"] |= QUERY["name"][0]
    history = {"type": "array", "items": reference("Message")}
    schemas["ChatHistory"] = structure(chat_history=history) | {"description": "Oldest first."}
    schemas["Problem"]["properties"]["code"] |= codes(
        {*ANYWHERE, *SENDING, *ACTING, *UPGRADING, *MAKING_KEYS, *_ELSEWHERE}
    )
    _bound_operator(schemas["OperatorRequest"])
    return {
        "openapi": "3.1.0",
        "info": _info(
            f"Where no room is named, `{chat.default_room}` is meant. The last slash of a path "
            "may be left out. HEAD is answered as GET is, without a body. Whose `Accept` prefers "
            "`text/html` gets problems as pages.",
            chat,
        ),
        "servers": [{"url": base or "/"}],
        "paths": {
            each.path: _named(each.path) | by_method(each)
            for each in places
            if isinstance(each, Endpoint) and each.described is not None
        },
        "components": {"schemas": schemas, "securitySchemes": {"bearer": _BEARER}},
        # Operations are open to guests by default.
        "security": [{}, {"bearer": []}],
    }


def _named(path: str) -> Document:
    """The parameters that *path* has in braces."""
    names = _BRACES.findall(path)
    named = [{"in": "path", "name": name, "required": True, "schema": PATH[name]} for name in names]
    return {"parameters": named} if named else {}


def asyncapi(chat: Chat, base: str = "") -> Document:
    """
    The AsyncAPI document of WebSockets and event streams.

    @param base: the path below which everything is.
    """
    schemas = _schemas(get_args(frames.ClientFrame)) | _plain_schemas()
    schemas |= _schemas(get_args(frames.ServerFrame), written=True)
    # The type of a message is optional.
    schemas["Say"]["required"].remove("type")
    schemas["ErrorText"]["properties"]["code"] |= codes(_V1_FRAMES)
    for name in (*_TEXTS, "PlainSay"):
        _bound(schemas[name], chat)
    schemas["Rename"]["properties"]["name"] |= QUERY["name"][0]
    return {
        "asyncapi": "3.0.0",
        "info": _info("As the server sees it: it receives what clients send.", chat),
        "defaultContentType": "application/json",
        "channels": _channels(base),
        "operations": {
            "receivePlain": _carried("receive", "plain", _PLAIN[:1]),
            "sendPlain": _carried("send", "plain", _PLAIN[1:]),
            "receiveV1": _carried("receive", "v1", _ASKED),
            "sendV1": _carried("send", "v1", _TOLD),
            "sendEvents": _carried("send", "events", _HEARD)
            | {"bindings": {"http": _asked_with("since", "user", version="0.3.0")}},
        },
        "components": {
            "schemas": schemas,
            "messages": {
                name: {"description": schemas[name]["description"], "payload": reference(name)}
                for name in (*_PLAIN, *_ASKED, *_TOLD)
            },
        },
    }


def _channels(base: str) -> Document:
    subprotocol = {"headers": structure(**{"Sec-WebSocket-Protocol": {"const": frames.V1}})}
    return {
        "plain": _socket_channel(
            base,
            f"Plain mode: the subprotocol `{PLAIN}`, or none that is known.",
            _PLAIN,
            _asked_with("history", "user"),
        ),
        "v1": _socket_channel(
            base,
            f"The subprotocol `{frames.V1}`. `Hello` comes first. Who may not enter is let "
            "in, and closed with a code that says why.",
            (*_ASKED, *_TOLD),
            _asked_with("since", "user") | subprotocol,
        ),
        "events": _channel(
            f"{base}/chat/events/{{room}}/",
            "Server-sent events: `event` is the frame's `type`, `data` the frame, and `id`, "
            "with `Hello`, `Said` and `Event`, what `since` takes. "
            f"A comment comes every {HEARTBEAT} seconds.",
            _HEARD,
        ),
    }


def _channel(address: str, text: str, messages: Iterable[str]) -> Document:
    room = (
        f"1 to {names.LONGEST_ROOM_NAME} characters of `A-Z a-z 0-9 . _ ~ -`, but not `.` or `..`."
    )
    return {
        "address": address,
        "description": text,
        "parameters": {"room": {"description": room}},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }


def _socket_channel(base: str, text: str, messages: Iterable[str], handshake: Document) -> Document:
    return _channel(f"{base}/ws/chat/{{room}}/", text, messages) | {
        "bindings": {"ws": handshake},
        "x-close-codes": {str(code.value): code.name.lower() for code in Close},
    }


def _carried(action: str, channel: str, messages: Iterable[str]) -> Document:
    at = f"#/channels/{channel}"
    carried = [{"$ref": f"{at}/messages/{name}"} for name in messages]
    return {"action": action, "channel": {"$ref": at}, "messages": carried}


def _asked_with(*fields: str, version: str = "0.1.0") -> Document:
    """The parameters of a handshake, or of a request for events."""
    known = {field: QUERY[field] for field in (*AS_USER, *fields)}
    query = {field: schema | {"description": text} for field, (schema, text) in known.items()}
    asked = {"type": "object", "properties": query}
    return {"method": "GET", "query": asked, "bindingVersion": version}


def _info(text: str, chat: Chat) -> Document:
    limits = msgspec.to_builtins(chat.limits)
    return {"title": "livechat", "version": __version__, "description": text, "x-limits": limits}


def _bound(schema: Document, chat: Chat) -> None:
    """Bound messages in the schema: it counts characters, which are never more than bytes."""
    schema["properties"]["message"] = TEXT | {
        "maxLength": chat.max_message,
        "description": f"At most {chat.max_message} bytes of UTF-8.",
    }


def _bound_operator(schema: Document) -> None:
    """Describe limits of an operator that its struct does not have."""
    schema["properties"]["name"] |= PATH["name"]
    schema["properties"]["password"]["anyOf"][0] |= {
        "minLength": passwords.SHORTEST,
        "maxLength": passwords.LONGEST,
    }


def _schemas(types: Iterable[Any], *, written: bool = False) -> dict[str, Document]:
    """
    Make the schemas of structs, and of those in them, by name.

    @param written: for structs that this server writes: fields that it always writes are required.
    """
    _, found = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    for name, schema in found.items():
        struct = _STRUCTS[name]
        _tell_apart(schema, struct)
        if written:
            _as_written(schema, struct)
        _tell_defaults(schema, written=written)
    return found


def _tell_defaults(schema: Document, *, written: bool) -> None:
    """
    Move defaults into descriptions: generators of types would take a field with a ``default``
    for a required one.
    """
    for field in schema["properties"].values():
        usual = field.pop("default", None)
        if usual is not None and not written:
            text = f"Unless said: `{encode(usual).decode()}`."
            field["description"] = " ".join(filter(None, (field.get("description"), text)))


def _as_written(schema: Document, struct: type[Struct]) -> None:
    """Require all fields but unset ones and omitted defaults, which are never null."""
    if not struct.__struct_config__.omit_defaults:
        unset = {each.encode_name for each in structs.fields(struct) if each.default is UNSET}
        schema["required"] = [each for each in schema["properties"] if each not in unset]
        return
    for field in schema["properties"].values():
        if field.get("default", ...) is None:
            del field["default"]
            (only,) = (each for each in field.pop("anyOf") if each != {"type": "null"})
            field.update(only)


def _tell_apart(schema: Document, struct: type[Struct]) -> None:
    """Move the descriptions of fields from a struct's docstring to the fields."""
    encoded = {each.name: each.encode_name for each in structs.fields(struct)}
    whole, *parts = _SAID_OF.split(schema.get("description", ""))
    texts = [" ".join(text.replace("``", "`").split()) for text in (whole, *parts[1::2])]
    schema["description"] = texts[0]
    for name, text in zip(parts[::2], texts[1:], strict=True):
        schema["properties"][encoded[name]]["description"] = text


def _plain_schemas() -> dict[str, Document]:
    """
    Make the schemas of plain mode, under names of their own: one struct goes both ways there,
    with two meanings, and `livechat.protocol.v1` has an `ErrorText` too.
    """
    found = _schemas((PlainFrame, PlainError))
    say, error, text = (found[name] for name in ("PlainFrame", "PlainError", "PlainErrorText"))
    said = {**say, "properties": dict(say["properties"])}
    error["properties"]["error"] = reference("PlainErrorText")
    text["properties"]["code"] |= codes(_PLAIN_FRAMES)
    return {
        "PlainSay": say | {"title": "PlainSay", "description": "Say something."},
        "PlainSaid": said | {"title": "PlainSaid", "description": "Somebody said something."},
        "PlainError": error | {"title": "PlainError", "description": "A frame was refused."},
        "PlainErrorText": text | {"title": "PlainErrorText", "description": "What went wrong."},
    }
