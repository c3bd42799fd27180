"""
The HTTP endpoints: sending, history, WebSocket handshakes.

One function an endpoint, one row for it in `routes`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from typing import Final
from urllib.parse import urlencode

from livechat.errors import ChatError, Kind
from livechat.http.endpoint import FORM, Call, Route, form_fields, media_type, number, query, window
from livechat.http.origins import Origins, named
from livechat.http.response import Headers, Response, Upgrade, json, streamed_json
from livechat.identity.guests import checked_key, checked_name
from livechat.members.event_stream import Feeds
from livechat.members.session import Visit
from livechat.protocol.bodies import Allowance, SendRequest, Sent, decode_send_request
from livechat.protocol.encoding import Encoding
from livechat.protocol.names import room_name
from livechat.protocol.v1 import LONGEST_NONCE, V1, place
from livechat.protocol.wire import encode
from livechat.rooms.chat import LONGEST_PAGE, PAGE, Chat, History, Window
from livechat.web import contract

#: Characters of an ``Idempotency-Key`` that is told from those of all others.
_SHORTEST_SHARED: Final = 16
#: Seconds for which a browser may remember whether a page may use the chat.
_ALLOWANCE_AGE: Final = 30
#: 16 bytes in base64.
_KEY: Final = re.compile(r"[A-Za-z0-9+/]{22}==", re.ASCII)


class Api:
    """The endpoints, on the rooms of a `Chat`."""

    def __init__(self, chat: Chat, feeds: Feeds, origins: Origins) -> None:
        self._chat = chat
        self._feeds = feeds
        self._origins = origins
        self._openapi = json(contract.openapi(chat, shortest_shared=_SHORTEST_SHARED))
        self._asyncapi = json(contract.asyncapi(chat))

    def routes(self) -> tuple[Route, ...]:
        """The endpoints' rows in the URL tree."""
        return (
            Route("/ws/chat/{room}/", {"GET": self.socket}),
            Route("/chat/events/{room}/", {"GET": self.events}),
            Route("/chat/send/", {"POST": self.send}),
            Route("/chat/send/{room}/", {"POST": self.send}),
            Route("/chat/history/", {"GET": self.history}),
            Route("/chat/history/{room}/", {"GET": self.history}),
            Route("/chat/origin/", {"GET": self.origin}, origins="any"),
            Route("/openapi.json", {"GET": self.openapi}, origins="any"),
            Route("/asyncapi.json", {"GET": self.asyncapi}, origins="any"),
        )

    async def send(self, call: Call) -> Response:
        """Store and deliver a message, then say so."""
        request = _send_request(call)
        room = self._room(call, request.room)
        asked = query(call)
        name, key = _name_and_key(asked)
        user = None
        if name is not None or key is not None:
            user = (await self._chat.visitor(name, key)).user
        # Without a key all users share their nonces.
        nonce = _idempotency_key(call, shortest=1 if key is not None else _SHORTEST_SHARED)
        stored = await self._chat.send(
            call.source, room, request.message, user=user, nonce=nonce, anonymous=key is None
        )
        headers = (("Livechat-Seq", str(stored.seq)), ("Livechat-Time", str(stored.time)))
        return json(Sent(), headers=headers)

    async def history(self, call: Call) -> Response:
        """A part of a room's history, oldest first; where it stands is in headers."""
        room = self._room(call)
        part = window(query(call), PAGE)
        found = await self._chat.history(room, part)
        headers = (
            ("Livechat-Epoch", found.position.epoch),
            ("Livechat-Seq", str(found.position.seq)),
            *_links(room, part, found),
        )
        return streamed_json(_history_body(found), headers)

    async def events(self, call: Call) -> Response:
        """The room as server-sent events."""
        feed = self._feeds.feed(_visit(call, Encoding.EVENTS), call.source)
        if call.method != "HEAD":
            await feed.enter()
        headers = (
            ("Content-Type", "text/event-stream"),
            ("Cache-Control", "no-store"),
            # Else nginx would keep events until it has 4 KiB of them.
            ("X-Accel-Buffering", "no"),
        )
        return Response(200, feed, headers)

    async def socket(self, call: Call) -> Upgrade:
        """Check a WebSocket handshake (RFC 6455, section 4.2.1)."""
        subprotocol = V1 if V1 in _listed(call, "sec-websocket-protocol") else None
        visit: Visit | ChatError
        try:
            visit = _visit(call, Encoding.PLAIN if subprotocol is None else Encoding.V1)
        except ChatError as error:
            if subprotocol is None:
                raise
            visit = error
        if not _lists(call, "upgrade", "websocket"):
            raise ChatError(
                Kind.UPGRADE_REQUIRED,
                "This is a WebSocket: connect with wss:// and a WebSocket client.",
                headers=(("Upgrade", "websocket"), ("Connection", "Upgrade")),
            )
        if not _lists(call, "connection", "upgrade") or call.method != "GET" or call.body:
            raise ChatError(
                Kind.BAD_HANDSHAKE, "A handshake is a GET with 'Connection: Upgrade' and no body."
            )
        if call.header("Sec-WebSocket-Version") != "13":
            raise ChatError(
                Kind.UPGRADE_REQUIRED,
                "Only version 13 of the WebSocket protocol (RFC 6455) is spoken here.",
                headers=(("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")),
            )
        key = call.header("Sec-WebSocket-Key") or ""
        if _KEY.fullmatch(key) is None:
            raise ChatError(Kind.BAD_HANDSHAKE, "Sec-WebSocket-Key must be 16 bytes in base64.")
        return Upgrade(visit, key, subprotocol)

    async def origin(self, call: Call) -> Response:
        """
        Say whether the page that asks may use the chat.

        Browsers do not show a page why a socket or a request was refused, so any page may ask.
        """
        allowed, page = self._origins.allows(call.headers, call.asked), named(call.headers)
        option = None if allowed or page is None else f"--origin {page}"
        headers = (
            ("Content-Type", "application/json"),
            ("Cache-Control", f"max-age={_ALLOWANCE_AGE}"),
            ("Access-Control-Allow-Origin", "*"),
            ("Vary", "Origin"),
        )
        return Response(200, encode(Allowance(allowed, page, option)), headers)

    async def openapi(self, call: Call) -> Response:
        """What can be asked by HTTP, for programs."""
        return self._openapi

    async def asyncapi(self, call: Call) -> Response:
        """What WebSockets and events carry, for programs."""
        return self._asyncapi

    def _room(self, call: Call, in_body: str | None = None) -> str:
        """The room that a request names, in its path, query or body, or the default."""
        given = {call.names.get("room"), query(call).get("room"), in_body} - {None}
        if len(given) > 1:
            raise ChatError(Kind.BAD_ROOM, "The request names different rooms.")
        return room_name(given.pop() or "") if given else self._chat.default_room


