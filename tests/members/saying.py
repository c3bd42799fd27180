"""Messages on a WebSocket, and frames of ``livechat.v1`` by their types."""

from __future__ import annotations

import json

from tests.support import HANDSHAKE, Port, Wire, client_frame, request

HI = client_frame(b'{"message": "hi"}')


def say(port: Port, text: str, room: str = "r") -> None:
    port.world.chat.send(port.world.caller("198.51.100.1"), room, text)


def v1(port: Port, target: str = "/ws/chat/r/", offered: str = "soap, livechat.v1") -> Wire:
    """A connection that speaks the protocol."""
    wire = port.connect()
    wire.send(request("GET", target, **HANDSHAKE, Sec_WebSocket_Protocol=offered))
    answer = wire.answer()
    assert answer.status == 101
    assert answer.headers["sec-websocket-protocol"] == "livechat.v1"
    return wire


def kinds(wire: Wire) -> list[str]:
    return [json.loads(payload)["type"] for opcode, payload in wire.frames() if opcode == 1]
