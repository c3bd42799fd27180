"""A receiver of webhooks with the library that receivers use, and a sender who does not give up."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from livechat.protocol.signing import secret_to_text
from tests.live.daemon import PATIENCE, Daemon, trusting
from tests.support.ports import free_port

SECRET = secret_to_text(b"s" * 32)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of connections that break."""


class Hook:
    """
    A receiver that can go away and come back, at the same address.

    @ivar newest: the number of the newest message of each room.
    @ivar holes: how often a number did not follow the one before.
    @ivar repeated: how many messages came again.
    @ivar gaps: how many were said to be lost.
    @ivar bad: requests whose signature was not good.
    @ivar requests: how many came; and how many were refused as *refuses* said.
    @ivar refuses: tells by the number of a request whether it fails.
    """

    def __init__(self, refuses: Callable[[int], bool] = lambda _: False) -> None:
        self.newest: dict[str, int] = {}
        self.holes = self.repeated = self.gaps = self.bad = self.requests = self.refused = 0
        self.refuses = refuses
        self._change = threading.Condition()
        self._verifier = Webhook(SECRET)
        self._server: _Server | None = None
        # A port of the system's range could go to another process while the site is away.
        self.port = free_port()
        self.come()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def come(self) -> None:
        """Listen."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = outer.take(dict(self.headers.items()), body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = _Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()

    def go(self) -> None:
        """Be away: the port is closed, and requests that are under way are refused."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def take(self, headers: dict[str, str], body: bytes) -> int:
        with self._change:
            self.requests += 1
            if self._server is None or self.refuses(self.requests):
                self.refused += 1
                return 503
            try:
                events = self._verifier.verify(body, headers)["data"]
            except WebhookVerificationError:
                self.bad += 1
                return 401
            for event in events:
                self._note(event)
            self._change.notify_all()
            return 204

    def _note(self, event: dict[str, Any]) -> None:
        self.gaps += event["event"] == "gap"
        if event["event"] != "message":
            return
        before, number = self.newest.get(event["room"], 0), event["seq"]
        self.repeated += number <= before
        self.holes += number > before + 1
        self.newest[event["room"]] = max(before, number)

    @property
    def count(self) -> int:
        """Messages that came, each counted once."""
        return sum(self.newest.values())

    def wait_for(self, count: int, patience: float = PATIENCE) -> None:
        """Wait until so many messages came."""
        with self._change:
            done = self._change.wait_for(lambda: self.count >= count, patience)
            assert done, f"{self.count} of {count} came"


def told(hook: Hook) -> str:
    """All that it has seen, in words."""
    return (
        f"{hook.count} messages, {hook.repeated} repeated, {hook.holes} holes, {hook.gaps} gaps,"
        f" {hook.bad} bad signatures, {hook.requests} requests, {hook.refused} of them refused"
    )


def send(daemon: Callable[[], Daemon], numbers: Iterator[int], room: str = "r") -> None:
    """Say each number; what was not answered is said again, under the same nonce."""
    connection: http.client.HTTPSConnection | None = None
    for number in numbers:
        deadline = time.monotonic() + 3 * PATIENCE
        while True:
            try:
                if connection is None:
                    connection = http.client.HTTPSConnection(
                        "localhost", daemon().port, context=trusting(), timeout=PATIENCE
                    )
                headers = {
                    "Content-Type": "application/json",
                    "Idempotency-Key": f"number-{number:032}",
                }
                body = json.dumps({"message": str(number), "room": room})
                connection.request("POST", "/chat/send/", body, headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    break
            except (OSError, http.client.HTTPException):
                pass
            assert time.monotonic() < deadline, f"{number} cannot be sent"
            if connection is not None:
                with suppress(OSError):
                    connection.close()
            connection = None
            time.sleep(0.05)
    if connection is not None:
        connection.close()
