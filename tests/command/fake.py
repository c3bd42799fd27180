"""An HTTPS server that answers as a test says, and a state directory that leads to it."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from msgspec.structs import replace

from livechat.identity.local_key import local_key
from livechat.net import whereabouts
from livechat.net.certificates import load_or_make
from livechat.net.whereabouts import Whereabouts


class Asked(NamedTuple):
    """A request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Said(NamedTuple):
    """An answer; *body* is JSON unless it is bytes."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = MappingProxyType({})


def problem(status: int, code: str, detail: str, **headers: str) -> Said:
    body = json.dumps({"title": "x", "status": status, "code": code, "detail": detail})
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return Said(body.encode(), status, {"Content-Type": "application/problem+json", **headers})


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that hang up."""


class Fake:
    """
    The server.

    @ivar asked: the requests so far.
    @ivar answers: what is said to the next ones; the last one goes on.
    """

    def __init__(self, directory: Path) -> None:
        self.asked: list[Asked] = []
        self.answers: list[Said] = [Said({})]
        self.certificate = load_or_make(directory / "certs")
        self.state = directory / "state"
        self.key = local_key(self.state)
        self._server = _Quiet(("", 0), _handler(self.asked, self._say))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate.chain, self.certificate.key)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port = self._server.server_address[1]
        self.show()
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def show(self, **other: Any) -> None:
        """Write the state directory's server.json, with *other* values than the real ones."""
        found = Whereabouts("127.0.0.1", self.port, self.certificate.fingerprint)
        whereabouts.write(self.state, replace(found, **other))

    def _say(self) -> Said:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(asked: list[Asked], say: Callable[[], Said]) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked.append(Asked(self.command, self.path, headers, body))
            said = say()
            data = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(data)
            self.close_connection = True

        do_GET = do_POST = do_DELETE = _answer

    return Handler


@contextmanager
def plain() -> Iterator[tuple[int, list[Asked]]]:
    """A server without TLS that says yes to everything: its port, and the requests so far."""
    asked: list[Asked] = []
    with _Quiet(("127.0.0.1", 0), _handler(asked, lambda: Said({}))) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        serving.start()
        yield server.server_address[1], asked
        server.shutdown()
