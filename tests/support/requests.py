"""HTTP requests and their answers, as bytes."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

JSON = {"Content_Type": "application/json"}
FORM = {"Content_Type": "application/x-www-form-urlencoded"}
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def code(self) -> str:
        """The code in a problem's body."""
        assert self.headers["content-type"] == "application/problem+json"
        problem = self.json()
        assert problem["status"] == self.status
        assert problem["title"]
        assert problem["detail"]
        return str(problem["code"])


def request(method: str, target: str, body: bytes = b"", /, **headers: str) -> bytes:
    """A request's bytes; underscores in headers' names are dashes, a header of "" is left out."""
    given = {"Host": "localhost:10443"} | {k.replace("_", "-"): v for k, v in headers.items()}
    if body or method == "POST":
        given.setdefault("Content-Length", str(len(body)))
    lines = [f"{method} {target} HTTP/1.1", *(f"{k}: {v}" for k, v in given.items() if v)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
