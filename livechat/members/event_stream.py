"""
A room as server-sent events: a member over an HTTP answer that goes on.

It is a member like a socket: it is told what is said when it is said, what waits for it
is bounded in the same way, and one that does not read is cut off.  It only listens.
A comment every `COMMENT_EVERY` seconds keeps proxies from closing it, and finds out
whether anybody is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from livechat import metrics
from livechat.errors import ChatError, internal
from livechat.interfaces import IClient
from livechat.limits.deadlines import Deadlines
from livechat.limits.source import Source
from livechat.members.backpressure import Drain, Patience
from livechat.members.session import HEARTBEAT, Visit, back_in, session
from livechat.protocol.encoding import Encoding, encode_frame
from livechat.protocol.v1 import error
from livechat.rooms.chat import Chat

#: Seconds between two comments.
COMMENT_EVERY: Final = HEARTBEAT
_COMMENT: Final = b":\n\n"


@implementer(IClient, IPushProducer)
class Feed:
    """One member's answer."""

    _log = Logger()
    encoding = Encoding.EVENTS

    def __init__(self, feeds: Feeds, chat: Chat, visit: Visit, source: Source) -> None:
        self._feeds = feeds
        self._session = session(chat, feeds.clock, visit, self, source)
        self._over: Deferred[None] = Deferred()
        self._ended = False
        # Until it has begun, and while its reader is slow.
        self._paused = True
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        # Nothing was read since the last comment, or what would have been one.
        self._stuck = False
        self._drain = Drain()
        self._send: Callable[[bytes], None] | None = None
        self._cut: Callable[[], None] | None = None

    @property
    def unsent(self) -> int:
        """Bytes that wait to be read."""
        return self._waiting_bytes

    async def enter(self) -> None:
        """
        Enter the room.  Then `begin` or `end` must follow.

        @raise ChatError: it cannot be entered now.
        """
        await self._session.open()

    def begin(self, send: Callable[[bytes], None], cut: Callable[[], None]) -> Deferred[None]:
        """
        Go on until the end, at which the Deferred fires.

        @param send: writes to the connection.
        @param cut: ends the connection, and what waits in it.
        """
        self._send, self._cut = send, cut
        self._feeds.opened(self)
        # How soon a browser is back after a connection that broke.
        send(b"retry: %d\n\n" % back_in(len(self._feeds)))
        self.resumeProducing()
        return self._over

    def end(self) -> None:
        """Be over; whoever is there still is told to come back."""
        if not self._ended:
            self._session.going(back_in(len(self._feeds)))
            self._finish()

    def _finish(self) -> None:
        self._ended = True
        try:
            self._session.close()
        except Exception:  # noqa: BLE001 - the answer must end all the same
            self._log.failure("A stream that is over met a bug.")
        self._feeds.closed(self)
        self._waiting.clear()
        self._waiting_bytes = 0
        self._drain.over()
        self._over.callback(None)

    def comment(self) -> None:
        """
        See whether anybody is there: if nothing of what waits was read since the last time,
        nobody is.
        """
        if not self._paused:
            self.write(_COMMENT)
        elif self._stuck:
            self.abort()
        self._stuck = self._paused

    def write(self, frames: bytes) -> None:
        if self._ended:
            return
        if not self._paused and self._send is not None:
            self._send(frames)
            return
        self._waiting.append(frames)
        self._waiting_bytes += len(frames)
        self._feeds.patience.look(self, self._waiting_bytes)

    def write_soon(self, frames: bytes) -> None:
        self.write(frames)

    def drained(self) -> Deferred[None]:
        if self._ended or not (self._paused or self._waiting):
            return succeed(None)
        return self._drain.wait()

    def too_slow(self) -> None:
        """It does not read, and would not see why it is closed either."""
        self.abort()

    def turn_away(self, reason: ChatError) -> None:
        metrics.refused(reason.kind.code)
        self.write(encode_frame(self.encoding, error(reason)))
        self.end()

    def met_a_bug(self) -> None:
        """Log the exception that is handled, and end with an ``error`` event."""
        self._log.failure("A stream met a bug.")
        try:
            self.turn_away(internal())
        except Exception:  # noqa: BLE001 - it cannot be told either
            self._log.failure("A stream is cut: its reader cannot be told so.")
            self.abort()

    def flooded(self, reason: str) -> None:
        """It sends nothing, and so does this never."""

    def abort(self) -> None:
        if not self._ended:
            self._finish()
            if self._cut is not None:
                self._cut()

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        try:
            self._resume()
        except Exception:  # noqa: BLE001 - the transport would cut it without a word
            self.met_a_bug()

    def _resume(self) -> None:
        """Write what waits, as far as the reader takes it."""
        self._paused = self._stuck = False
        while self._waiting and not self._paused and self._send is not None:
            frames = self._waiting.popleft()
            self._waiting_bytes -= len(frames)
            self._send(frames)
        self._feeds.patience.look(self, self._waiting_bytes)
        if not self._paused:
            self._drain.over()

    def stopProducing(self) -> None:
        """The connection is being lost, of which the request tells."""


class Feeds:
    """
    Those of this process; how many are open is its length.

    @ivar patience: with those that do not read.
    """

    def __init__(self, chat: Chat, clock: IReactorTime, patience: Patience) -> None:
        self._chat = chat
        self.clock = clock
        self.patience = patience
        self._open: set[Feed] = set()
        self._quiet: Deadlines[Feed] = Deadlines(
            clock, COMMENT_EVERY, self._comment, Feed.met_a_bug
        )

    def __len__(self) -> int:
        return len(self._open)

    def unsent(self) -> int:
        """Bytes that wait to be read."""
        return sum(feed.unsent for feed in self._open)

    def feed(self, visit: Visit, source: Source) -> Feed:
        """A new one."""
        return Feed(self, self._chat, visit, source)

    def opened(self, feed: Feed) -> None:
        """It has begun."""
        self._open.add(feed)
        self._quiet.start(feed)

    def closed(self, feed: Feed) -> None:
        """It is over."""
        self._open.discard(feed)
        self._quiet.stop(feed)
        self.patience.done(feed)

    def _comment(self, feed: Feed) -> None:
        self._quiet.start(feed)
        feed.comment()
