"""A stream that goes on while members read it, with whatever may happen meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from livechat.errors import ChatError, Kind
from livechat.net.fast import write_all
from livechat.protocol.encoding import Encoding
from livechat.protocol.messages import (
    Entry,
    Gone,
    Message,
    Page,
    Position,
    Retracted,
    retracted_by,
)
from livechat.rooms.hub import Hub
from livechat.rooms.recovery import RETRY_AFTER, Replay
from livechat.system.time import Time
from tests.support import RecordingClient
from tests.support.transcripts import Transcript


class Stream:
    """
    A room of which every step is taken by itself: a message is stored, then delivered, alone
    or with others; what a reader is told may be older than what was delivered meanwhile.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        # The backend, and its log of messages.
        self.messages = self
        self.epoch = "e0"
        self.stored: list[Entry] = []
        # As they were when they were stored.
        self.told: list[Entry] = []
        self.oldest = 1
        self.delivered = 0
        self.away = False
        self.troubled = True
        self._asked: list[tuple[Deferred[Page], int, int]] = []
        self._found: list[tuple[Deferred[Page], Page]] = []

    def say(self) -> None:
        seq = len(self.stored) + 1
        self._store(Message(f"{self.epoch}/{seq}", seq, 0))

    def _store(self, entry: Entry) -> None:
        self.stored.append(entry)
        self.told.append(entry)

    def retract(self, which: int) -> None:
        """Retract one of the newest messages."""
        seq = len(self.stored) + 1
        for entry in self.stored[::-1][which:]:
            if isinstance(entry, Message):
                self.stored[entry.seq - 1] = Gone(entry.seq, 0)
                self._store(Retracted(seq, 0, (entry.seq,), "author"))
                return

    @property
    def taken_back(self) -> frozenset[int]:
        """Numbers retracted as far as this process was told."""
        return retracted_by(self.told[: self.delivered])

    def deliver(self, most: int) -> None:
        news = self.told[self.delivered : self.delivered + most]
        news = [entry for entry in news if entry.seq >= self.oldest]
        self.delivered = max(self.delivered, self.oldest - 1) + len(news)
        if news:
            self._hub.deliver("r", self.epoch, news)

    def trim(self, much: int) -> None:
        self.oldest = min(len(self.stored) + 1, self.oldest + much)

    def begin_anew(self) -> None:
        """The newest messages are lost, and the numbers after them are given again."""
        kept = max(self.oldest - 1, len(self.stored) - 2)
        self.epoch = f"e{int(self.epoch[1:]) + 1}"
        self.stored, self.told = self.stored[:kept], self.told[:kept]
        self.delivered = kept

    def read(self, room: str, after: int, limit: int) -> Deferred[Page]:
        answer: Deferred[Page] = Deferred()
        self._asked.append((answer, after, limit))
        return answer

    def look(self) -> None:
        """Read pages for the pending requests, without answering them yet."""
        asked, self._asked = self._asked, []
        position = Position(self.epoch, len(self.stored), self.oldest)
        for answer, after, limit in asked:
            found = self.stored[max(after, self.oldest - 1) :][:limit]
            self._found.append((answer, Page(position, tuple(found))))

    def fetch(self) -> None:
        """Answer the pending requests."""
        self.look()
        found, self._found = self._found, []
        for answer, page in found:
            if self.away:
                answer.errback(ChatError(Kind.UNAVAILABLE, "Away."))
            else:
                # A page asked for under the former numbering fails.
                answer.callback(page) if page.position.epoch == self.epoch else answer.errback(
                    ChatError(Kind.UNAVAILABLE, "Anew.")
                )

    def trouble(self) -> str | None:
        return "away" if self.troubled else None

    def busy(self) -> bool:
        return bool(self._asked or self._found)

    def unsubscribe(self, room: str) -> None:
        """No-op: no member is left."""


class Member(RecordingClient):
    """A member that comes and goes, and checks the frames that it gets."""

    encoding = Encoding.V1

    def __init__(self, play: Play) -> None:
        super().__init__()
        self.play = play
        self.transcript = Transcript()
        self.transcript.add({"type": "hello", "epoch": play.stream.epoch, "seq": 0})
        self.here = False
        self.replaying = False

    def write(self, frames: bytes) -> None:
        super().write(frames)
        written = RecordingClient()
        written.data = frames
        for frame in map(json.loads, written.frames()):
            if frame["type"] == "message":
                assert frame["seq"] not in self.play.stream.taken_back, frame

    def connect(self) -> None:
        if not self.here:
            self.here = True
            self.reads = True
            self.play.hub.join("r", self, reads=True)
            self._replay()

    def _replay(self) -> None:
        since = self.transcript.place
        assert since is not None
        self.transcript.resume()
        self.replaying = True
        play = self.play
        way = Replay(cast("Any", play.stream), play.hub, play.clock, "r", self)
        Deferred.fromCoroutine(way.resume(since)).addCallback(self._done)

    def _done(self, _: None) -> None:
        self.replaying = False

    def resume(self) -> None:
        if self.here and not self.replaying:
            self.play.hub.flush()
            self.hear()
            self._replay()

    def drop(self) -> None:
        if self.here:
            self.here = self.replaying = False
            self.play.hub.leave("r", self)
            # Frames not yet heard are lost.
            self.data = b""
            self.play.members[self.play.members.index(self)] = self._successor()
            self.read()

    def _successor(self) -> Member:
        """The same one, on another connection."""
        other = Member(self.play)
        other.transcript = self.transcript
        return other

    def slow(self) -> None:
        self.reads = False

    def hurry(self) -> None:
        self.reads = True
        self.read()

    def hear(self) -> None:
        for frame in self.frames():
            self.transcript.add(json.loads(frame))


class Play:
    """Members in a room in which nothing happens by itself."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.hub = Hub(Time(self.clock), write_all)
        self.stream = Stream(self.hub)
        self.members = [Member(self) for _ in range(2)]
        self.plain = RecordingClient()
        self.hub.join("r", self.plain)

    def step(self, what: str, which: int) -> None:
        stream: dict[str, Callable[[], None]] = {
            "say": self.stream.say,
            "deliver": lambda: self.stream.deliver(which + 1),
            "look": self.stream.look,
            "fetch": self.stream.fetch,
            "retract": lambda: self.stream.retract(which),
            "trim": lambda: self.stream.trim(which),
            "anew": self.stream.begin_anew,
            "turn": lambda: self.clock.advance(0),
        }
        if what in stream:
            stream[what]()
        else:
            getattr(self.members[which % 2], what)()

    def settle(self) -> None:
        """Until nothing is under way any more."""
        self.stream.say()
        self.stream.deliver(1_000)
        for _ in range(100):
            self.stream.fetch()
            self.clock.advance(RETRY_AFTER)
