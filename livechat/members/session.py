"""
One client's state, with no I/O in it: what it sends goes in, calls of
`livechat.rooms.chat` and replies come out.

A *visit* is what a client has asked for when it came.  A `PlainSession` speaks plain
mode, a `Session` the protocol ``livechat.v1``, as frames or as server-sent events.

A client that misbehaves is told so, frame by frame, and stays.  But telling
costs as much as sending does, so there is a budget for it, which no option
switches off:

    a frame that was refused, or is no message    one of `NOISE_RATE`
    a ping, of the protocol or of RFC 6455        the same
    a continuation of a fragmented message        one of `FRAGMENT_RATE`

Who overdraws it is a flood, and is closed with 1008.  What makes the server read
(resume, history, presence) has a budget of its own, `ASK_RATE`, and is refused beyond it.
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

from livechat import metrics
from livechat.errors import ChatError, Kind, internal
from livechat.identity.guests import Visitor
from livechat.interfaces import IClient
from livechat.limits.rates import Bucket, Rate
from livechat.limits.source import Source
from livechat.protocol import v1 as frames
from livechat.protocol.encoding import Encoding, encode_frame
from livechat.protocol.messages import Message, Place, Repeated
from livechat.protocol.plain import decode_plain, error_frame
from livechat.protocol.v1 import ServerFrame
from livechat.protocol.wire import encode
from livechat.rooms.chat import PAGE, Chat, History, Window, check_seen

#: Malformed and control frames of one connection, and messages over its rate.
NOISE_RATE: Final = Rate(per_second=20, burst=200)
#: Continuation frames of one connection: 16 KiB in pieces of 1 KiB, 20 times a
#: second, is well below it.
FRAGMENT_RATE: Final = Rate(per_second=500, burst=1_000)
#: What one connection may ask for.
ASK_RATE: Final = Rate(per_second=5, burst=20)
#: Bytes of a page of history, which ends there.
PAGE_BYTES: Final = 262_144
#: Seconds between two signs of life of the server.
HEARTBEAT: Final = 25
#: Milliseconds after which the first ones are asked to be back when the server goes, and
#: those over which the others follow: so many a second, or more where that takes too long.
FIRST_BACK: Final = 500
BACK_A_SECOND: Final = 200
LAST_BACK: Final = 30_000


def back_in(count: int) -> int:
    """
    After how many milliseconds one of *count* members should be back: at random, so that
    they do not come together.
    """
    spread = min(LAST_BACK, 1_000 * count // BACK_A_SECOND)
    return FIRST_BACK + randrange(spread + 1)  # noqa: S311 - no secret


class Visit(Struct, frozen=True):
    """
    How a client wants to be in a room.

    @ivar encoding: what it understands.
    @ivar name: by which it wants to be seen.
    @ivar key: by which it is the same user each time (`livechat.identity.guests`).
    @ivar since: what it has seen.
    @ivar history: how many of the newest messages it wants first.
    """

    room: str
    encoding: Encoding = Encoding.PLAIN
    name: str | None = None
    key: str | None = None
    since: Place | None = None
    history: int = 0


class _Session(ABC):
    """A client in a room."""

    __slots__ = (
        "_chat", "_client", "_clock", "_fragments", "_inside", "_noise", "_source", "_visit",
        "_visitor", "room",
    )  # fmt: skip

    _log = Logger()
    _visitor: Visitor

    def __init__(
        self, chat: Chat, clock: IReactorTime, visit: Visit, client: IClient, source: Source
    ) -> None:
        self._chat = chat
        self._clock = clock
        self._client = client
        self._source = source
        self._visit = visit
        self._noise = Bucket(NOISE_RATE)
        self._fragments = Bucket(FRAGMENT_RATE)
        self._inside = False
        self.room = visit.room

    async def open(self) -> None:
        """
        Enter the room.

        @raise ChatError: the room cannot be entered now.
        """
        reads = self._reads()
        self._visitor = await self._chat.visitor(self._visit.name, self._visit.key)
        await self._chat.join(self.room, self._client, self._visitor, reads=reads)
        self._inside = True

    def close(self) -> None:
        """The connection is gone, or going: leave the room."""
        if self._inside:
            self._inside = False
            self._chat.leave(self.room, self._client, self._visitor)

    @abstractmethod
    def text_received(self, data: bytes) -> None:
        """A whole text message came; its UTF-8 is valid."""

    def binary_received(self) -> None:
        """A whole binary message came."""
        self._refuse(ChatError(Kind.NOT_TEXT, "Send text frames; this one was binary."))

    def control_received(self) -> None:
        """A ping or pong came."""
        self._spend(self._noise)

    def fragment_received(self) -> None:
        """A frame came that continues a message."""
        self._spend(self._fragments)

    @abstractmethod
    def going(self, retry_ms: int) -> None:
        """The server is about to close, and would have the client back after so long."""

    def _reads(self) -> bool:
        """Whether it reads what was said before it goes live."""
        return self._visit.history > 0

    @abstractmethod
    def _tell(self, error: ChatError, nonce: str | None) -> None:
        """Say what was not done; *nonce* is that of the message that was refused."""

    def _failed(self, failure: Failure, nonce: str | None = None) -> None:
        # Not the client's fault, so it costs nothing of its budget.
        error = failure.value
        if not isinstance(error, ChatError):
            self._log.failure("A client could not be answered.", failure)
            error = internal()
        try:
            self._tell(error, nonce)
        except Exception:  # noqa: BLE001 - else it would wait for ever
            self._cut_off()

    def _refuse(self, error: ChatError, nonce: str | None = None) -> None:
        if self._spend(self._noise):
            self._tell(error, nonce)

    def _spend(self, bucket: Bucket) -> bool:
        if not bucket.admit(self._clock.seconds()):
            return True
        self._client.flooded("too many frames that were refused or carry no message")
        return False

    def _begin(self, replay: Coroutine[Any, Any, None]) -> Deferred[None]:
        """Read what was missed, besides everything else."""
        return Deferred.fromCoroutine(replay).addErrback(self._cut_off)

    def _cut_off(self, failure: Failure | None = None) -> None:
        """Close with 4002 after a bug: else it would wait for ever."""
        self._log.failure("A client is cut off: it cannot be told all.", failure)
        self._client.turn_away(internal())


class PlainSession(_Session):
    """A client that sends and gets ``{"message": "text"}``."""

    __slots__ = ()

    async def open(self) -> None:
        await super().open()
        if self._visit.history:
            self._begin(self._chat.replay(self.room, self._client).newest(self._visit.history))

    def text_received(self, data: bytes) -> None:
        try:
            text = decode_plain(data)
            stored = self._chat.send(self._source, self.room, text, user=self._visitor.user)
        except ChatError as error:
            self._refuse(error)
        else:
            stored.addErrback(self._failed)

    def going(self, retry_ms: int) -> None:
        """Plain clients know no word for that."""

    def _tell(self, error: ChatError, nonce: str | None) -> None:
        metrics.refused(error.kind.code)
        # Refusals come in masses, where they come: the next may go out with this one.
        self._client.write_soon(error_frame(error))


class Session(_Session):
    """A client that speaks ``livechat.v1``, or only listens to it."""

    __slots__ = ("_asked", "_asking", "_replaying")

    def __init__(
        self, chat: Chat, clock: IReactorTime, visit: Visit, client: IClient, source: Source
    ) -> None:
        super().__init__(chat, clock, visit, client, source)
        self._asked = Bucket(ASK_RATE)
        self._asking = False
        self._replaying = False

    async def open(self) -> None:
        await super().open()
        try:
            self._greet(await self._chat.place(self.room))
        except BaseException:
            self.close()
            raise

    def _greet(self, place: Place) -> None:
        """Say where the room stands, and go on from what the client has seen."""
        hello = frames.Hello(
            self.room,
            self._visitor.connection,
            self._visitor.user,
            place.epoch,
            place.seq,
            self._chat.limits,
            HEARTBEAT,
            self._chat.now(),
        )
        seen = self._visit.since or place
        self._client.write(encode_frame(self._client.encoding, hello, seen))
        if self._client.encoding == Encoding.EVENTS:
            # Who only listens cannot ask for it.
            self._write(self._chat.presence.who(self.room))
        if self._visit.since is None:
            self._chat.go_live(self.room, self._client, place)
        else:
            self._resume(self._visit.since)

    def going(self, retry_ms: int) -> None:
        self._write(frames.GoAway(retry_ms))

    def text_received(self, data: bytes) -> None:
        try:
            frame = frames.decode_frame(data)
        except ChatError as error:
            self._refuse(error)
            return
        match frame:
            case frames.Say():
                self._say(frame)
            case frames.Type():
                self._types()
            case frames.Ping():
                self._answer_ping()
            case frames.AskPresence():
                if self._may_ask():
                    self._write(self._chat.presence.who(self.room))
            case frames.AskHistory():
                self._ask_history(frame)
            case frames.Resume():
                self._ask_resume(frame)

    def _reads(self) -> bool:
        return True

    def _say(self, frame: frames.Say) -> None:
        try:
            check_seen(frame.message)
            stored = self._chat.send(
                self._source,
                self.room,
                frame.message,
                user=self._visitor.user,
                nonce=frame.nonce,
            )
        except ChatError as error:
            self._refuse(error, frame.nonce)
        else:
            stored.addCallbacks(self._stored, self._failed, (frame.nonce,), {}, (frame.nonce,))

    def _stored(self, message: Message, nonce: str | None) -> None:
        ack = frames.Ack(message.seq, message.time, nonce, isinstance(message, Repeated))
        try:
            # It goes out with what the room is told, which is this message as a rule.
            self._client.write_soon(encode_frame(self._client.encoding, ack))
        except Exception:  # noqa: BLE001 - it is stored; the client has to ask again
            self._cut_off()

    def _types(self) -> None:
        # Who says it too often is not told, and must not say it without end.
        if not self._chat.presence.types(self.room, self._visitor):
            self._spend(self._noise)

    def _answer_ping(self) -> None:
        if self._spend(self._noise):
            self._write(frames.Pong())

    def _may_ask(self) -> bool:
        wait = self._asked.admit(self._clock.seconds())
        if wait:
            self._refuse(
                ChatError(Kind.RATE_LIMITED, "You ask for too much; wait.", retry_after=wait)
            )
        return not wait

    def _ask_history(self, frame: frames.AskHistory) -> None:
        if frame.before is not None and frame.after is not None:
            self._refuse(ChatError(Kind.BAD_MESSAGE, "Give 'before' or 'after', not both."))
        elif self._asking:
            self._refuse(ChatError(Kind.RATE_LIMITED, "The last page is not there yet."))
        elif self._may_ask():
            self._asking = True
            limit = PAGE if frame.limit is None else min(frame.limit, PAGE)
            found = self._history(Window(limit, frame.before, frame.after))
            Deferred.fromCoroutine(found).addErrback(self._failed)

    async def _history(self, window: Window) -> None:
        try:
            # One page at a time waits for one that does not read.
            await self._client.drained()
            found = await self._chat.history(self.room, window)
            messages: list[Message] = []
            async for page in found.pages():
                messages += page
            self._write(_page(found, messages, forward=window.after is not None))
            await self._client.drained()
        finally:
            self._asking = False

    def _ask_resume(self, frame: frames.Resume) -> None:
        if self._replaying:
            self._refuse(ChatError(Kind.RATE_LIMITED, "The last resume is not done yet."))
        elif self._may_ask():
            self._resume(frame.place)

    def _resume(self, since: Place) -> None:
        self._replaying = True
        self._begin(self._chat.replay(self.room, self._client).resume(since)).addBoth(self._resumed)

    def _resumed(self, _: object) -> None:
        self._replaying = False

    def _write(self, frame: ServerFrame) -> None:
        self._client.write(encode_frame(self._client.encoding, frame))

    def _tell(self, error: ChatError, nonce: str | None) -> None:
        metrics.refused(error.kind.code)
        self._client.write_soon(encode_frame(self._client.encoding, frames.error(error, nonce)))


def session(
    chat: Chat, clock: IReactorTime, visit: Visit, client: IClient, source: Source
) -> PlainSession | Session:
    """The session for *visit*."""
    made = PlainSession if visit.encoding == Encoding.PLAIN else Session
    return made(chat, clock, visit, client, source)


def _page(found: History, messages: list[Message], *, forward: bool) -> frames.History:
    """The page that consists of *messages*, or of as many as fit on the side asked for."""
    kept = _as_fits(messages, forward=forward)
    first = kept[0].seq if kept else min(found.first, frames.LARGEST)
    last = kept[-1].seq if kept else first - 1
    beyond = last < found.position.seq if forward else first > found.position.oldest
    return frames.History(kept, first, last, bool(kept) and beyond)


def _as_fits(messages: list[Message], *, forward: bool) -> list[Message]:
    """As many of *messages*, from the beginning or the end, as a page may have; at least one."""
    left = PAGE_BYTES
    kept: list[Message] = []
    for message in messages if forward else reversed(messages):
        left -= len(encode(message))
        if left < 0 and kept:
            break
        kept.append(message)
    return kept if forward else kept[::-1]
