"""Doubles for what is outside the core, and the core put together on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from livechat.backends.sqlite import SqliteBackend
from livechat.backends.store import Retention, Store
from livechat.chat import Chat
from livechat.errors import ChatError, Kind
from livechat.hub import Hub
from livechat.interfaces import IClient, ISink
from livechat.wire import Message

T = TypeVar("T")

FOREVER = Retention(0, 0)


def result(deferred: Deferred[T]) -> T:
    """What *deferred* has fired with; it must have."""
    outcome: list[T | Failure] = []
    deferred.addBoth(outcome.append)
    assert outcome, "the Deferred has not fired"
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    return outcome[0]  # type: ignore[return-value]


def run(coroutine: Any) -> Any:
    """What *coroutine* returns; it must not have to wait."""
    return result(Deferred.fromCoroutine(coroutine))


def kind(deferred: Deferred[Any]) -> Kind:
    """What *deferred* was refused with; it must have been."""
    outcome: list[Any] = []
    deferred.addBoth(outcome.append)
    assert outcome, "the Deferred has not fired"
    assert isinstance(outcome[0], Failure), f"it was not refused: {outcome[0]}"
    error = outcome[0].value
    assert isinstance(error, ChatError), error
    return error.kind


class Lane:
    """A lane of threads, without threads: runs its calls at once, or when told to."""

    def __init__(self, held: bool = False) -> None:
        self.held = held
        self._waiting: list[tuple[Deferred[Any], Callable[[], Any]]] = []
        self.running = False

    def start(self) -> None:
        self.running = True

    def call(self, f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Deferred[Any]:
        if not self.held:
            return maybeDeferred(f, *args, **kwargs)
        deferred: Deferred[Any] = Deferred()
        self._waiting.append((deferred, lambda: f(*args, **kwargs)))
        return deferred

    def step(self) -> None:
        """Run what waits, but not what that sets going."""
        waiting, self._waiting = self._waiting, []
        for deferred, f in waiting:
            try:
                deferred.callback(f())
            except Exception:  # noqa: BLE001
                deferred.errback(Failure())

    def stop(self, *, idle: bool) -> None:
        self.running = False


@implementer(ISink)
class RecordingSink:
    """Remembers what was delivered."""

    def __init__(self) -> None:
        self.delivered: list[tuple[str, str, Message]] = []

    def deliver(self, room: str, epoch: str, messages: Sequence[Message]) -> None:
        self.delivered += [(room, epoch, message) for message in messages]

    def texts(self, room: str) -> list[str]:
        return [message.message for where, _, message in self.delivered if where == room]


@implementer(IClient)
class RecordingClient:
    """Remembers what was written to it."""

    def __init__(self) -> None:
        self.data = b""
        self.flood: str | None = None

    def write(self, frames: bytes) -> None:
        self.data += frames

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


def server_frame(data: bytes) -> tuple[int, bytes, bytes]:
    """The first unmasked, whole frame in *data*: opcode, payload, and what comes after."""
    assert data[0] & 0x80, "not the last frame of its message"
    size, start = data[1], 2
    if size == 126:
        size, start = int.from_bytes(data[2:4], "big"), 4
    elif size == 127:
        size, start = int.from_bytes(data[2:10], "big"), 10
    assert len(data) >= start + size, "half a frame"
    return data[0] & 0x0F, data[start : start + size], data[start + size :]


def client_frame(
    payload: bytes, opcode: int = 1, *, fin: bool = True, mask: bytes = b"\x01\x02\x03\x04"
) -> bytes:
    """A masked frame as a client sends it (RFC 6455, section 5.2)."""
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 1 << 16:
        head += b"\xfe" + size.to_bytes(2, "big")
    else:
        head += b"\xff" + size.to_bytes(8, "big")
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return head + mask + masked


class World:
    """The core, on a clock and threads that tests move."""

    def __init__(
        self,
        directory: Path,
        *,
        retention: Retention = FOREVER,
        held: bool = False,
        rate: float = 0,
        rate_per_ip: float = 0,
        max_message: int = 16_384,
    ) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.wall = 1_790_000_000.0
        self.store = Store(directory, retention, lambda: self.wall)
        self.store.prepare()
        self.writer, self.readers = Lane(held), Lane()
        self.backend = SqliteBackend(self.store, self.clock, self.writer, self.readers)
        self.hub = Hub()
        result(self.backend.start(self.hub))
        self.chat = Chat(
            self.backend,
            self.hub,
            self.clock,
            max_message=max_message,
            default_room="lobby",
            rate=rate,
            rate_per_ip=rate_per_ip,
        )

    def close(self) -> None:
        self.writer.held = False
        self.writer.step()
        stopped = self.backend.stop()
        self.clock.advance(60)
        result(stopped)
