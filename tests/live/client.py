"""A client of livechat.v1, in a coroutine."""

from __future__ import annotations

import json
from typing import Any

from tests.live.daemon import Daemon, Member


class Client(Member):
    """A client of the protocol."""

    def __init__(self, daemon: Daemon, room: str, query: str = "", **options: Any) -> None:
        url = f"wss://localhost:{daemon.port}/ws/chat/{room}/{query}"
        super().__init__(url, subprotocols=["livechat.v1"], **options)

    def says(self, **frame: Any) -> None:
        self.send(json.dumps(frame))

    def hears(self, kind: str) -> Any:
        """The next frame of this type; others are passed over."""
        while (frame := json.loads(self.recv()))["type"] != kind:
            pass
        return frame
