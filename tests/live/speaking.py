"""Members who say something, and hear what becomes of it."""

from __future__ import annotations

import json
from secrets import token_hex
from typing import Any

from tests.live.daemon import Member

V1: Any = "livechat.v1"


def hears(member: Member, kind: str) -> dict[str, Any]:
    """The next frame of a kind."""
    while True:
        frame: dict[str, Any] = json.loads(member.recv())
        if frame["type"] == kind:
            return frame


def say(member: Member, text: str) -> int:
    member.send(json.dumps({"type": "message", "message": text, "nonce": token_hex(4)}))
    return int(hears(member, "ack")["seq"])
