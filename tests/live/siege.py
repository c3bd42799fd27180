"""Conditions that hold during an attack and after it."""

from __future__ import annotations

import http.client
import re
import ssl
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from tests.live.daemon import PATIENCE, Daemon, eventually, rest, trusting
from tests.support import HANDSHAKE, request, server_frame

#: Processor seconds that the daemon may spend on others while a bystander waits. Other programs
#: of the machine do not count, but the daemon goes on while they keep the bystander from its turn:
#: so this is more than what the longest input of a test takes, if it is read bit by bit.
ANSWERED: float = 0.5
#: Bytes by which memory may have grown when it is over.
GROWTH = 16 << 20
#: Files that may be open besides: SQLite's, for threads that have read it.
MORE_FILES = 8


@contextmanager
def bystander(daemon: Daemon, pause: float) -> Iterator[list[float]]:
    """
    Ask repeatedly whether the daemon is alive, and once more afterwards.

    @param pause: seconds between two requests.
    @return: the daemon's processor seconds between each request and its answer.
    """
    waited: list[float] = []
    ended = threading.Event()

    def ask() -> None:
        began = daemon.worked()
        connection = http.client.HTTPSConnection(
            "localhost", daemon.port, context=trusting(), timeout=PATIENCE
        )
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        connection.close()
        waited.append(daemon.worked() - began)

    def keep_asking() -> None:
        ask()
        while not ended.wait(pause):
            ask()

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(keep_asking)
        try:
            yield waited
        finally:
            ended.set()
            asking.result()
    ask()


@contextmanager
def siege(daemon: Daemon, growth: int = GROWTH) -> Iterator[None]:
    """
    Meanwhile bystanders get their turn; afterwards memory and descriptors are back, to the last
    connection, and the log holds no traceback.
    """
    before, files, connections = daemon.memory(), daemon.descriptors(), daemon.sockets()
    with bystander(daemon, 0.02) as waited:
        yield
    assert max(waited) < ANSWERED, waited
    eventually(lambda: daemon.sockets() <= connections)
    eventually(lambda: daemon.descriptors() <= files + MORE_FILES)
    grown = daemon.memory() - before
    assert grown < growth, f"{grown} bytes more"
    assert "Traceback" not in daemon.log.text


def answer(daemon: Daemon, data: bytes, seconds: float = PATIENCE) -> bytes:
    """All that is answered to *data*, until the server closes, which it must."""
    connection = daemon.raw()
    with suppress(ConnectionError, ssl.SSLError, BrokenPipeError):
        connection.sendall(data)
    return rest(connection, seconds)


def statuses(data: bytes) -> list[int]:
    """The statuses of the answers in *data*."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


class Raw:
    """A WebSocket on which anything may be sent."""

    def __init__(
        self,
        daemon: Daemon,
        room: str = "siege",
        *,
        early: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> None:
        self.connection = daemon.raw()
        given = {**HANDSHAKE, **(headers or {})}
        self.connection.sendall(request("GET", f"/ws/chat/{room}/", **given) + early)
        self.head, _, self._unread = self._until(b"\r\n\r\n").partition(b"\r\n\r\n")
        assert self.head.startswith(b"HTTP/1.1 101 "), self.head

    def _until(self, end: bytes) -> bytes:
        data = b""
        while end not in data:
            piece = self.connection.recv(65_536)
            assert piece, data
            data += piece
        return data

    def send(self, data: bytes) -> None:
        """Send as much of *data* as the server takes."""
        with suppress(ConnectionError, ssl.SSLError, BrokenPipeError, TimeoutError):
            self.connection.sendall(data)

    def end(self, seconds: float = PATIENCE) -> int | None:
        """The code of the close frame with which the server ends it; None if there is none."""
        data = self._unread + rest(self.connection, seconds)
        code = None
        while data:
            opcode, payload, data = server_frame(data)
            if opcode == 8:
                code = struct.unpack("!H", payload[:2])[0] if payload else 1005
        return code

    def close(self) -> None:
        with suppress(OSError):
            self.connection.close()
