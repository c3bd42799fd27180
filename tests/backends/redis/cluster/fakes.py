"""Masters without a connection."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred

from livechat.backends.redis.cluster.slots import Master, Place
from livechat.backends.redis.connection import RefusedError, UnansweredError


class FakeConnection:
    """Remembers what it was given, and answers when the test says so."""

    def __init__(self) -> None:
        self.connected = True
        self.given: list[bytes] = []
        self.unanswered: deque[Deferred[Any]] = deque()
        self.dropped: list[str] = []

    @property
    def waits(self) -> bool:
        return bool(self.unanswered)

    def command(self, *words: bytes) -> Deferred[Any]:
        self.given.append(b" ".join(words))
        answer: Deferred[Any] = Deferred()
        self.unanswered.append(answer)
        return answer

    def answer(self, answer: Any = b"OK") -> None:
        """Answer the oldest command; with an error, if it is a text."""
        told = self.unanswered.popleft()
        if isinstance(answer, str):
            told.errback(RefusedError(answer))
        else:
            told.callback(answer)

    def lose(self) -> None:
        self.connected = False
        lost, self.unanswered = self.unanswered, deque()
        for each in lost:
            each.errback(UnansweredError("lost", sent=True))

    def time(self, seconds: float) -> int:
        return int(1000 * seconds)

    def drop(self, reason: str) -> None:
        self.dropped.append(reason)


class FakeNode:
    """A master that can be used."""

    def __init__(self, master: Master) -> None:
        self.place, self.id = master
        self.slots: set[int] = set()
        self.ready = self.hears = self.sharded = True
        self.connection = FakeConnection()
        self.told: list[tuple[str, list[bytes]]] = []
        self.stopped = False

    def start(self) -> None:
        """No-op."""

    def stop(self) -> Deferred[None]:
        self.stopped = True
        self.ready = False
        done: Deferred[None] = Deferred()
        done.callback(None)
        return done

    def command(self, words: Sequence[bytes], *, asking: bool = False) -> Deferred[Any]:
        return self.connection.command(*((b"ASKING+", *words) if asking else words))

    def subscribe(self, channels: Sequence[bytes]) -> None:
        self.told.append(("+", sorted(channels)))

    def unsubscribe(self, channels: Sequence[bytes]) -> None:
        self.told.append(("-", sorted(channels)))


def master(name: str) -> Master:
    """The master of that name: `a` is at port 1 of the host a."""
    return Master(Place(name, 1), name)
