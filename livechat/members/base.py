"""
The base of sessions: one client's state, without I/O.

A client's messages go in; calls of `livechat.rooms.chat` and replies come out.

A misbehaving client gets an error for each bad frame, and stays.  But errors cost as much as
messages do, so each connection has a budget for them, which no option switches off:

    a frame that was refused, or is no message    one of `NOISE_RATE`
    a ping, of the protocol or of RFC 6455        the same
    a continuation of a fragmented message        one of `FRAGMENT_RATE`

A client that overdraws it is a flood, and is closed with 1008.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Coroutine
from random import randrange
from typing import Any, Final

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from livechat.errors import ChatError, Kind, internal
from livechat.identity.actor import Actor
from livechat.identity.leases import Hold, IHolder
from livechat.limits.rates import Bucket, Rate
from livechat.protocol.encoding import Encoding
from livechat.protocol.messages import Place
from livechat.protocol.v1 import ServerFrame
from livechat.rooms.chat import Chat
from livechat.rooms.member import IClient
from livechat.rooms.standing import IResident, Standing
from livechat.rooms.tracing import MemberTrace, Tracing

#: Malformed and control frames of one connection, and messages over its rate.
NOISE_RATE: Final = Rate(per_second=20, burst=200)
#: Continuation frames of one connection: 16 KiB in pieces of 1 KiB, 20 times a
#: second, is well below it.
FRAGMENT_RATE: Final = Rate(per_second=500, burst=1_000)
#: Seconds between two signs of life of the server.
HEARTBEAT: Final = 25
#: Milliseconds until the first clients reconnect when the server stops, and those over which the
#: others follow: so many a second, or more if that takes too long.
FIRST_RECONNECT: Final = 500
RECONNECTS_PER_SECOND: Final = 500
LAST_RECONNECT: Final = 30_000
#: Milliseconds until a single client reconnects, to another process.
RECONNECT_ALONE: Final = 50


def reconnect_ms(count: int, over: float = 0.0) -> int:
    """
    Return the milliseconds after which one of *count* clients should reconnect: at random,
    so that they do not come together.

    @param over: the seconds over which they are told, one by one, while others take them.
    """
    spread = min(LAST_RECONNECT, 1_000 * count // RECONNECTS_PER_SECOND)
    if over:
        left = max(0, spread - round(1_000 * over))
        return RECONNECT_ALONE + randrange(left + 1)  # noqa: S311 - no secret
    return FIRST_RECONNECT + randrange(spread + 1)  # noqa: S311 - no secret


class JoinRequest(Struct, frozen=True):
    """
    A client's wishes when it enters a room.

    @ivar encoding: the one that it understands.
    @ivar since: the place up to which it has seen all.
    @ivar history: how many of the newest messages come first.
    """

    room: str
    encoding: Encoding = Encoding.PLAIN
    since: Place | None = None
    history: int = 0


@implementer(IHolder, IResident)
class BaseSession(ABC):
    """A client in a room."""

    __slots__ = (
        "_actor", "_chat", "_client", "_clock", "_fragments", "_hold", "_inside", "_noise",
        "_request", "_standing", "room",
    )  # fmt: skip

    _log = Logger()

    def __init__(
        self, chat: Chat, clock: IReactorTime, actor: Actor, request: JoinRequest, client: IClient
    ) -> None:
        self._chat = chat
        self._clock = clock
        self._actor = actor
        self._client = client
        self._request = request
        self._noise = Bucket(NOISE_RATE)
        self._fragments = Bucket(FRAGMENT_RATE)
        self._inside = False
        self._hold: Hold | None = None
        self._standing: Standing | None = None
        self.room = request.room

    @abstractmethod
    async def open(self) -> None:
        """
        Enter the room.

        @raise ChatError: the room cannot be entered now.
        """

    async def _enter(self, *, reads: bool) -> None:
        """
        @param reads: whether the client reads from the history before it goes live.
        """
        await self._chat.join(self._actor, self.room, self._client, reads=reads)
        self._inside = True

    def _know_name(self) -> None:
        """Take over the user's newest name in this room, chosen by another connection."""
        self._actor = self._chat.presence.known(self.room, self._actor)

    def _stay(self) -> None:
        """Stay, once the client was greeted, as long as the actor's lease and rights last."""
        self._hold = self._chat.leases.hold(self._actor, self)
        if self._inside:
            self._standing = self._chat.standings.enter(self._actor, self.room, self)

    def close(self) -> None:
        """Leave the room: the connection is gone, or about to close."""
        if self._hold is not None:
            self._hold.end()
            self._hold = None
        if self._standing is not None:
            self._standing.end()
            self._standing = None
        if self._inside:
            self._inside = False
            self._chat.leave(self._actor, self.room, self._client)

    def lapsed(self, reason: ChatError) -> None:
        """Close: the token is over, or was revoked; or the client may not be here any more."""
        self._client.turn_away(reason)

    def traced_by(self, tracing: Tracing) -> MemberTrace | None:
        """Find the traces of this client; None if there are none."""
        return tracing.member(self._actor, self.room)

    def renamed(self, actor: Actor) -> None:
        """Go on as *actor*, the same user with another name."""
        self._actor = actor

    @abstractmethod
    def rights_changed(self) -> None:
        """Tell the client its present rights."""

    @abstractmethod
    def tell(self, frame: ServerFrame) -> None:
        """Send *frame*, if the client understands frames."""

    @abstractmethod
    def expiring(self) -> None:
        """Tell the client that its token ends soon."""

    @abstractmethod
    def text_received(self, data: bytes) -> None:
        """Handle a whole text message, whose UTF-8 is valid."""

    def binary_received(self) -> None:
        """Refuse a whole binary message."""
        self._refuse(ChatError(Kind.NOT_TEXT, "Send text frames; this one was binary."))

    def control_received(self) -> None:
        """Count a ping or pong."""
        self._spend(self._noise)

    def fragment_received(self) -> None:
        """Count a frame that continues a message."""
        self._spend(self._fragments)

    @abstractmethod
    def announce_restart(self, retry_ms: int) -> None:
        """Ask the client to reconnect after *retry_ms*: the server is about to close."""

    @abstractmethod
    def _send_error(self, error: ChatError, nonce: str | None) -> None:
        """Send an error; *nonce* is that of the refused message."""

    def _failed(self, failure: Failure, nonce: str | None = None) -> None:
        assert failure.value is not None
        self.not_stored(failure.value, nonce)

    def not_stored(self, reason: BaseException, nonce: str | None = None) -> None:
        """Send the reason why an earlier act of the client was refused."""
        # The client is not at fault, so its budget is not charged.
        if isinstance(reason, ChatError):
            error = reason
        else:
            self._log.failure("A client could not be answered.", Failure(reason))
            error = internal()
        try:
            self._send_error(error, nonce)
        except Exception:  # noqa: BLE001 - else the client waits for ever
            self._cut_off()

    def _refuse(self, error: ChatError, nonce: str | None = None) -> None:
        if self._spend(self._noise):
            self._send_error(error, nonce)

    def _spend(self, bucket: Bucket) -> bool:
        if not bucket.admit(self._clock.seconds()):
            return True
        self._client.flooded("too many frames that were refused or carry no message")
        return False

    def _start_replay(self, replay: Coroutine[Any, Any, None]) -> Deferred[None]:
        """Read missed entries, concurrently with everything else."""
        return Deferred.fromCoroutine(replay).addErrback(self._cut_off)

    def _cut_off(self, failure: Failure | None = None) -> None:
        """Close with 4002 after a bug, or the client would wait for ever."""
        self._log.failure(
            "A client is cut off: missed entries could not be written to it.", failure
        )
        self._client.turn_away(internal())
