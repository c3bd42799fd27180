"""
The endpoints as operations of OpenAPI: parameters, headers, and errors.

The endpoints' rows carry these (`livechat.web.root`); `livechat.web.contract` puts them together.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from livechat.errors import Kind
from livechat.http.call import FORM
from livechat.http.endpoint import Endpoint
from livechat.identity import accounts, guests
from livechat.protocol import looks, names, values
from livechat.protocol import v1 as frames
from livechat.protocol.actions import LONGEST_USER_ID
from livechat.protocol.wire import wire_limit
from livechat.rooms.chat import Chat
from livechat.rooms.history import HISTORY_PAGE, LONGEST_HISTORY
from livechat.rooms.search import LONGEST_TEXT

Document = dict[str, Any]

#: Refusals of any request.
ANYWHERE: Final = (
    Kind.BAD_REQUEST, Kind.BAD_HOST, Kind.MISDIRECTED, Kind.TOO_SLOW, Kind.BODY_TOO_LARGE,
    Kind.TOO_MANY_CONNECTIONS, Kind.INTERNAL, Kind.OVERLOADED,
)  # fmt: skip
#: Refusals of a token.
KNOWN: Final = (Kind.UNAUTHORIZED, Kind.TOKEN_EXPIRED, Kind.TOKEN_REVOKED)
IN_A_ROOM: Final = (
    *KNOWN, Kind.BAD_ORIGIN, Kind.FORBIDDEN, Kind.BAD_ROOM, Kind.BAD_QUERY, Kind.UNAVAILABLE,
    Kind.BANNED, Kind.ROOM_CLOSED,
)  # fmt: skip
SENDING: Final = (
    *IN_A_ROOM, Kind.BAD_JSON, Kind.BAD_FORM, Kind.BAD_MESSAGE, Kind.MESSAGE_TOO_LONG,
    Kind.UNSUPPORTED_MEDIA_TYPE, Kind.NONCE_REUSED, Kind.RATE_LIMITED, Kind.UNKNOWN,
    Kind.MUTED, Kind.SLOW_MODE, Kind.REJECTED,
)  # fmt: skip
ACTING: Final = (
    *(kind for kind in SENDING if kind is not Kind.BAD_FORM),
    Kind.EMPTY_MESSAGE, Kind.UNKNOWN_TYPE, Kind.NOT_FOUND, Kind.TOO_LATE, Kind.TOO_MANY_EDITS,
)  # fmt: skip
MANAGING: Final = (*KNOWN, Kind.BAD_ORIGIN, Kind.FORBIDDEN, Kind.BAD_QUERY, Kind.UNAVAILABLE)
#: Refusals that may end by themselves.
_TIMED: Final = (Kind.BANNED, Kind.MUTED)
UPGRADING: Final = (*IN_A_ROOM, Kind.BAD_HANDSHAKE, Kind.UPGRADE_REQUIRED)

TEXT: Final[Document] = {"type": "string"}
NUMBER: Final[Document] = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}
PLACE: Final[Document] = {"type": "string", "pattern": f"^{values.PLACE}$"}
ROOM: Final[Document] = {
    "type": "string",
    "pattern": f"^{names.ROOM_NAME}$",
}
QUERY: Final[dict[str, tuple[Document, str]]] = {
    "room": (ROOM, "The same one, if the path or the body names one too."),
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
        NUMBER | {"default": HISTORY_PAGE},
        f"How many messages; no more than {LONGEST_HISTORY} come, however many are asked for.",
    ),
    "before": (NUMBER, "The last messages before this number. Not together with `after`."),
    "after": (NUMBER, "The first messages after this number. Not together with `before`."),
    "since": (PLACE, "`epoch:seq` of the last entry seen: later entries are sent first."),
    "user": (
        {"type": "string"},
        "With a key that may name users: the id of the user, whose name is `name`.",
    ),
    "history": (
        NUMBER | {"default": 0},
        f"Plain mode: so many of the newest messages come first, at most {HISTORY_PAGE}.",
    ),
}
#: Headers with the place of a room, beside a part of its history.
PLACED: Final[Document] = {
    "Livechat-Epoch": {"required": True, "schema": TEXT},
    "Livechat-Seq": {"required": True, "schema": {"type": "integer"}},
    "Link": {"description": "`prev` and `next`, where there are such.", "schema": TEXT},
}
LIMIT: Final[Document] = {"anyOf": [NUMBER, {"const": "all"}], "default": HISTORY_PAGE}
_WHOLE: Final = (
    " `all`, with `Accept: application/x-ndjson`: everything that is kept, a message a line; for "
    "those that `manage` the room."
)
USER_ID: Final[Document] = {"type": "string", "minLength": 1, "maxLength": LONGEST_USER_ID}
SOUGHT: Final[Document] = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}
#: The names in braces in paths of endpoints.
PATH: Final[dict[str, Document]] = {
    "room": ROOM,
    "name": {"type": "string", "pattern": f"^{accounts.NAME}$"},
    "id": {"type": "string"},
}
AS_USER: Final = ("name", "client")


#: The answer to a message that waits for a review.
HELD: Final[Document] = {
    "202": {
        "description": "It waits for a review.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Held"}}},
        "headers": {
            "Livechat-Case": {
                "required": True,
                "description": "The id of its case.",
                "schema": TEXT,
            }
        },
    }
}


def by_method(endpoint: Endpoint) -> Document:
    """The operations of an endpoint that is described, by method in lower case."""
    described = endpoint.described or {}
    if "operationId" in described:
        return {method.lower(): described for method in endpoint.answers}
    return {method.lower(): each for method, each in described.items()}


def reference(name: str) -> Document:
    """A schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def structure(**properties: Document) -> Document:
    """The schema of an object that has all these."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def codes(kinds: Collection[Kind]) -> Document:
    """The schema of an error's code."""
    return {"enum": [kind.code for kind in Kind if kind in kinds]}


