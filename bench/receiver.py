"""
Receives webhooks, unchecked: ``python -m bench.receiver PORT FILE``.

Each POST is answered with 204. FILE is written once the receiver listens.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

ANSWER: Final = b"HTTP/1.1 204 No Content\r\n\r\n"
_LENGTH: Final = b"content-length:"


class Receiver(asyncio.Protocol):
    """A connection of a sender."""

    def __init__(self) -> None:
        self._left = 0
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Read requests, and answer complete ones."""
        while data:
            if not self._left:
                head, end, data = (self._head + data).partition(b"\r\n\r\n")
                if not end:
                    self._head = head
                    return
                self._head = b""
                self._left = length_of(head)
            taken = data[: self._left]
            self._left -= len(taken)
            data = data[len(taken) :]
            if not self._left:
                self._transport.write(ANSWER)


def length_of(head: bytes) -> int:
    """Return the length of the body that follows *head*."""
    for line in head.split(b"\r\n"):
        if line.lower().startswith(_LENGTH):
            return int(line[len(_LENGTH) :])
    return 0


async def serve(port: int, file: Path) -> None:
    """Listen until the process ends."""
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", port)
    file.write_text("listening\n")  # noqa: ASYNC240 - nobody is connected yet
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
