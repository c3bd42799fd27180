"""Another site, whose pages have the chat, and its visitors."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from playwright.sync_api import Locator, WebSocket, expect

from tests.live.daemon import Daemon
from tests.live.visitor import Visitor


class Elsewhere(ThreadingHTTPServer):
    """
    Another site.

    @ivar page: what all its addresses show.
    @ivar asked: how often it was asked who its visitor is.
    """

    def __init__(self) -> None:
        self.page = ""
        self.asked = 0
        super().__init__(("127.0.0.1", 0), _Answer)
        self.url = f"http://localhost:{self.server_port}"
        Thread(target=self.serve_forever, daemon=True).start()


class _Answer(BaseHTTPRequestHandler):
    server: Elsewhere

    def do_GET(self) -> None:
        asks = self.path == "/chat-token"
        self.server.asked += asks
        self.send_response(401 if asks else 200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(b"" if asks else self.server.page.encode())

    def log_message(self, *_: Any) -> None:
        pass


class Guest:
    """
    A visitor of the other site.

    @ivar sockets: those that are open.
    @ivar requests: addresses of everything that was asked for.
    """

    def __init__(self, visitor: Visitor, elsewhere: Elsewhere) -> None:
        self.visitor = visitor
        self.page = visitor.page
        self.sockets: list[WebSocket] = []
        self.opened = 0
        self.requests: list[str] = []
        self._elsewhere = elsewhere
        self.page.on("websocket", self._open)
        self.page.on("request", lambda request: self.requests.append(request.url))
        # All events of the chat, in their order.
        self.page.add_init_script(
            "window.heard = []; for (const type of ['join', 'message', 'unread', 'error'])"
            "addEventListener(`livechat:${type}`, ({ target, detail }) =>"
            "heard.push([target.id, type, JSON.parse(JSON.stringify(detail))]));"
        )

    def _open(self, socket: WebSocket) -> None:
        self.opened += 1
        self.sockets.append(socket)
        socket.on("close", self._close)

    def _close(self, socket: WebSocket) -> None:
        self.sockets.remove(socket)

    def opens(self, body: str, style: str = "", policy: str = "") -> None:
        """Open a page of the other site."""
        head = "<!doctype html><html lang=en><title>A site</title>"
        head += "<meta name=viewport content='width=device-width'>"
        if policy:
            head += f'<meta http-equiv=Content-Security-Policy content="{policy}">'
        head += f"<style>{style}</style>" if style else ""
        self._elsewhere.page = f"{head}<main><h1>A site</h1>{body}</main>"
        self.page.goto(self._elsewhere.url)

    def room(self, name: str) -> Locator:
        return self.page.get_by_role("region", name=f"Chat in {name}", exact=True)

    def is_in(self, name: str) -> None:
        """Wait until the page is connected to this room alone."""
        expect(self.room(name).locator(".people li")).to_have_count(1)
        # The one before may close later.
        while len(self.sockets) != 1:
            self.sockets[0].wait_for_event("close")

    def heard(self, kind: str) -> list[Any]:
        """The details of the chat's events of a kind."""
        found = self.page.evaluate("kind => heard.filter(([, type]) => type === kind)", kind)
        return [detail for _, _, detail in found]


def script(daemon: Daemon, more: str = "") -> str:
    return f"<script type=module src={daemon.url}/static/embed.js {more}></script>"
