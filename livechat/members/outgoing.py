"""
The outgoing side of a member: its queue, its pauses, and coroutines that wait for it to drain.

    ready       frames go to the transport at once
    soon        some frames wait for the end of the turn, or for the next write before it
    waiting     the transport is not open yet, or its peer does not read: frames queue up,
                and `livechat.members.backpressure` bounds them
    stopped     the connection is closing: frames are dropped

A transport's member inherits from `Outgoing` and does not hold one.  A room writes to thousands
of members in a row, and each object more on the way is one more that is not in the CPU's cache.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from livechat.errors import ChatError, internal
from livechat.members.backpressure import Backpressure
from livechat.members.turns import NextTurn
from livechat.net.fast import Wire
from livechat.protocol.encoding import Encoding
from livechat.rooms.tracing import MemberTrace


def _nowhere(frames: bytes) -> None:
    """Drop *frames*: there is no transport yet, or any more."""


@implementer(IPushProducer)
class Outgoing(ABC):
    """
    The outgoing side of a member.

    @ivar encoding: the form in which it gets messages and frames.
    @ivar wire: of the transport, or one of its own, past which nothing is written.  It is
        `ready` while frames go out at once: neither stopped nor paused, and nothing waits.
    @ivar unsent: bytes that wait for the peer to read.
    @ivar trace: gets the frames that are written to this member alone; None while nobody traces it.
    """

    __slots__ = (
        "_backpressure", "_draining", "_flushes", "_paused", "_push", "_soon", "_stopped",
        "_waiting", "encoding", "trace", "unsent", "wire",
    )  # fmt: skip

    _log = Logger()
    #: The connection's noun in the log.
    _kind = "connection"

    def __init__(
        self, encoding: Encoding, backpressure: Backpressure, flushes: NextTurn[Outgoing]
    ) -> None:
        self.encoding = encoding
        self.trace: MemberTrace | None = None
        self._backpressure = backpressure
        self._flushes = flushes
        # Writes to the transport.
        self._push: Callable[[bytes], None] = _nowhere
        self.wire = Wire()
        self._paused = True
        self._stopped = False
        self._soon: list[bytes] = []
        self._waiting: deque[bytes] | None = None
        self.unsent = 0
        self._draining: list[Deferred[None]] = []

    def write(self, frames: bytes) -> None:
        if self.trace is not None:
            self.trace.sent(self.encoding, frames)
        if self.wire.ready:
            self._push(frames)
        else:
            self._write(frames)

    def _write(self, frames: bytes) -> None:
        """Write *frames*, which were traced, or queue them."""
        if self.wire.ready:
            self._push(frames)
        elif self._soon:
            soon, self._soon = self._soon, []
            self.wire.ready = not (self._paused or self._stopped)
            self._write(b"".join((*soon, frames)))
        elif not self._stopped:
            if self._waiting is None:
                self._waiting = deque()
            self._waiting.append(frames)
            self.unsent += len(frames)
            self._backpressure.check(self, self.unsent)

    def went(self, frames: bytes, sent: int) -> None:
        if sent < 0:
            self._write(frames)
        else:
            # The wire was ready, so nothing comes before the rest.
            self._push(frames[sent:])

    def write_soon(self, frames: bytes) -> None:
        if self.trace is not None:
            self.trace.sent(self.encoding, frames)
        if self._soon:
            self._soon.append(frames)
        elif self.wire.ready:
            # The next write must come by this method.
            self.wire.ready = False
            self._soon.append(frames)
            self._flushes.add(self)
        else:
            self._write(frames)

    def flush(self) -> None:
        """Write the frames of `write_soon`, unless a write has taken them along."""
        if self._soon:
            self._write(b"")

    def drained(self) -> Deferred[None]:
        if self._stopped or not (self._paused or self._waiting):
            return succeed(None)
        draining: Deferred[None] = Deferred()
        self._draining.append(draining)
        return draining

    def _start(self, push: Callable[[bytes], None], wire: Wire | None = None) -> None:
        """
        Begin to write: the transport is open.

        @param wire: the transport's.
        """
        self._push = push
        if wire is not None:
            self.wire = wire
        self.resumeProducing()

    def _stop(self) -> None:
        """Drop the frames that wait, and all that follow; `_release` is yet to be called."""
        self.wire.ready = False
        self._stopped = True
        self._push = _nowhere
        self._soon.clear()
        self._drop_waiting()

    def _drop_waiting(self) -> None:
        self._backpressure.forget(self)
        self._waiting = None
        self.unsent = 0

    def _release(self) -> None:
        """Fire the Deferreds of `drained`."""
        draining, self._draining = self._draining, []
        for each in draining:
            each.callback(None)

    def pauseProducing(self) -> None:
        self._paused = True
        self.wire.ready = False

    def resumeProducing(self) -> None:
        try:
            self._resume()
        except Exception:  # noqa: BLE001 - the transport would cut it without a word
            self.met_a_bug()

    def _resume(self) -> None:
        """Write the frames that wait, as far as the peer reads them."""
        self._paused = False
        if self._push is _nowhere:
            return
        while self._waiting and not self._paused:
            frames = self._waiting.popleft()
            self.unsent -= len(frames)
            self._push(frames)
        self._backpressure.check(self, self.unsent)
        if not self._waiting:
            self._waiting = None
            self.wire.ready = not (self._paused or self._stopped or self._soon)
            if not self._paused:
                self._release()

    def stopProducing(self) -> None:  # noqa: B027 - nothing to override
        """No-op: the connection is being lost, which the transport's protocol is told as well."""

    def met_a_bug(self) -> None:
        """Log the exception that is being handled; end only this connection, with a reason."""
        self._log.failure("A {kind} met a bug.", kind=self._kind)
        try:
            self.turn_away(internal())
        except Exception:  # noqa: BLE001 - it cannot be told either
            self._log.failure("A {kind} is cut: its client cannot be told so.", kind=self._kind)
            self.abort()

    @abstractmethod
    def too_slow(self) -> None:
        """Close: the peer does not read."""

    @abstractmethod
    def turn_away(self, error: ChatError) -> None:
        """Close, for this reason."""

    @abstractmethod
    def abort(self) -> None:
        """Cut the connection."""


def flushes(clock: IReactorTime) -> NextTurn[Outgoing]:
    """Make the schedule by which members write at the end of a turn."""
    return NextTurn(clock, Outgoing.flush, Outgoing.met_a_bug)