def send(name: str, chat: Chat, shortest_shared: int) -> Document:
    """
    Sending a message.

    @param shortest_shared: characters that an ``Idempotency-Key`` has at least, where it
        counts among those of all who bring no key of their own.
    """
    body = {"schema": reference("SendRequest")}
    stored = answer("It is stored.", reference("Sent"))
    stored["200"]["headers"] = {
        "Livechat-Seq": {"required": True, "schema": {"type": "integer"}},
        "Livechat-Time": {
            "required": True,
            "description": "When it was stored, in milliseconds since 1970, UTC.",
            "schema": {"type": "integer"},
        },
    }
    stored |= HELD
    parameters = [*query("room", *AS_USER), nonce_header(shortest_shared)]
    sending = operation(name, "Store and deliver a message.", stored, SENDING, parameters)
    return sending | request_body(chat, {"application/json": body, FORM: body})


def request_body(chat: Chat, content: Document) -> Document:
    """The body of a request, by media type."""
    text = f"At most {wire_limit(chat.max_message)} bytes."
    return {"requestBody": {"required": True, "description": text, "content": content}}


def nonce_header(shortest_shared: int) -> Document:
    """The header that tells a repeated request from another one; as `send`."""
    return parameter(
        "header",
        "Idempotency-Key",
        {"type": "string", "pattern": rf"^[!-~]{{{shortest_shared},{values.LONGEST_NONCE}}}$"},
        "The same one from the same user in the same room is the same act. With `client` it "
        "may be shorter, from 1 character on.",
    )


def history(name: str) -> Document:
    """Reading a history."""
    found = answer("A part of it; the newest one, unless said.", reference("ChatHistory"))
    found["200"]["headers"] = PLACED
    # Managers of the room get lines of JSON with `limit=all`.
    found["200"]["content"]["application/x-ndjson"] = {"schema": TEXT}
    parameters = [
        *query("room", "before", "after"),
        parameter("query", "limit", LIMIT, QUERY["limit"][1] + _WHOLE),
        parameter("query", "user", USER_ID, "Only what the user of this id said."),
        parameter("query", "guest", {"enum": [0, 1]}, "1: `user` is the id of a guest."),
        parameter("query", "q", SOUGHT, "Only messages with this text, in any case and width."),
    ]
    kinds = (*IN_A_ROOM, Kind.RATE_LIMITED)
    return operation(name, "What was said in a room.", found, kinds, parameters)


def export() -> Document:
    """Exporting all that is kept of a person."""
    parameters = [
        parameter("query", "user", USER_ID, "The person's id."),
        parameter("query", "guest", {"enum": [0, 1]}, "1: `user` is the id of a guest."),
    ]
    return operation(
        "export",
        "All data of a person: messages, restrictions and cases, and records "
        "of the audit; for those that manage everything. Without the line `end` it is not whole.",
        answer("A line of JSON each; the last one is `end`.", TEXT, "application/x-ndjson"),
        (*MANAGING, Kind.RATE_LIMITED, Kind.OVERLOADED),
        parameters,
    )


def events() -> Document:
    """A room as server-sent events."""
    last = parameter("header", "Last-Event-ID", PLACE, "As `since`, which it overrides.")
    return operation(
        "events",
        "A room as server-sent events: `/asyncapi.json` says which.",
        answer("Events, until the client or the server goes.", TEXT, "text/event-stream"),
        IN_A_ROOM,
        [*query("since", *AS_USER, "user"), last],
    )


def allowance() -> Document:
    """Asking whether a page may use the chat."""
    return operation(
        "origin",
        "Whether the page that asks may use the chat; any page may ask.",
        answer("What holds for the request's `Origin`.", reference("Allowance")),
        (),
        [parameter("header", "Origin", TEXT, "The page's, as browsers send it.")],
    )