def _send_request(call: Call) -> SendRequest:
    """What is to be sent, from JSON or from a form."""
    if media_type(call) == "application/json":
        return decode_send_request(call.body)
    if media_type(call) != FORM:
        raise ChatError(
            Kind.UNSUPPORTED_MEDIA_TYPE,
            f"Send application/json or {FORM}, in UTF-8.",
            headers=(("Accept", f"application/json, {FORM}"),),
        )
    given = form_fields(call)
    if "message" not in given:
        hint = ""
        if call.body.lstrip().startswith(b"{"):
            hint = " This looks like JSON: say so with 'Content-Type: application/json'."
        raise ChatError(Kind.BAD_MESSAGE, f"The form has no field called message.{hint}")
    return SendRequest(given["message"], given.get("room"))


def _visit(call: Call, encoding: Encoding) -> Visit:
    """How a client wants to be in the room that the path names."""
    room = room_name(call.names["room"])
    try:
        asked = query(call)
    except ChatError:
        if encoding != Encoding.PLAIN:
            raise
        # In plain mode a query that cannot be read has always been ignored.
        asked = {}
    name, key = _name_and_key(asked)
    if encoding == Encoding.PLAIN:
        count = min(number(asked, "history") or 0, PAGE)
        return Visit(room, encoding, name, key, history=count)
    since = call.header("Last-Event-ID") if encoding == Encoding.EVENTS else None
    since = since or asked.get("since")
    return Visit(room, encoding, name, key, None if since is None else place(since))


def _name_and_key(asked: Mapping[str, str]) -> tuple[str | None, str | None]:
    """By which name and which key somebody wants to be known."""
    name, key = asked.get("name"), asked.get("client")
    return (
        None if name is None else checked_name(name),
        None if key is None else checked_key(key),
    )


def _idempotency_key(call: Call, shortest: int) -> str | None:
    """The nonce of a message that is sent by HTTP."""
    given = call.header("Idempotency-Key")
    if given is None:
        return None
    # The header is a string in quotes in the draft of its specification, and bare elsewhere.
    nonce = given.strip().removeprefix('"').removesuffix('"')
    if not (shortest <= len(nonce) <= LONGEST_NONCE and nonce.isascii() and nonce.isprintable()):
        raise ChatError(
            Kind.BAD_REQUEST,
            f"Idempotency-Key has {shortest} to {LONGEST_NONCE} printable characters of ASCII.",
        )
    return nonce


def _listed(call: Call, header: str) -> list[str]:
    """A header's comma-separated tokens."""
    return [each.strip() for each in ",".join(call.headers.get(header, ())).split(",")]


def _lists(call: Call, header: str, token: str) -> bool:
    """Whether a header's tokens hold *token*, in any case."""
    return token in (each.lower() for each in _listed(call, header))


async def _history_body(found: History) -> AsyncGenerator[bytes, None]:
    """``{"chat_history": [...]}``, a page at a time."""
    lead = b'{"chat_history":['
    async for page in found.pages():
        yield lead + b",".join(map(encode, page))
        lead = b","
    yield (lead if lead != b"," else b"") + b"]}"


def _links(room: str, part: Window, found: History) -> Headers:
    """Where the neighbouring parts of the history are (RFC 8288)."""
    limit = min(part.limit, LONGEST_PAGE)
    links = []
    if found.older is not None:
        links.append(("prev", {"before": found.older, "limit": limit}))
    if found.newer is not None:
        links.append(("next", {"after": found.newer, "limit": limit}))
    if not links:
        return ()
    shown = (f'</chat/history/{room}/?{urlencode(asked)}>; rel="{rel}"' for rel, asked in links)
    return (("Link", ", ".join(shown)),)
