"""
The contract, for programs: OpenAPI for HTTP, AsyncAPI for what a connection carries.

The schemas are made from the structs by which the bodies and frames are read and written,
and the limits are the chat's.  What no struct says stands here: parameters, headers, and
what can go wrong where.  Tests hold that against the routes, and against real answers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from http import HTTPStatus
from typing import Any, Final, get_args

import msgspec
from msgspec import Struct, structs

from livechat import __version__
from livechat.errors import Close, Kind
from livechat.http.endpoint import FORM
from livechat.identity import guests
from livechat.members.session import HEARTBEAT
from livechat.protocol import bodies, looks, messages, names, plain
from livechat.protocol import v1 as frames
from livechat.protocol.plain import PlainError, PlainFrame
from livechat.protocol.wire import wire_limit
from livechat.rooms.chat import LONGEST_PAGE, PAGE, Chat

Document = dict[str, Any]

#: With every request, whatever it asks for.
_ANYWHERE: Final = (
    Kind.BAD_REQUEST, Kind.BAD_HOST, Kind.MISDIRECTED, Kind.TOO_SLOW, Kind.BODY_TOO_LARGE,
    Kind.TOO_MANY_CONNECTIONS, Kind.INTERNAL, Kind.OVERLOADED,
)  # fmt: skip
_IN_A_ROOM: Final = (Kind.BAD_ORIGIN, Kind.BAD_ROOM, Kind.BAD_QUERY, Kind.UNAVAILABLE)
_SENDING: Final = (
    *_IN_A_ROOM, Kind.BAD_JSON, Kind.BAD_FORM, Kind.BAD_MESSAGE, Kind.MESSAGE_TOO_LONG,
    Kind.UNSUPPORTED_MEDIA_TYPE, Kind.NONCE_REUSED, Kind.RATE_LIMITED, Kind.UNKNOWN,
)  # fmt: skip
_UPGRADING: Final = (*_IN_A_ROOM, Kind.BAD_HANDSHAKE, Kind.UPGRADE_REQUIRED)
#: With requests that this describes no operation for.
_ELSEWHERE: Final = (Kind.NOT_FOUND, Kind.METHOD_NOT_ALLOWED, Kind.FORBIDDEN)
_PLAIN_FRAMES: Final = (
    Kind.BAD_JSON, Kind.BAD_MESSAGE, Kind.MESSAGE_TOO_LONG, Kind.NOT_TEXT, Kind.RATE_LIMITED,
    Kind.INTERNAL, Kind.OVERLOADED, Kind.UNAVAILABLE, Kind.UNKNOWN,
)  # fmt: skip
_V1_FRAMES: Final = (
    *_PLAIN_FRAMES, Kind.UNKNOWN_TYPE, Kind.NONCE_REUSED, Kind.EMPTY_MESSAGE,
)  # fmt: skip

_TEXT: Final[Document] = {"type": "string"}
_NUMBER: Final[Document] = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}
_PLACE: Final[Document] = {"type": "string", "pattern": f"^{frames.PLACE}$"}
_ROOM: Final[Document] = {
    "type": "string",
    "pattern": f"^{names.ROOM_NAME}$",
}
_QUERY: Final[dict[str, tuple[Document, str]]] = {
    "room": (_ROOM, "The same one, if the path or the body names one too."),
    "name": (
        {"type": "string", "maxLength": guests.LONGEST_NAME, "pattern": f"^{guests.NAME}$"},
        "By which others see who this is, without control characters, and with something to be"
        " seen at both ends; made up if it is missing, or reserved "
        f"({', '.join(looks.RESERVED)}, and what looks like these).",
    ),
    "client": (
        {"type": "string", "pattern": f"^{guests.KEY}$"},
        "Chosen at random, kept and told to nobody else: makes this the same user each time.",
    ),
    "limit": (
        _NUMBER | {"default": PAGE},
        f"How many messages; no more than {LONGEST_PAGE} come, however many are asked for.",
    ),
    "before": (_NUMBER, "The last messages before this number. Not together with `after`."),
    "after": (_NUMBER, "The first messages after this number. Not together with `before`."),
    "since": (_PLACE, "`epoch:seq`, of what was seen last: what came after it comes first."),
    "history": (
        _NUMBER | {"default": 0},
        f"Plain mode: so many of the newest messages come first, at most {PAGE}.",
    ),
}
_AS_USER: Final = ("name", "client")

_STRUCTS: Final = {
    each.__name__: each
    for module in (messages, bodies, plain, frames)
    for each in vars(module).values()
    if isinstance(each, type) and issubclass(each, Struct)
}
_SAID_OF: Final = re.compile(r"^@ivar (\w+): ", re.MULTILINE)


def openapi(chat: Chat, *, shortest_shared: int) -> Document:
    """
    The HTTP endpoints, as an OpenAPI document.

    @param shortest_shared: characters that an ``Idempotency-Key`` has at least, where it
        counts among those of all who bring no key of their own.
    """
    schemas = _schemas((bodies.SendRequest,)) | _schemas(
        (bodies.Sent, messages.Message, bodies.Allowance, bodies.Problem), written=True
    )
    _bound(schemas["SendRequest"], chat)
    schemas["SendRequest"]["properties"]["room"]["anyOf"][0] |= _ROOM
    history = {"type": "array", "items": _schema("Message")}
    schemas["ChatHistory"] = _object(chat_history=history) | {"description": "Oldest first."}
    schemas["Problem"]["properties"]["code"] |= _codes(
        {*_ANYWHERE, *_SENDING, *_UPGRADING, *_ELSEWHERE}
    )
    room = {"parameters": [{"in": "path", "name": "room", "required": True, "schema": _ROOM}]}
    ok, ready = _object(status={"const": "ok"}), _object(status={"const": "ready"})
    document: Document = {"type": "object"}
    return {
        "openapi": "3.1.0",
        "info": _info(
            f"Where no room is named, `{chat.default_room}` is meant. The last slash of a path "
            "may be left out. HEAD is answered as GET is, without a body. Whose `Accept` prefers "
            "`text/html` gets problems as pages.",
            chat,
        ),
        "servers": [{"url": "/"}],
        "paths": {
            "/ws/chat/{room}/": room | {"get": _socket()},
            "/chat/events/{room}/": room | {"get": _events()},
            "/chat/send/": {"post": _send("send", chat, shortest_shared)},
            "/chat/send/{room}/": room | {"post": _send("sendTo", chat, shortest_shared)},
            "/chat/history/": {"get": _history("history")},
            "/chat/history/{room}/": room | {"get": _history("historyOf")},
            "/chat/origin/": {"get": _allowance()},
            "/healthz": {"get": _state("healthy", "The process is alive.", ok)},
            "/readyz": {"get": _state("ready", "It takes messages.", ready, Kind.UNAVAILABLE)},
            "/metrics": {"get": _metrics()},
            "/openapi.json": {"get": _state("openapi", "This document.", document)},
            "/asyncapi.json": {"get": _state("asyncapi", "WebSockets and events.", document)},
        },
        "components": {"schemas": schemas},
    }


def asyncapi(chat: Chat) -> Document:
    """What WebSockets and event streams carry, as an AsyncAPI document."""
    asked = [each.__name__ for each in get_args(frames.ClientFrame)]
    told = [each.__name__ for each in get_args(frames.ServerFrame)]
    # Who only listens asks for nothing, and sends nothing.
    heard = [name for name in told if name not in ("Ack", "History", "Pong")]
    plain = ("PlainSay", "PlainSaid", "PlainError")
    schemas = _schemas(get_args(frames.ClientFrame)) | _plain_schemas()
    schemas |= _schemas(get_args(frames.ServerFrame), written=True)
    # A message need not say that it is one.
    schemas["Say"]["required"].remove("type")
    schemas["ErrorText"]["properties"]["code"] |= _codes(_V1_FRAMES)
    for name in ("Say", "PlainSay"):
        _bound(schemas[name], chat)
    subprotocol = {"headers": _object(**{"Sec-WebSocket-Protocol": {"const": frames.V1}})}
    return {
        "asyncapi": "3.0.0",
        "info": _info("As the server sees it: it receives what clients send.", chat),
        "defaultContentType": "application/json",
        "channels": {
            "plain": _socket_channel(
                "Plain mode, for who asks for no subprotocol or for none that is known.",
                plain,
                _asked_with("history"),
            ),
            "v1": _socket_channel(
                f"The subprotocol `{frames.V1}`. `Hello` comes first. Who may not enter is let "
                "in, and closed with a code that says why.",
                (*asked, *told),
                _asked_with("since") | subprotocol,
            ),
            "events": _channel(
                "/chat/events/{room}/",
                "Server-sent events: `event` is the frame's `type`, `data` the frame, and `id`, "
                "with `Hello` and `Said`, what `since` takes. "
                f"A comment comes every {HEARTBEAT} seconds.",
                heard,
            ),
        },
        "operations": {
            "receivePlain": _carried("receive", "plain", plain[:1]),
            "sendPlain": _carried("send", "plain", plain[1:]),
            "receiveV1": _carried("receive", "v1", asked),
            "sendV1": _carried("send", "v1", told),
            "sendEvents": _carried("send", "events", heard)
            | {"bindings": {"http": _asked_with("since", version="0.3.0")}},
        },
        "components": {
            "schemas": schemas,
            "messages": {
                name: {"description": schemas[name]["description"], "payload": _schema(name)}
                for name in (*plain, *asked, *told)
            },
        },
    }


def _send(name: str, chat: Chat, shortest_shared: int) -> Document:
    body = {"schema": _schema("SendRequest")}
    key = _parameter(
        "header",
        "Idempotency-Key",
        {"type": "string", "pattern": rf"^[!-~]{{{shortest_shared},{frames.LONGEST_NONCE}}}$"},
        "The same one from the same user in the same room is the same message. With `client` it "
        "may be shorter, from 1 character on.",
    )
    stored = _answer("It is stored.", _schema("Sent"))
    stored["200"]["headers"] = {
        "Livechat-Seq": {"required": True, "schema": {"type": "integer"}},
        "Livechat-Time": {
            "required": True,
            "description": "When it was stored, in milliseconds since 1970, UTC.",
            "schema": {"type": "integer"},
        },
    }
    parameters = [*_query("room", *_AS_USER), key]
    return _operation(name, "Store and deliver a message.", stored, _SENDING, parameters) | {
        "requestBody": {
            "required": True,
            "description": f"At most {wire_limit(chat.max_message)} bytes.",
            "content": {"application/json": body, FORM: body},
        }
    }


def _history(name: str) -> Document:
    headers = {
        "Livechat-Epoch": {"required": True, "schema": _TEXT},
        "Livechat-Seq": {"required": True, "schema": {"type": "integer"}},
        "Link": {"description": "`prev` and `next`, where there are such.", "schema": _TEXT},
    }
    found = _answer("A part of it; the newest one, unless said.", _schema("ChatHistory"))
    found["200"]["headers"] = headers
    parameters = _query("room", "limit", "before", "after")
    return _operation(name, "What was said in a room.", found, _IN_A_ROOM, parameters)


def _events() -> Document:
    last = _parameter("header", "Last-Event-ID", _PLACE, "As `since`, which it overrides.")
    return _operation(
        "events",
        "A room as server-sent events: `/asyncapi.json` says which.",
        _answer("Events, until the client or the server goes.", _TEXT, "text/event-stream"),
        _IN_A_ROOM,
        [*_query("since", *_AS_USER), last],
    )


def _allowance() -> Document:
    return _operation(
        "origin",
        "Whether the page that asks may use the chat; any page may ask.",
        _answer("What holds for the request's `Origin`.", _schema("Allowance")),
        (),
        [_parameter("header", "Origin", _TEXT, "The page's, as browsers send it.")],
    )


def _socket() -> Document:
    asked = _parameter("header", "Sec-WebSocket-Protocol", _TEXT, f"`{frames.V1}`, or nothing.")
    return _operation(
        "socket",
        "A room as a WebSocket (RFC 6455): `/asyncapi.json` says what it carries.",
        {"101": {"description": "Frames follow."}},
        _UPGRADING,
        [*_query("since", "history", *_AS_USER), asked],
    )


def _state(name: str, summary: str, schema: Document, *kinds: Kind) -> Document:
    return _operation(name, summary, _answer(summary, schema), kinds)


def _metrics() -> Document:
    token = _parameter("header", "Authorization", _TEXT, "`Bearer` and the operator's token.")
    return _operation(
        "metrics",
        "What is counted, as Prometheus reads it; for those who may.",
        _answer("Figures.", _TEXT, "text/plain"),
        (Kind.BAD_ORIGIN, Kind.FORBIDDEN, Kind.NOT_FOUND),
        [token],
    )


def _operation(
    name: str,
    summary: str,
    answers: Document,
    kinds: Collection[Kind],
    parameters: Collection[Document] = (),
) -> Document:
    """What can always go wrong need not be among *kinds*."""
    by_status: dict[int, list[Kind]] = {}
    for kind in Kind:
        if kind in _ANYWHERE or kind in kinds:
            by_status.setdefault(kind.status, []).append(kind)
    problems = {str(status): _problem(status, found) for status, found in by_status.items()}
    return {
        "operationId": name,
        "summary": summary,
        "parameters": list(parameters),
        "responses": answers | problems,
    }


def _answer(text: str, schema: Document, media: str = "application/json") -> Document:
    return {"200": {"description": text, "content": {media: {"schema": schema}}}}


def _problem(status: int, kinds: Collection[Kind]) -> Document:
    told = {"properties": {"status": {"const": status}, "code": _codes(kinds)}}
    schema = {"allOf": [_schema("Problem"), told]}
    found: Document = {
        "description": HTTPStatus(status).phrase,
        "content": {"application/problem+json": {"schema": schema}},
    }
    if any(kind.retry for kind in kinds):
        seconds = {"type": "integer", "minimum": 1}
        found["headers"] = {"Retry-After": {"description": "In seconds.", "schema": seconds}}
    return found


def _parameter(where: str, name: str, schema: Document, text: str) -> Document:
    return {"in": where, "name": name, "schema": schema, "description": text}


def _query(*fields: str) -> list[Document]:
    return [_parameter("query", field, *_QUERY[field]) for field in fields]


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


def _socket_channel(text: str, messages: Iterable[str], handshake: Document) -> Document:
    return _channel("/ws/chat/{room}/", text, messages) | {
        "bindings": {"ws": handshake},
        "x-close-codes": {str(code.value): code.name.lower() for code in Close},
    }


def _carried(action: str, channel: str, messages: Iterable[str]) -> Document:
    at = f"#/channels/{channel}"
    carried = [{"$ref": f"{at}/messages/{name}"} for name in messages]
    return {"action": action, "channel": {"$ref": at}, "messages": carried}


def _asked_with(*fields: str, version: str = "0.1.0") -> Document:
    """How a handshake, or a request for events, is made."""
    known = {field: _QUERY[field] for field in (*_AS_USER, *fields)}
    query = {field: schema | {"description": text} for field, (schema, text) in known.items()}
    asked = {"type": "object", "properties": query}
    return {"method": "GET", "query": asked, "bindingVersion": version}


def _info(text: str, chat: Chat) -> Document:
    limits = msgspec.to_builtins(chat.limits)
    return {"title": "livechat", "version": __version__, "description": text, "x-limits": limits}


def _schema(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: Document) -> Document:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _codes(kinds: Collection[Kind]) -> Document:
    return {"enum": [kind.code for kind in Kind if kind in kinds]}


def _bound(schema: Document, chat: Chat) -> None:
    """Say how long a message may be: a schema counts characters, which are never more."""
    schema["properties"]["message"] = _TEXT | {
        "maxLength": chat.max_message,
        "description": f"At most {chat.max_message} bytes of UTF-8.",
    }


def _schemas(types: Iterable[Any], *, written: bool = False) -> dict[str, Document]:
    """
    The schemas of structs, and of those in them, by name.

    @param written: as this server writes them, which is more than what it would read.
    """
    _, found = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    for name, schema in found.items():
        struct = _STRUCTS[name]
        _tell_apart(schema, struct)
        if written:
            _as_written(schema, struct)
    return found


def _as_written(schema: Document, struct: type[Struct]) -> None:
    """Nothing is left out; or what is as always, and then it is not null."""
    if not struct.__struct_config__.omit_defaults:
        schema["required"] = list(schema["properties"])
        return
    for field in schema["properties"].values():
        if field.get("default", ...) is None:
            del field["default"]
            (only,) = (each for each in field.pop("anyOf") if each != {"type": "null"})
            field.update(only)


def _tell_apart(schema: Document, struct: type[Struct]) -> None:
    """Move what a struct's docstring says of its fields to them."""
    encoded = {each.name: each.encode_name for each in structs.fields(struct)}
    whole, *parts = _SAID_OF.split(schema.get("description", ""))
    texts = [" ".join(text.replace("``", "`").split()) for text in (whole, *parts[1::2])]
    schema["description"] = texts[0]
    for name, text in zip(parts[::2], texts[1:], strict=True):
        schema["properties"][encoded[name]]["description"] = text


def _plain_schemas() -> dict[str, Document]:
    """
    Those of plain mode.  The same struct goes both ways there, with another meaning, and
    `livechat.protocol.v1` has an `ErrorText` too.
    """
    found = _schemas((PlainFrame, PlainError))
    say, error, text = (found[name] for name in ("PlainFrame", "PlainError", "PlainErrorText"))
    said = {**say, "properties": dict(say["properties"])}
    error["properties"]["error"] = _schema("PlainErrorText")
    text["properties"]["code"] |= _codes(_PLAIN_FRAMES)
    return {
        "PlainSay": say | {"title": "PlainSay", "description": "Say something."},
        "PlainSaid": said | {"title": "PlainSaid", "description": "Somebody said something."},
        "PlainError": error | {"title": "PlainError", "description": "A frame was refused."},
        "PlainErrorText": text | {"title": "PlainErrorText", "description": "What went wrong."},
    }
