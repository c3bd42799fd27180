"""A receiver in memory, and a process that tells it, on a clock that tests move."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from livechat.backends.alone import LoneMaps
from livechat.events.feed import Feed
from livechat.net.posting import Answered
from livechat.protocol.receivers import receiver_name
from livechat.protocol.signing import verify
from livechat.system.time import Time
from livechat.webhooks.board import Board
from livechat.webhooks.delivery import Delivery
from livechat.webhooks.telling import Telling
from tests.support.outbox import MemoryOutbox

SECRET = b"s" * 32
URL = "https://hooks.example.org/geheim"
NOW = 1_790_000_000.0

Answer = Callable[[], Deferred[Answered]]


def status(code: int, **more: Any) -> Answer:
    return lambda: succeed(Answered(code, **more))


def refused(why: str = "Connection refused") -> Answer:
    return lambda: fail(OSError(why))


class Receiver:
    """
    Hears requests, verifies them, and answers as it is told to; usually 204.

    @ivar heard: the texts of messages, as they came, with those that came again.
    @ivar ids: the ids of requests.
    @ivar times: the times of requests.
    @ivar cut: requests that were given up before they were answered.
    """

    def __init__(self, clock: Clock, time: Time) -> None:
        self.answers: list[Answer] = []
        self.usual: Answer = status(204)
        self.heard: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.times: list[float] = []
        self.cut = 0
        self._clock = clock
        self._time = time

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], within: float
    ) -> Deferred[Answered]:
        verify([SECRET], headers, body, self._time.wall())
        events = json.loads(body)["data"]
        self.events += events
        self.heard += [each.get("message", each["event"]) for each in events]
        self.ids.append(headers["webhook-id"])
        self.times.append(self._clock.seconds())
        answer = (self.answers.pop(0) if self.answers else self.usual)()
        late = OSError(f"there is no answer within {within:g} seconds")
        return answer.addTimeout(within, self._clock, lambda *_: _raise(late))

    def hang(self) -> Deferred[Answered]:
        def gave_up(_: object) -> None:
            self.cut += 1

        return Deferred(gave_up)


def _raise(error: Exception) -> Any:
    raise error


class World:
    """A process that tells receivers of an outbox in memory."""

    def __init__(self, *urls: str, outbox: MemoryOutbox | None = None) -> None:
        urls = urls or (URL,)
        self.clock = Clock()
        self.clock.advance(1_000)
        self.ahead = NOW - 1_000
        self.time = Time(self.clock, lambda: self.clock.seconds() + self.ahead)
        self.outbox = outbox or MemoryOutbox()
        self.outbox.now = int(1000 * NOW)
        self.board = Board(
            LoneMaps(self.time.wall).get("receivers", most=60, largest=4_096),
            {receiver_name(each): each for each in urls},
            self.time,
        )
        self.receivers = {each: Receiver(self.clock, self.time) for each in urls}
        self.counted: list[tuple[int, int]] = []
        self.deliveries = {receiver_name(each): self._delivery(each) for each in urls}
        self.telling = Telling(self.outbox, self.deliveries, self.board, self.time)
        self.receiver = self.receivers[urls[0]]
        self.name = receiver_name(urls[0])
        self.delivery = self.deliveries[self.name]

    def _delivery(self, url: str) -> Delivery:
        return Delivery(
            url,
            Feed(self.outbox, receiver_name(url), {"message", "edited"}, self.clock),
            self.receivers[url].post,
            [SECRET],
            time=self.time,
            random=lambda: 0.5,
            counted=lambda sent, failed: self.counted.append((sent, failed)),
        )

    def start(self) -> None:
        self.telling.start()
        self.go(0.5)

    def go(self, seconds: float, step: float = 0.1) -> None:
        """Pass time, in small steps."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)

    def state(self, url: str = URL) -> Any:
        return next(each for each in self.board.states() if each.receiver == receiver_name(url))
