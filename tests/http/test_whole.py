"""`livechat.http.whole`."""

from __future__ import annotations

from pathlib import Path

import pytest

from livechat.http.access_log import AccessLog
from livechat.http.call import Call
from tests.support import HANDSHAKE, Port, request


def test_access_log_line(port: Port, tmp_path: Path) -> None:
    """The access log shows a request that came the short way as any other."""
    lines = []
    for short in (True, False):
        path = tmp_path / f"{short}.log"
        access = AccessLog(path)
        logged = Port(port.world, access=access, proxies=["192.0.2.1"], short=short)
        said = {"X_Forwarded_For": "203.0.113.5", "User_Agent": "me", "Referer": "https://a/?x"}
        for data in (
            request("POST", "/chat/send/r/?client=secret", b"x", **said),
            request("GET", "/ws/chat/r/?token=secret", **HANDSHAKE),
        ):
            logged.connect().send(data)
        access.close()
        lines.append([line.partition("] ")[2] for line in path.read_text().splitlines()])
        assert '"203.0.113.5"' in path.read_text()
    assert lines[0] == lines[1]
    assert lines[0] == [
        '"POST /chat/send/r/?client=- HTTP/1.1" 415 160 "https://a/" "me"',
        '"GET /ws/chat/r/?token=- HTTP/1.1" 101 - "-" "-"',
    ]


def test_a_bug_in_an_endpoint(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug on the way to an endpoint is answered with 500, and the connection closes."""

    def broken(*_: object, **__: object) -> Call:
        raise ZeroDivisionError

    monkeypatch.setattr("livechat.http.request.Call", broken)
    wire = port.connect()
    wire.send(request("POST", "/chat/send/r/?x", b"x"))
    assert wire.answer().code() == "internal"
    assert wire.closing
