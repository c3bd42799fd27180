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
    A transport as `livechat.net.tls` has them, whose peer does not hang up by itself,
    and may read slowly.

    @ivar full: whether the peer does not read; as real transports do, this one
        says so to its producer at each write.
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
        """The peer hung up."""
        self.connected = False
        if self._cut is not None and self._cut.active():
            self._cut.cancel()

    def setTcpNoDelay(self, enabled: bool) -> None:
        """There is no delay here."""


class Wire:
    """The client's end of a connection."""

    def __init__(self, channel: Channel, clock: Clock) -> None:
        self.channel = channel
        self._clock = clock
        self.transport = _Transport(clock)
        # Where the real one has it, and a WebSocket puts itself.
        self.transport.protocol = channel
        channel.makeConnection(self.transport)

    @property
    def protocol(self) -> Any:
        """What speaks on this connection now."""
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
        """What the server wrote since this was asked last, when its turn has ended."""
        self._clock.advance(0)
        data: bytes = self.transport.value()
        self.transport.clear()
        return data

    def answer(self, method: str = "GET") -> Answer:
        """The one HTTP answer that was written."""
        answers = self.answers(method)
        assert len(answers) == 1, answers
        return answers[0]

    def answers(self, method: str = "GET") -> list[Answer]:
        """The HTTP answers that were written, whole."""
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
        """The server-sent events that came since this was asked last: names and data."""
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
        """The messages that came on a WebSocket."""
        return [json.loads(payload)["message"] for opcode, payload in self.frames() if opcode == 1]

    def closed(self) -> int:
        """The code of the close frame that came last on a WebSocket."""
        opcode, payload = self.frames()[-1]
        assert opcode == 8
        return int.from_bytes(payload[:2], "big")

    def resume(self) -> None:
        """Let the server know that there is room for more."""
        assert self.transport.producer is not None
        self.transport.producer.resumeProducing()

    def hang_up(self) -> None:
        if self.transport.connected:
            self.transport.gone()
            self.protocol.connectionLost(Failure(ConnectionDone()))


def _pieces(data: bytes) -> bytes:
    """What whole chunks hold."""
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
