"""Receivers of webhooks on this machine, in threads of their own."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, Self

from livechat.protocol.signing import verify


class Receiver:
    """
    Verifies requests, and keeps their events.

    @ivar secrets: the secrets that count; without any, no signature is checked.
    """

    def __init__(self) -> None:
        self.secrets: Sequence[bytes] = ()
        self.bodies: list[bytes] = []
        self.events: list[Any] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(outer.take(headers, body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = Thread(target=self._server.serve_forever, args=[0.05], daemon=True)

    def take(self, headers: dict[str, str], body: bytes) -> int:
        self.bodies.append(body)
        if self.secrets:
            try:
                verify(self.secrets, headers, body, time.time())
            except ValueError:
                return 401
        self.events += json.loads(body)["data"]
        return 204

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class DeafPort:
    """A port that takes connections, and closes them."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        self._thread = Thread(target=self._close, daemon=True)

    def _close(self) -> None:
        connection, _ = self._socket.accept()
        connection.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._socket.close()
