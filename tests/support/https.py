"""An HTTPS server whose answers a test writes, well or badly."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from livechat.net import certificates

Answer = Callable[[ssl.SSLSocket], None]


class HttpsSite:
    """
    A server on a free port of this machine.

    @ivar authority: the file with the certificate that vouches for it.
    @ivar heads: heads of the requests so far.
    @ivar bodies: bodies of the requests so far.
    @ivar answer: writes an answer.
    @ivar ends: set when the server stops.
    """

    def __init__(self, directory: Path, answer: Answer) -> None:
        certificate = certificates.load_or_make(directory)
        self.authority = certificate.chain
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.answer = answer
        self.ends = Event()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.chain, certificate.key)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def url(self, path: str = "/jwks.json", host: str = "localhost") -> str:
        return f"https://{host}:{self.port}{path}"

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            if self.ends.is_set():
                connection.close()
                return
            Thread(target=self._talk, args=[connection], daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        # In some tests the client hangs up.
        with connection, suppress(OSError):
            secured = self._context.wrap_socket(connection, server_side=True)
            with secured:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += (piece := secured.recv(65_536))
                    if not piece:
                        return
                head, _, body = head.partition(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                while length is not None and len(body) < int(length[1]):
                    body += secured.recv(65_536)
                self.heads.append(head + b"\r\n\r\n")
                self.bodies.append(body)
                self.answer(secured)

    def stop(self) -> None:
        self.ends.set()
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._listening.close()


@contextmanager
def https_site(directory: Path, answer: Answer) -> Iterator[HttpsSite]:
    """Run a server until the end of the block."""
    site = HttpsSite(directory, answer)
    try:
        yield site
    finally:
        site.stop()


def with_body(body: bytes, status: str = "200 OK", *headers: str) -> Answer:
    """Answer each request with a status and a body."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    data = "\r\n".join(lines).encode() + body
    return lambda connection: connection.sendall(data)
