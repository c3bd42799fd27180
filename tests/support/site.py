"""A site on this machine whose answers a test writes, well or badly."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from socket import create_connection, create_server, socket
from threading import Event, Thread
from typing import Self

from livechat.net import certificates

Answer = Callable[[socket], None]


class PlainSite:
    """
    A server of HTTP on a free port, until the end of the block.

    @ivar requests: heads and bodies of the requests so far.
    @ivar answer: writes an answer.
    @ivar ends: set when the server stops.
    """

    #: True if a connection can bring another request.
    keeps = True

    def __init__(self, answer: Answer) -> None:
        self.requests: list[tuple[bytes, bytes]] = []
        self.answer = answer
        self.ends = Event()
        self._listening = create_server(("127.0.0.1", 0), backlog=1_000)
        self.port: int = self._listening.getsockname()[1]
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, path: str = "/ask/?x=y", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def secured(self, connection: socket) -> socket:
        """Make of a connection the one that requests come by."""
        return connection

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            if self.ends.is_set():
                connection.close()
                return
            Thread(target=self._talk, args=[connection], daemon=True).start()

    def _talk(self, connection: socket) -> None:
        # In some tests the client hangs up.
        with connection, suppress(OSError), self.secured(connection) as secured:
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    data += (piece := secured.recv(65_536))
                    if not piece:
                        return
                head, _, data = data.partition(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                size = int(length[1]) if length else 0
                while len(data) < size:
                    data += secured.recv(65_536)
                body, data = data[:size], data[size:]
                self.requests.append((head + b"\r\n", body))
                self.answer(secured)
                if not self.keeps:
                    return

    def stop(self) -> None:
        self.ends.set()
        create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._listening.close()


class HttpsSite(PlainSite):
    """
    A server of HTTPS, whose connections end with an answer.

    @ivar authority: the file with the certificate that vouches for it.
    """

    keeps = False

    def __init__(self, directory: Path, answer: Answer) -> None:
        certificate = certificates.load_or_make(directory)
        self.authority = certificate.chain
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.chain, certificate.key)
        super().__init__(answer)

    def url(self, path: str = "/jwks.json", host: str = "localhost") -> str:
        return f"https://{host}:{self.port}{path}"

    def secured(self, connection: socket) -> socket:
        return self._context.wrap_socket(connection, server_side=True)


def answers(body: bytes = b"", status: str = "", *headers: str) -> Answer:
    """
    Answer each request with a status and a body.

    @param status: without one, 200, or 204 where there is no body.
    """
    status = status or ("200 OK" if body else "204 No Content")
    lengths = [] if status.startswith("204") else [f"Content-Length: {len(body)}"]
    data = "\r\n".join([f"HTTP/1.1 {status}", *lengths, *headers, "", ""]).encode() + body
    return lambda connection: connection.sendall(data)


def hangs(connection: socket) -> None:
    """Give no answer, and wait until the client gives up."""
    connection.recv(1)
