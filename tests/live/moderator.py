"""A moderator of a room, for tests of pages."""

from __future__ import annotations

import itertools
import json
from typing import Any, Final

from tests.live.daemon import PATIENCE, Daemon, Member
from tests.live.site_users import token

_nonces: Final = itertools.count()
#: Texts that would do something, if they were more than texts.
MARKUP: Final = "<img src=x onerror=alert(1)>"
HOSTILE: Final = f"{MARKUP} \u202e\u202dsdrawkcab " + "\U0001f469\u200d\U0001f692" * 40


class Moderator:
    """A moderator who uses livechat.v1."""

    def __init__(self, daemon: Daemon, room: str) -> None:
        brought = token("7", name="Mo", rooms={"*": ["*"]})
        offered = ["livechat.v1", f"livechat.token.{brought}"]
        self._socket: Member = daemon.socket(
            f"{room}/", subprotocols=offered, ping_interval=None, max_queue=None
        )

    def does(self, kind: str, /, **fields: Any) -> Any:
        """Do something, and wait until it is done."""
        nonce = f"n{next(_nonces)}"
        self._socket.send(json.dumps({"type": kind, "nonce": nonce, **fields}))
        while (answer := json.loads(self._socket.recv(timeout=PATIENCE))).get("nonce") != nonce:
            pass
        assert answer["type"] == "ack", answer
        return answer

    def says(self, text: str) -> int:
        number: int = self.does("message", message=text)["seq"]
        return number

    def sets(self, **settings: Any) -> None:
        self.does("room", set=settings)

    def restricts(self, user: str, kind: str, **more: Any) -> None:
        self.does("restrict", user=user, kind=kind, **more)

    def close(self) -> None:
        self._socket.close()
