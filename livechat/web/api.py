"""
The HTTP endpoints: sending, events, WebSocket handshakes.

One function an endpoint; its row is in `livechat.web.root`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from msgspec import Raw
from msgspec.structs import replace
from twisted.web import http_headers

from livechat.errors import ChatError, Kind
from livechat.http.call import Call
from livechat.http.origins import Origins, named
from livechat.http.response import Response, Upgrade, json
from livechat.identity.door import Claim, Door
from livechat.members.base import JoinRequest
from livechat.members.event_stream import Feeds
from livechat.members.websocket import Socket, SocketFactory
from livechat.protocol.bodies import Allowance, Sent
from livechat.protocol.encoding import Encoding
from livechat.protocol.names import room_name
from livechat.protocol.plain import PLAIN
from livechat.protocol.v1 import V1
from livechat.protocol.values import place_of_text
from livechat.protocol.wire import NO_DATA, encode
from livechat.rooms.chat import Chat
from livechat.rooms.history import HISTORY_PAGE
from livechat.web.credentials import CredentialFinder
from livechat.web.queries import (
    SHORTEST_SHARED,
    claim,
    idempotency_key,
    number,
    room_of,
    send_request,
)
from livechat.web.refusals import held

#: Seconds for which a browser may remember whether a page may use the chat.
_ALLOWANCE_AGE: Final = 30
#: The beginning of the paths of WebSockets.
_SOCKETS: Final = b"/ws/chat/"
#: 16 bytes in base64.
_KEY: Final = re.compile(r"[A-Za-z0-9+/]{22}==", re.ASCII)


class Api:
    """The endpoints, on the rooms of a `Chat`."""

    def __init__(
        self,
        chat: Chat,
        door: Door,
        feeds: Feeds,
        sockets: SocketFactory,
        *,
        origins: Origins,
        credentials: CredentialFinder,
    ) -> None:
        self._chat = chat
        self._door = door
        self._feeds = feeds
        self._sockets = sockets
        self._origins = origins
        self._credentials = credentials
        self._openapi: Callable[[], Response] = Response
        self._asyncapi: Callable[[], Response] = Response

    def publish(self, *, openapi: Callable[[], Any], asyncapi: Callable[[], Any]) -> None:
        """
        Serve the descriptions of the endpoints, and of frames, that these make.

        Each is made when it is first asked for: a start need not wait for them.
        """
        self._openapi, self._asyncapi = (
            cache(lambda: json(openapi())),
            cache(lambda: json(asyncapi())),
        )

    async def send(self, call: Call) -> Response:
        """Store and deliver a message, then say so."""
        request = send_request(call)
        room = room_of(call, self._chat.default_room, request.room)
        claimed = self._claim(call, call.query, request.user)
        actor = await self._door.caller(call.source, claimed)
        # Guests without a key share their nonces.
        nonce = idempotency_key(call, shortest=1 if actor.returns else SHORTEST_SHARED)
        try:
            stored = await self._chat.send(
                actor,
                room,
                request.message,
                nonce=nonce,
                reply_to=request.reply_to,
                data=request.data,
            )
        except ChatError as error:
            return held(error)
        headers = (("Livechat-Seq", str(stored.seq)), ("Livechat-Time", str(stored.time)))
        return json(Sent(), headers=headers)

    async def events(self, call: Call) -> Response:
        """The room as server-sent events."""
        request, claimed = self._join_request(call, Encoding.EVENTS)
        feed = self._feeds.feed(request)
        if call.method != "HEAD":
            await feed.enter(await self._door.member(call.source, claimed))
        headers = (
            ("Content-Type", "text/event-stream"),
            ("Cache-Control", "no-store"),
            # Without this nginx gathers 4 KiB of events before it sends any.
            ("X-Accel-Buffering", "no"),
        )
        return Response(200, feed, headers)

    async def socket(self, call: Call) -> Upgrade:
        """Check a WebSocket handshake (RFC 6455, section 4.2.1)."""
        offered = call.tokens("sec-websocket-protocol")
        spoken = next((each for each in (V1, PLAIN) if each in offered), None)
        encoding = Encoding.V1 if spoken == V1 else Encoding.PLAIN
        asked: tuple[JoinRequest, Claim] | ChatError
        try:
            asked = self._join_request(call, encoding)
        except ChatError as error:
            if encoding == Encoding.PLAIN:
                raise
            asked = error
        key = _checked_handshake(call)

        async def enter() -> Socket:
            # Clients of v1 see by a code why they are closed, and cannot see an HTTP answer.
            if isinstance(asked, ChatError):
                raise asked
            request, claimed = asked
            return await self._sockets.enter(request, await self._door.member(call.source, claimed))

        if encoding == Encoding.PLAIN:
            return Upgrade(enter, key, spoken)
        return Upgrade(enter, key, spoken, self._sockets.refused, self._sockets.going)

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
        """The HTTP endpoints, for programs."""
        return self._openapi()

    async def asyncapi(self, call: Call) -> Response:
        """The frames of WebSockets and events, for programs."""
        return self._asyncapi()

    def _claim(self, call: Call, asked: Mapping[str, str], named: Raw = NO_DATA) -> Claim:
        """
        Read the identity that a client claims, with its credentials.

        @raise ChatError: it is not allowed.
        """
        return claim(call, asked, self._credentials.find(call), named)

    def _join_request(self, call: Call, encoding: Encoding) -> tuple[JoinRequest, Claim]:
        """
        Read a request to join the room in the path: its options, and the claimed identity.

        @raise ChatError: an option has a bad value.
        """
        room = room_name(call.names["room"])
        try:
            asked = call.query
        except ChatError:
            if encoding != Encoding.PLAIN:
                raise
            # Plain mode ignores an unreadable query, for compatibility.
            asked = {}
        ours = self._credentials.lends(call)
        claimed = replace(self._claim(call, asked), room=room, ours=ours)
        if encoding == Encoding.PLAIN:
            count = min(number(asked, "history") or 0, HISTORY_PAGE)
            return JoinRequest(room, encoding, history=count), claimed
        since = call.header("Last-Event-ID") if encoding == Encoding.EVENTS else None
        since = since or asked.get("since")
        seen = None if since is None else place_of_text(since)
        return JoinRequest(room, encoding, seen), claimed


def short(prefix: str) -> bytes:
    """
    The beginnings of requests that may go the short way in (`livechat.http.short`): those that
    send, but for batches, and handshakes.

    @param prefix: the path below which everything is.
    """
    below = re.escape(prefix.encode())
    return rb"POST %b/chat/(?:send/|actions/[A-Za-z0-9])|GET %b/ws/chat/" % (below, below)


def is_told_by_code(method: bytes, target: bytes, headers: http_headers.Headers) -> bool:
    """
    Tell whether a request can only become a socket that is told by a code why it is closed:
    so it has to be answered like one that is let in.
    """
    if method != b"GET" or not target.startswith(_SOCKETS):
        return False
    given = {
        name: b",".join(headers.getRawHeaders(name) or ())
        for name in (b"upgrade", b"connection", b"sec-websocket-protocol")
    }
    offered = [each.strip() for each in given[b"sec-websocket-protocol"].split(b",")]
    return (
        given[b"upgrade"].strip().lower() == b"websocket"
        and b"upgrade" in given[b"connection"].lower()
        and V1.encode() in offered
    )


def _checked_handshake(call: Call) -> str:
    """
    Return the key of a WebSocket handshake.

    @raise ChatError: the handshake is malformed.
    """
    if not call.lists("upgrade", "websocket"):
        raise ChatError(
            Kind.UPGRADE_REQUIRED,
            "This is a WebSocket: connect with wss:// and a WebSocket client.",
            headers=(("Upgrade", "websocket"), ("Connection", "Upgrade")),
        )
    if not call.lists("connection", "upgrade") or call.method != "GET" or call.body:
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
    return key
