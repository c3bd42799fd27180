"""A site on this machine whose answers a test writes, well or badly."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

Answer = Callable[[socket.socket], None]


class PlainSite:
    """
    A server of HTTP on a free port.

    @ivar requests: heads and bodies of the requests so far.
    @ivar answer: writes an answer.
    @ivar ends: set when the server stops.
    """

    def __init__(self, answer: Answer) -> None:
        self.requests: list[tuple[bytes, bytes]] = []
        self.answer = answer
        self.ends = Event()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=1_000)
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/ask/?x=y"
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

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
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    data += (piece := connection.recv(65_536))
                    if not piece:
                        return
                head, _, data = data.partition(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                size = int(length[1]) if length else 0
                while len(data) < size:
                    data += connection.recv(65_536)
                body, data = data[:size], data[size:]
                self.requests.append((head, body))
                self.answer(connection)

    def stop(self) -> None:
        self.ends.set()
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._listening.close()


@contextmanager
def plain_site(answer: Answer) -> Iterator[PlainSite]:
    """Run a server until the end of the block."""
    site = PlainSite(answer)
    try:
        yield site
    finally:
        site.stop()


def answers(body: bytes = b"", status: str = "204 No Content", *headers: str) -> Answer:
    """Answer each request with a status, and with a body unless it is a 204."""
    lengths = [] if status.startswith("204") else [f"Content-Length: {len(body)}"]
    data = "\r\n".join([f"HTTP/1.1 {status}", *lengths, *headers, "", ""]).encode() + body
    return lambda connection: connection.sendall(data)


def hangs(connection: socket.socket) -> None:
    """Give no answer, and wait until the client gives up."""
    connection.recv(1)
