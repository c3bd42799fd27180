"""A connection in memory, seen from the client's end."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.python.failure import Failure

from livechat.http.connection import Channel
from livechat.net.tls_port import CLOSING
from tests.support.frames import client_frame, server_frame
from tests.support.requests import Answer


class _Transport(StringTransportWithDisconnection):
    """
    A transport like those of `livechat.net.tls`, with a peer that never hangs up by itself,
    and may read slowly.

    @ivar full: true while the peer does not read; each write then pauses the producer, as a
        real transport does.
    """

    aborted = False
    full = False

    def __init__(self, clock: Clock) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", "192.0.2.1", 50_000))
        self._clock = clock
        self._cut: IDelayedCall | None = None

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.full and self.producer is not None:
            self.producer.pauseProducing()

    def writeSequence(self, pieces: Iterable[bytes]) -> None:
        self.write(b"".join(pieces))

    def abortConnection(self) -> None:
        self.aborted = True
        self.loseConnection()

    def loseConnection(self) -> None:
        if not self.disconnecting:
            self.disconnecting = True
            self._cut = self._clock.callLater(CLOSING, self.abortConnection)

    def gone(self) -> None:
        """Hang up at the peer's end; the transport is no longer cut."""
        self.connected = False
        if self._cut is not None and self._cut.active():
            self._cut.cancel()

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Ignore the option: bytes in memory are never delayed."""


class Wire:
    """The client's end of a connection."""

    def __init__(self, channel: Channel, clock: Clock) -> None:
        self.channel = channel
        self._clock = clock
        self.transport = _Transport(clock)
        # A real transport names its protocol here, and an upgrade to a WebSocket replaces it.
        self.transport.protocol = channel
        channel.makeConnection(self.transport)

    @property
    def protocol(self) -> Any:
        """The protocol in charge of the connection: HTTP, or a WebSocket after an upgrade."""
        return self.transport.protocol

    @property
    def closing(self) -> bool:
        return self.transport.disconnecting

    @property
    def aborted(self) -> bool:
        return self.transport.aborted

    def send(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def received(self) -> bytes:
        """Return the bytes written since the last call, after the server's turn has ended."""
        self._clock.advance(0)
        data: bytes = self.transport.value()
        self.transport.clear()
        return data

    def answer(self, method: str = "GET") -> Answer:
        """Return the only HTTP answer that was written."""
        answers = self.answers(method)
        assert len(answers) == 1, answers
        return answers[0]

    def answers(self, method: str = "GET") -> list[Answer]:
        """Parse the HTTP answers that were written; all must be whole."""
        data, found = self.received(), []
        while data:
            head, _, rest = data.partition(b"\r\n\r\n")
            status, *lines = head.decode("latin-1").split("\r\n")
            headers: dict[str, str] = {}
            for line in lines:
                name, value = line.split(": ", 1)
                headers[name.lower()] = value
            code = int(status.split()[1])
            if method == "HEAD" or code in {101, 204, 304}:
                body, data = b"", rest
            elif "content-length" in headers:
                size = int(headers["content-length"])
                body, data = rest[:size], rest[size:]
            else:
                assert headers["transfer-encoding"] == "chunked"
                body, data = _unchunked(rest)
            found.append(Answer(code, headers, body))
            if code == 101:
                self.transport.write(data)
                break
        return found

    def events(self) -> list[tuple[str, str]]:
        """Parse the server-sent events since the last call: names and data."""
        data = self.received()
        if data.startswith(b"HTTP/1.1 200"):
            head, _, data = data.partition(b"\r\n\r\n")
            assert b"text/event-stream" in head
        text = _pieces(data).decode()
        found = []
        for block in text.split("\n\n"):
            lines = [line.partition(": ") for line in block.split("\n")]
            names = [value for field, _, value in lines if field == "event"]
            if names:
                body = "\n".join(value for field, _, value in lines if field == "data")
                found.append((names[0], body))
        return found

    def frames(self) -> list[tuple[int, bytes]]:
        """The WebSocket frames that were written: opcodes and payloads."""
        found, data = [], self.received()
        while data:
            opcode, payload, data = server_frame(data)
            found.append((opcode, payload))
        return found

    def says(self, text: str) -> None:
        """Send a message on a WebSocket."""
        self.send(client_frame(json.dumps({"message": text}).encode()))

    def heard(self) -> list[str]:
        """Return the texts of messages since the last call, on a WebSocket."""
        return [json.loads(payload)["message"] for opcode, payload in self.frames() if opcode == 1]

    def closed(self) -> int:
        """Return the code of the close frame, which must be a WebSocket's last one."""
        opcode, payload = self.frames()[-1]
        assert opcode == 8
        return int.from_bytes(payload[:2], "big")

    def resume(self) -> None:
        """Have the transport ask its producer for more."""
        assert self.transport.producer is not None
        self.transport.producer.resumeProducing()

    def hang_up(self) -> None:
        if self.transport.connected:
            self.transport.gone()
            self.protocol.connectionLost(Failure(ConnectionDone()))


def _pieces(data: bytes) -> bytes:
    """Join the contents of whole chunks, of a body that has not ended."""
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        body, data = body + data[: int(size, 16)], data[int(size, 16) + 2 :]
    return body


def _unchunked(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        count = int(size, 16)
        body, data = body + data[:count], data[count + 2 :]
        if not count:
            return body, data
