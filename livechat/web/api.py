"""
The HTTP endpoints: sending, history, WebSocket handshakes, health.

One function an endpoint, one row for it in `routes`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import Final
from urllib.parse import urlencode

from livechat import wire
from livechat.chat import LONGEST_PAGE, PAGE, Chat, History, Window
from livechat.errors import ChatError, Kind
from livechat.names import room_name
from livechat.web.response import Headers, Response, Upgrade, json, streamed_json
from livechat.web.routing import FORM, Call, Route, form_fields, media_type, query, window

#: 16 bytes in base64.
_KEY: Final = re.compile(r"[A-Za-z0-9+/]{22}==", re.ASCII)


class Api:
    """The endpoints, on the rooms of a `Chat`."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    def routes(self) -> tuple[Route, ...]:
        """The endpoints' rows in the URL tree."""
        return (
            Route("/ws/chat/{room}/", {"GET": self.socket}),
            Route("/chat/send/", {"POST": self.send}),
            Route("/chat/send/{room}/", {"POST": self.send}),
            Route("/chat/history/", {"GET": self.history}),
            Route("/chat/history/{room}/", {"GET": self.history}),
            Route("/healthz", {"GET": self.healthy}, origins="any"),
            Route("/readyz", {"GET": self.ready}, origins="any"),
        )

    async def send(self, call: Call) -> Response:
        """Store and deliver a message, then say so."""
        request = _send_request(call)
        room = self._room(call, request.room)
        await self._chat.send(call.sender, room, request.message)
        return json(wire.Sent())

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

    async def socket(self, call: Call) -> Upgrade:
        """Check a WebSocket handshake (RFC 6455, section 4.2.1)."""
        room = room_name(call.names["room"])
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
        return Upgrade(room, key)

    async def healthy(self, call: Call) -> Response:
        """The process is alive and answers."""
        return json({"status": "ok"})

    async def ready(self, call: Call) -> Response:
        """The process can take messages."""
        trouble = self._chat.trouble()
        if trouble is not None:
            raise ChatError(Kind.UNAVAILABLE, f"Not ready: {trouble}.")
        return json({"status": "ready"})

    def _room(self, call: Call, in_body: str | None = None) -> str:
        """The room that a request names, in its path, query or body, or the default."""
        given = {call.names.get("room"), query(call).get("room"), in_body} - {None}
        if len(given) > 1:
            raise ChatError(Kind.BAD_ROOM, "The request names different rooms.")
        return room_name(given.pop() or "") if given else self._chat.default_room


def _send_request(call: Call) -> wire.SendRequest:
    """What is to be sent, from JSON or from a form."""
    if media_type(call) == "application/json":
        return wire.decode_send_request(call.body)
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
    return wire.SendRequest(given["message"], given.get("room"))


def _lists(call: Call, header: str, token: str) -> bool:
    """Whether a header's comma-separated tokens hold *token*, in any case."""
    values = ",".join(call.headers.get(header, ()))
    return token in (each.strip().lower() for each in values.split(","))


async def _history_body(found: History) -> AsyncGenerator[bytes, None]:
    """``{"chat_history": [...]}``, a page at a time."""
    lead = b'{"chat_history":['
    async for page in found.pages():
        yield lead + b",".join(map(wire.encode, page))
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