def socket() -> Document:
    """A room as a WebSocket."""
    asked = parameter("header", "Sec-WebSocket-Protocol", TEXT, f"`{frames.V1}`, or nothing.")
    return operation(
        "socket",
        "A room as a WebSocket (RFC 6455): `/asyncapi.json` describes its frames.",
        {"101": {"description": "Frames follow."}},
        UPGRADING,
        [*query("since", "history", *AS_USER, "user"), asked],
    )


def operators() -> Document:
    """The operators with names."""
    listed = answer("All, by name.", reference("OperatorList"))
    return operation("operators", "The operators with names.", listed, MANAGING)


def set_operator(chat: Chat) -> Document:
    """Making an operator, or changing one."""
    kinds = (*MANAGING, Kind.UNKNOWN, Kind.BAD_JSON, Kind.BAD_MESSAGE, Kind.UNSUPPORTED_MEDIA_TYPE)
    summary = "Make an operator, or change one, which ends their sessions."
    making = operation(
        "setOperator", summary, answer("It is done.", reference("OperatorSet")), kinds
    )
    return making | request_body(
        chat, {"application/json": {"schema": reference("OperatorRequest")}}
    )


def drop_operator() -> Document:
    """Dropping an operator."""
    dropped = answer("It is done.", reference("OperatorDropped"))
    kinds = (*MANAGING, Kind.UNKNOWN, Kind.NOT_FOUND)
    return operation("dropOperator", "Drop an operator, who is signed out.", dropped, kinds)


def healthy() -> Document:
    """The operation that tells that the process is alive."""
    ok = structure(status={"const": "ok"}, fast_path={"enum": ["native", "pure"]})
    return _state("healthy", "The process is alive.", ok)


def ready() -> Document:
    """The operation that tells if messages are taken."""
    known = structure(status={"const": "ready"})
    return _state("ready", "It takes messages.", known, Kind.UNAVAILABLE)


def openapi() -> Document:
    """The description of the endpoints."""
    return _state("openapi", "This document.", {"type": "object"})


def asyncapi() -> Document:
    """The description of frames."""
    return _state("asyncapi", "WebSockets and events.", {"type": "object"})


def _state(name: str, summary: str, schema: Document, *kinds: Kind) -> Document:
    return operation(name, summary, answer(summary, schema), kinds)


def metrics() -> Document:
    """Figures, for monitors."""
    return operation(
        "metrics",
        "What is counted, as Prometheus reads it: for this machine, the operator's token, and keys "
        "with the scope `metrics`.",
        answer("Figures.", TEXT, "text/plain"),
        (Kind.BAD_ORIGIN, Kind.FORBIDDEN, Kind.NOT_FOUND),
    )


def operation(
    name: str,
    summary: str,
    answers: Document,
    kinds: Collection[Kind],
    parameters: Collection[Document] = (),
) -> Document:
    """Make an operation.  Errors that are always possible need not be among *kinds*."""
    return {
        "operationId": name,
        "summary": summary,
        "parameters": list(parameters),
        "responses": answers | _problems(frozenset(kinds)),
    }


@cache
def _problems(kinds: frozenset[Kind]) -> Document:
    """Describe the problems of *kinds*, by status.  Cached, as many operations share them."""
    by_status: dict[int, list[Kind]] = {}
    for kind in Kind:
        if kind in ANYWHERE or kind in kinds:
            by_status.setdefault(kind.status, []).append(kind)
    return {str(status): _problem(status, found) for status, found in by_status.items()}


def answer(text: str, schema: Document, media: str = "application/json") -> Document:
    """The answer where all is well."""
    return {"200": {"description": text, "content": {media: {"schema": schema}}}}


def _problem(status: int, kinds: Sequence[Kind]) -> Document:
    code = {"enum": [kind.code for kind in kinds]}
    told = {"properties": {"status": {"const": status}, "code": code}}
    schema = {"allOf": [reference("Problem"), told]}
    found: Document = {
        "description": HTTPStatus(status).phrase,
        "content": {"application/problem+json": {"schema": schema}},
    }
    if any(kind.retry or kind in _TIMED for kind in kinds):
        seconds = {"type": "integer", "minimum": 1}
        found["headers"] = {"Retry-After": {"description": "In seconds.", "schema": seconds}}
    return found


def parameter(where: str, name: str, schema: Document, text: str) -> Document:
    """A parameter, in the query, the path or a header."""
    return {"in": where, "name": name, "schema": schema, "description": text}


def query(*fields: str) -> list[Document]:
    """Fields of the query, by their names in `QUERY`."""
    return [parameter("query", field, *QUERY[field]) for field in fields]
