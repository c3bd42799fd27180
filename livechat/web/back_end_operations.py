"""Describes the endpoints for back ends, as operations of OpenAPI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, get_args

from livechat.errors import Kind
from livechat.protocol.actions import Action
from livechat.protocol.back_ends import MOST_ACTIONS
from livechat.rooms.chat import Chat
from livechat.web.operations import (
    ACTING,
    AS_USER,
    HELD,
    IN_A_ROOM,
    MANAGING,
    NUMBER,
    PLACE,
    PLACED,
    ROOM,
    TEXT,
    Document,
    answer,
    nonce_header,
    operation,
    parameter,
    query,
    reference,
    request_body,
    structure,
)
from livechat.web.queries import (
    LARGEST_BATCH,
    LONGEST_PAGE,
    MOST_LAST,
    SHORTEST_SHARED,
    USUAL_PAGE,
)

_ACTION: Final = {"oneOf": [reference(each.__name__) for each in get_args(Action)]}

_WRITING: Final = (
    *MANAGING, Kind.UNKNOWN, Kind.BAD_JSON, Kind.BAD_MESSAGE, Kind.UNSUPPORTED_MEDIA_TYPE,
    Kind.RATE_LIMITED,
)  # fmt: skip


_LOOKING: Final = (*IN_A_ROOM, Kind.RATE_LIMITED)
MAKING_KEYS: Final = (*_WRITING, Kind.TOO_MANY_KEYS)


def act(chat: Chat) -> Document:
    """An action in a room, as by a frame of ``livechat.v1``."""
    action = {"schema": {"allOf": [_ACTION, reference("Target")]}}
    parameters = [*query(*AS_USER), nonce_header(SHORTEST_SHARED)]
    done = answer("It is done, and stored.", reference("Ack")) | HELD
    summary = "Do what a frame of `livechat.v1` asks for: say something, edit, retract, moderate."
    acting = operation("act", summary, done, ACTING, parameters)
    return acting | request_body(chat, {"application/json": action})


def actions() -> Document:
    """Several actions."""
    single = {"allOf": [_ACTION, reference("Target")]}
    batch = structure(
        actions={"type": "array", "minItems": 1, "maxItems": MOST_ACTIONS, "items": single}
    )
    parameters = [*query(*AS_USER), nonce_header(SHORTEST_SHARED)]
    summary = (
        "Do several actions, in order within a room, or a single one. Where settings are changed, "
        "`room` may be a beginning of rooms with `*` behind it."
    )
    results = {"oneOf": [reference("Results"), reference("Ack")]}
    done = answer("What became of each; of a single one its ack.", results) | HELD
    acting = operation("actions", summary, done, ACTING, parameters)
    text = f"With a key at most {LARGEST_BATCH} bytes, otherwise as with one action."
    content = {"application/json": {"schema": {"anyOf": [batch, single]}}}
    return acting | {"requestBody": {"required": True, "description": text, "content": content}}


def rooms() -> Document:
    """The active rooms."""
    listed = answer("A page of them, by name.", reference("RoomList"))
    summary = (
        "The rooms in which somebody is, or something was said lately: all for those that manage "
        "everything; for others those that are `listed`, and that they may join."
    )
    return operation("rooms", summary, listed, (*MANAGING, Kind.RATE_LIMITED), _page(ROOM))


def room() -> Document:
    """A room."""
    found = answer("The room, active or not.", reference("RoomState"))
    text = f"How many of the newest messages to add, at most {MOST_LAST}, where they may be read."
    parameters = [*query("client"), parameter("query", "last", NUMBER, text)]
    return operation("room", "Who is in a room, and where it stands.", found, _LOOKING, parameters)


def members() -> Document:
    """The users in a room."""
    found = answer("A page of them.", reference("MemberList"))
    summary = (
        "The users in a room. Where more than a hundred are at one process, other processes know "
        "their number only."
    )
    return operation("members", summary, found, _LOOKING, _page(TEXT))


def _page(after: Document) -> list[Document]:
    limit = NUMBER | {"default": USUAL_PAGE}
    return [
        parameter("query", "after", after, "`next` of the page before."),
        parameter(
            "query", "limit", limit, f"How many; at least 1 and at most {LONGEST_PAGE} come."
        ),
    ]


def restrictions() -> Document:
    """All restrictions."""
    return _everywhere("restrictions", "What was taken from whom, in all rooms.", "RestrictionList")


def restrictions_of() -> Document:
    """Restrictions in force in a room."""
    summary = "Restrictions in a room, including those in all rooms."
    return _in_room("restrictionsOf", summary, "RestrictionList")


def cases() -> Document:
    """All open cases."""
    summary = "Held and reported messages of all rooms."
    return _everywhere("cases", summary, "CaseList")


def cases_of() -> Document:
    """Open cases of a room."""
    summary = "Held and reported messages of a room."
    return _in_room("casesOf", summary, "CaseList")


def _everywhere(name: str, summary: str, struct: str) -> Document:
    return _listing(name, summary, struct, (*MANAGING, Kind.RATE_LIMITED))


def _in_room(name: str, summary: str, struct: str) -> Document:
    return _listing(name, summary, struct, _LOOKING)


def _listing(name: str, summary: str, struct: str, kinds: Sequence[Kind]) -> Document:
    listed = answer("A page of them, the oldest first.", reference(struct))
    return _secured(operation(name, summary, listed, kinds, _page(TEXT)))


def audit() -> Document:
    """The records of the audit."""
    records = structure(records={"type": "array", "items": reference("RecordLine")})
    found = answer("A part of it, oldest first; the newest one, unless said.", records)
    found["200"]["headers"] = PLACED
    kinds = (*MANAGING, Kind.RATE_LIMITED)
    parameters = query("limit", "before", "after")
    summary = "What moderators and operators did."
    return _secured(operation("audit", summary, found, kinds, parameters))


def audit_events() -> Document:
    """The same as server-sent events."""
    text = (
        "Events, for five minutes at most: `resumed`, as in `/asyncapi.json`, and `record`, whose "
        "data is a `RecordLine`; at last `error`, if it may not go on. An `id` is what `since` "
        "takes."
    )
    found = answer(text, TEXT, "text/event-stream")
    last = parameter("header", "Last-Event-ID", PLACE, "As `since`, which it overrides.")
    kinds = (*MANAGING, Kind.RATE_LIMITED)
    summary = "What moderators and operators do, as server-sent events."
    return _secured(operation("auditEvents", summary, found, kinds, [*query("since"), last]))


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
    summary = "Drop a key: its connections close within a second."
    return _secured(operation("dropKey", summary, dropped, kinds))


def mint(chat: Chat) -> Document:
    """Making a token."""
    made = answer("The token.", reference("TokenMade"))
    minting = operation("mint", "Make a token for a user of the site.", made, _WRITING)
    return _secured(minting) | request_body(
        chat, {"application/json": {"schema": reference("TokenRequest")}}
    )


def _secured(described: Document) -> Document:
    """Mark *described* as an operation that guests cannot use."""
    return described | {"security": [{"bearer": []}]}
