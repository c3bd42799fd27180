"""A member of a room for tests of pages, by livechat.v1: costs less than a browser."""

from __future__ import annotations

import itertools
import json
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

from tests.live.daemon import PATIENCE, Daemon, Member

_nonces: Final = itertools.count()


class Speaker:
    """A speaker who uses livechat.v1: a guest of this name, or the user of a token."""

    def __init__(self, daemon: Daemon, room: str, name: str = "Bo", token: str = "") -> None:
        offered: list[Any] = ["livechat.v1", *([f"livechat.token.{token}"] if token else [])]
        key = sha256(name.encode()).hexdigest()
        who = "" if token else f"?name={quote(name)}&client={key[:24]}"
        # All is read, wanted or not: else a close would wait behind it for ten seconds.
        self._socket: Member = daemon.socket(
            f"{room}/{who}", subprotocols=offered, ping_interval=None, max_queue=None
        )

    def does(self, kind: str, **fields: Any) -> int:
        """Do something, and wait until it is done; returns its number."""
        self._ask(kind, **fields)
        return self._told()

    def says(self, *texts: str, **fields: Any) -> int:
        """Say something; returns the number of the last."""
        for text in texts:
            self._ask("message", message=text, **fields)
        return [self._told() for _ in texts][-1]

    def types(self) -> None:
        """Have the others see that something is being written."""
        self._socket.send('{"type": "typing"}')

    def hears(self, kind: str) -> dict[str, Any]:
        """The next frame of this type."""
        while (frame := json.loads(self._socket.recv(timeout=PATIENCE)))["type"] != kind:
            pass
        found: dict[str, Any] = frame
        return found

    def _ask(self, kind: str, **fields: Any) -> None:
        self._socket.send(json.dumps({"type": kind, "nonce": f"n{next(_nonces)}", **fields}))

    def _told(self) -> int:
        """Wait for the ack, and return the number in it."""
        while (answer := json.loads(self._socket.recv(timeout=PATIENCE)))["type"] != "ack":
            assert answer["type"] != "error", answer
        number: int = answer["seq"]
        return number

    def close(self) -> None:
        self._socket.close()
