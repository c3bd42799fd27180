"""
A room as server-sent events: a member over an endless HTTP response.

It is a member like a socket: its queue is bounded in the same way (`livechat.members.outgoing`),
and it is cut off if it does not read.  It only listens.  A comment every `COMMENT_EVERY` seconds
keeps proxies from closing the connection, and detects a peer that is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from livechat import metrics
from livechat.errors import ChatError
from livechat.identity.actor import Actor
from livechat.limits.deadlines import Deadlines
from livechat.members.backpressure import Backpressure
from livechat.members.base import HEARTBEAT, BaseSession, JoinRequest, reconnect_ms
from livechat.members.outgoing import Outgoing, flushes
from livechat.members.session import make_session
from livechat.members.traced import TracedMembers
from livechat.protocol.encoding import Encoding, encode_frame
from livechat.protocol.v1 import error_of
from livechat.rooms.chat import Chat
from livechat.rooms.member import IClient
from livechat.rooms.tracing import Tracing

#: Seconds between two comments.
COMMENT_EVERY: Final = HEARTBEAT
_COMMENT: Final = b":\n\n"


@implementer(IClient)
class Feed(Outgoing):
    """The endless answer of one member."""

    _kind = "stream"

    def __init__(self, feeds: Feeds, request: JoinRequest) -> None:
        super().__init__(Encoding.EVENTS, feeds.backpressure, feeds.flushes)
        self._feeds = feeds
        self._request = request
        self.session: BaseSession | None = None
        self._over: Deferred[None] = Deferred()
        # True if nothing was read since the last comment, or since one was due.
        self._stuck = False
        self._cut: Callable[[], None] | None = None

    async def enter(self, actor: Actor) -> None:
        """
        Enter the room as *actor*.  Then `begin` or `end` must follow.

        @raise ChatError: it cannot be entered now.
        """
        self.session = self._feeds.session(actor, self._request, self)
        self._feeds.traced.entering(self)
        await self.session.open()

    def begin(self, send: Callable[[bytes], None], cut: Callable[[], None]) -> Deferred[None]:
        """
        Go on until the end, at which the Deferred fires.

        @param send: writes to the connection.
        @param cut: ends the connection, and drops the bytes that wait in it.
        """
        if not self._stopped:
            self._cut = cut
            self._feeds.opened(self)
            # The delay of a browser's reconnect after a broken connection.
            send(b"retry: %d\n\n" % reconnect_ms(len(self._feeds)))
            self._start(send)
        return self._over

    def end(self) -> None:
        """Ask the client to reconnect, and end.  No-op a second time."""
        if not self._stopped:
            if self.session is not None:
                self.session.announce_restart(self._feeds.back_in())
            self._finish()

    def _finish(self) -> None:
        if self.trace is not None:
            self.trace.closed(None, "server")
        self._stop()
        try:
            if self.session is not None:
                self.session.close()
        except Exception:  # noqa: BLE001 - the answer must end all the same
            self._log.failure("A stream that is over met a bug.")
        self._feeds.closed(self)
        self._release()
        self._over.callback(None)

    def comment(self) -> None:
        """Send a comment; end instead if nothing of the queue was read since the last one."""
        if not self._paused:
            self.write(_COMMENT)
        elif self._stuck:
            self.abort()
        self._stuck = self._paused

    def _resume(self) -> None:
        self._stuck = False
        super()._resume()

    def too_slow(self) -> None:
        """Cut the connection: its peer would not see a reason either."""
        self.abort()

    def turn_away(self, reason: ChatError) -> None:
        metrics.refused(reason.kind.code)
        self.write(encode_frame(self.encoding, error_of(reason)))
        self.end()

    def flooded(self, reason: str) -> None:
        """No-op: an event stream sends nothing, and so is never a flood."""

    def abort(self) -> None:
        if not self._stopped:
            self._finish()
            if self._cut is not None:
                self._cut()


class Feeds:
    """
    The event streams of this process; its length is how many are open.

    @ivar backpressure: finds streams that do not read.
    @ivar flushes: streams with frames to write before this turn ends.
    @ivar traced: traces streams that operators trace.
    @ivar back_in: milliseconds after which a client of a stream that ends should come back.
    """

    def __init__(
        self,
        chat: Chat,
        clock: IReactorTime,
        backpressure: Backpressure,
        tracing: Tracing | None = None,
    ) -> None:
        self._chat = chat
        self.clock = clock
        self.backpressure = backpressure
        self.flushes = flushes(clock)
        self._open: set[Feed] = set()
        self.traced = TracedMembers(tracing, self._open)
        self.back_in: Callable[[], int] = lambda: reconnect_ms(len(self))
        self._quiet: Deadlines[Feed] = Deadlines(
            clock, COMMENT_EVERY, self._comment, Feed.met_a_bug
        )

    def __len__(self) -> int:
        return len(self._open)

    def unsent(self) -> int:
        """Count the bytes that wait to be read."""
        return sum(feed.unsent for feed in self._open)

    def feed(self, request: JoinRequest) -> Feed:
        """Make a stream that has yet to enter its room."""
        return Feed(self, request)

    def session(self, actor: Actor, request: JoinRequest, feed: Feed) -> BaseSession:
        """Make the session of *feed*."""
        return make_session(self._chat, self.clock, actor, request, feed)

    def opened(self, feed: Feed) -> None:
        """Count *feed* in: it has begun."""
        self._open.add(feed)
        self._quiet.start(feed)

    def closed(self, feed: Feed) -> None:
        """Count *feed* out: it is over."""
        self._open.discard(feed)
        self._quiet.stop(feed)

    def _comment(self, feed: Feed) -> None:
        self._quiet.start(feed)
        feed.comment()
