"""
Server-sent events (WHATWG HTML, section 9.2): answers that go on.

An `EventStream` is pulled: the next events are made when the client has read the
last ones, so whoever reads slowly gets less, and nothing waits for them.  It
ends by itself after a while, and the browser comes back by itself: so neither
a dead client nor a session that has ended is served for ever.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from twisted.internet.defer import Deferred, TimeoutError  # noqa: A004
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from livechat.http.connection import LONGEST_STREAM
from livechat.http.response import Response
from livechat.interfaces import ISink
from livechat.protocol.messages import Entry, Message
from livechat.protocol.wire import encode

#: Milliseconds after which a browser reconnects.
_BACK_IN: Final = 1_000
#: Entries that wait for a watcher at most; the oldest are dropped.
TAIL: Final = 200
#: Line ends of the format: no other line separator of Unicode counts.
_LINES: Final = re.compile("\r\n|\r|\n")


def event(name: str, data: str, number: int | None = None) -> bytes:
    """
    One event.

    @param number: what the browser says it has seen, when it is back.
    """
    lines = [] if number is None else [f"id: {number}"]
    lines += [f"event: {name}", *(f"data: {line}" for line in _LINES.split(data)), "", ""]
    return "\n".join(lines).encode()


class EventStream:
    """
    Decides when an answer goes on, and when it ends.

    @ivar ended: it is over.
    """

    def __init__(self, clock: IReactorTime, seconds: float) -> None:
        """
        @param seconds: after which it ends by itself, if not after `LONGEST_STREAM`.
        """
        self._clock = clock
        self._until = clock.seconds() + min(seconds, LONGEST_STREAM)
        self._ended = False
        self._news = False
        self._waiting: Deferred[None] | None = None
        self._patient = False

    @property
    def ended(self) -> bool:
        return self._ended or self._clock.seconds() >= self._until

    def answer(self, events: AsyncGenerator[bytes, None]) -> Response:
        """The answer whose body is *events*, which must stop when this has ended."""
        headers = (
            ("Content-Type", "text/event-stream"),
            ("Cache-Control", "no-store"),
            # Without this nginx gathers 4 KiB of events before it sends any.
            ("X-Accel-Buffering", "no"),
        )
        return Response(200, _introduced(events), headers, self.end)

    def end(self) -> None:
        """End the stream."""
        self._ended = True
        self._wake()

    def news(self) -> None:
        """Wake a `rest`: something is there."""
        if not self._news and self._waiting is not None and not self._patient:
            # In the next call, as the caller is still telling other watchers.
            self._clock.callLater(0, self._wake)
        self._news = True

    async def rest(self, seconds: float) -> None:
        """Wait so long, or until there is news, or the end."""
        self._patient = False
        if not self._news:
            await self._wait(seconds)
        self._news = False

    async def sleep(self, seconds: float) -> None:
        """Wait so long, or until the end."""
        self._patient = True
        await self._wait(seconds)

    async def _wait(self, seconds: float) -> None:
        if self.ended:
            return
        self._waiting = Deferred()
        seconds = min(seconds, self._until - self._clock.seconds())
        try:
            await self._waiting.addTimeout(seconds, self._clock)
        except TimeoutError:
            pass
        finally:
            self._waiting = None

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)


async def _introduced(events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    # A comment at once tells the browser that the stream is open.
    yield b"retry: %d\n:\n\n" % _BACK_IN
    async with aclosing(events):
        async for each in events:
            yield each


def of_entry(entry: Entry) -> bytes:
    """The event of an entry, named for its kind."""
    return event(type(entry).__name__.lower(), encode(entry).decode(), entry.seq)


@implementer(ISink)
class Tail:
    """
    The newest entries of a room that its watcher has not yet been shown.

    To be told of one costs a room what it takes to remember it.  Whoever is too
    slow for a room sees by the numbers which messages are missing.

    @ivar anew: the page must be made anew: the numbering has begun anew since the first entry, or
        since `follow`; or an event was passed over, so that the page may show what is gone.
    """

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream
        self._entries: deque[Entry] = deque()
        self._epoch: str | None = None
        self.anew = False

    def follow(self, epoch: str) -> None:
        """The numbers that are known already are of this epoch."""
        self.anew = self.anew or self._epoch not in (None, epoch)
        self._epoch = epoch

    def deliver(self, room: str, epoch: str, entries: Sequence[Entry]) -> None:
        self.follow(epoch)
        self._entries.extend(entries)
        while len(self._entries) > TAIL:
            if not isinstance(self._entries.popleft(), Message):
                self.anew = True
        self._stream.news()

    def drain(self) -> list[Entry]:
        """Take the entries since the last call, oldest first."""
        taken = list(self._entries)
        self._entries.clear()
        return taken
