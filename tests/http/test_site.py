"""`livechat.http.site`."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.web.resource import Resource

from livechat.errors import ChatError
from livechat.http import site
from tests.support import HANDSHAKE, Port

FORM = {"Content_Type": "application/x-www-form-urlencoded"}


def test_far_too_many_connections(port: Port) -> None:
    """In the end connections are not even let in."""
    limited = Port(port.world, most=1)
    wires = [limited.factory.buildProtocol(None) for _ in range(200)]
    assert wires[0] is not None
    assert wires[-1] is None


def test_sessions_are_bounded(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mounted resources have as many sessions as there may be, and no more; each ends."""
    monkeypatch.setattr(site, "MOST_SESSIONS", 2)
    first, _ = port.factory.makeSession(), port.factory.makeSession()
    with pytest.raises(ChatError):
        port.factory.makeSession()
    port.world.clock.advance(first.sessionTimeout)
    assert port.factory.sessions == {}


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("/chat-app/", "/"), ("/chat-app", "/"), ("/chat-app/healthz", "/healthz"),
        ("/chat-app//", "//"), ("/chat-application/", None), ("/", None), ("/healthz", None),
        ("/Chat-app/", None), ("/%63hat-app/", None), ("//chat-app/", None), ("/x/chat-app/", None),
        ("", None),
    ],
)  # fmt: skip
def test_only_targets_below_the_prefix_are_served(
    port: Port, path: str, inside: str | None
) -> None:
    """Only targets below the path are served."""
    assert Port(port.world, prefix="/chat-app").factory.inside(path) == inside
    assert port.factory.inside(path) == path


def test_everything_is_below_the_prefix(port: Port) -> None:
    """Endpoints, sockets, the short way, links and redirects are below it; what is not, says so."""
    below = Port(port.world, prefix="/chat-app")
    sent = below.ask("POST", "/chat-app/chat/send/r/", b"message=x", **FORM)
    assert sent.status == 200
    assert below.ask("POST", "/chat-app/chat/send/r/", b"message=y", **FORM).status == 200
    outside = below.ask("POST", "/chat/send/r/", b"message=x", **FORM)
    assert (outside.status, "below /chat-app/" in outside.json()["detail"]) == (404, True)
    assert below.ask("GET", "/chat-app/ws/chat/r/", **HANDSHAKE).status == 101
    assert below.ask("GET", "/ws/chat/r/", **HANDSHAKE).status == 404
    history = below.ask("GET", "/chat-app/chat/history/r/?limit=1")
    assert history.headers["link"].startswith("</chat-app/chat/history/r/?")
    led = below.ask("GET", "/chat-app/rooms/?room=den")
    assert led.headers["location"] == "/chat-app/rooms/den/"
    led = below.ask("GET", "/chat-app/admin/")
    assert led.headers["location"] == "/chat-app/admin/sign-in/?next=%2Fadmin%2F"
    cookie = below.ask("GET", "/chat-app/admin/sign-in/").headers["set-cookie"]
    assert cookie.startswith("__Secure-livechat-10443=")
    assert "; Path=/chat-app/; Secure; HttpOnly; SameSite=Strict" in cookie


def test_told_by_code_below_a_path(port: Port) -> None:
    """A socket that is refused before it is one is told by a code there, too."""
    below = Port(port.world, prefix="/chat-app", most=1)
    below.connect()
    handshake = HANDSHAKE | {"Sec_WebSocket_Protocol": "livechat.v1"}
    assert below.ask("GET", "/chat-app/ws/chat/r/", **handshake).status == 101


def test_mounts_below_a_path(port: Port) -> None:
    """A mounted resource sees the whole path, as a site of its own would have it."""

    class Shows(Resource):
        isLeaf = True

        def render_GET(self, request: Any) -> bytes:
            return b"%b %r %r" % (request.path, request.prepath, request.postpath)

    below = Port(port.world, prefix="/chat-app", mounts={"/docs": Shows()})
    answer = below.ask("GET", "/chat-app/docs/a")
    assert answer.body == b"/chat-app/docs/a [b'chat-app', b'docs'] [b'a']"
