"""Sinks and clients that remember what they were given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from livechat.errors import ChatError
from livechat.interfaces import ISink
from livechat.protocol.encoding import Encoding
from livechat.protocol.messages import Entry, Message
from livechat.rooms.member import IClient
from tests.support.frames import server_frame


@implementer(ISink)
class RecordingSink:
    """Remembers what was delivered."""

    def __init__(self) -> None:
        self.delivered: list[tuple[str, str, Entry]] = []
        self.recorded: list[tuple[str, Entry]] = []

    def deliver(self, room: str, epoch: str, entries: Sequence[Entry]) -> None:
        self.delivered += [(room, epoch, entry) for entry in entries]

    def record(self, room: str, entries: Sequence[Entry]) -> None:
        """Record a backend's counts (`livechat.interfaces.Record`)."""
        self.recorded += [(room, entry) for entry in entries]

    def entries(self, room: str) -> list[Entry]:
        return [entry for where, _, entry in self.delivered if where == room]

    def messages(self, room: str) -> list[Message]:
        return [each for each in self.entries(room) if isinstance(each, Message)]

    def texts(self, room: str) -> list[str]:
        return [each.message for each in self.messages(room)]


@implementer(IClient)
class RecordingClient:
    """Remembers what was written to it."""

    encoding = Encoding.PLAIN
    wire: object = None
    trace: Any = None

    def __init__(self) -> None:
        self.data = b""
        self.flood: str | None = None
        self.aborted = False
        self.refused: ChatError | None = None
        self.reads = True
        self._drained: list[Deferred[None]] = []

    def write(self, frames: bytes) -> None:
        self.data += frames

    def went(self, frames: bytes, sent: int) -> None:
        self.write(frames if sent < 0 else frames[sent:])

    def write_soon(self, frames: bytes) -> None:
        self.write(frames)

    def drained(self) -> Deferred[None]:
        if self.reads:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._drained.append(waiting)
        return waiting

    def read(self) -> None:
        """Read the gathered bytes, once."""
        drained, self._drained = self._drained, []
        for each in drained:
            each.callback(None)

    def turn_away(self, error: ChatError) -> None:
        self.refused = error

    def abort(self) -> None:
        self.aborted = True

    def flooded(self, reason: str) -> None:
        self.flood = reason

    def frames(self) -> list[bytes]:
        """The payloads of the text frames written so far, which are then forgotten."""
        payloads = []
        data, self.data = self.data, b""
        while data:
            opcode, payload, data = server_frame(data)
            assert opcode == 1
            payloads.append(payload)
        return payloads
