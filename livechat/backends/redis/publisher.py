"""
Messages on their way into Redis.

What is sent in one turn of the reactor goes out at its end, a call of `publish.lua` for
each room.  Every message has a *tag* that nobody else's has, and a deadline:

    queued ──turn──> sent ──answer──> stored
                      │ │             refused: Redis takes nothing
                      │ └─ connection lost ──> unsure ──new connection──> sent again
                      └─ deadline ──> unknown: the script refuses it from then on

So a message is stored once, or not at all, and what its sender was told is true.  Of a
message that was sent again only `publish.lua` can say that it is not stored: whatever else
comes of it, the first time may have stored it.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat.backends.nonces import LASTS, digest, reused
from livechat.backends.redis.connection import Link, LinkError, RefusedError, Script
from livechat.backends.redis.generation import Generation
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.resp import REPLY
from livechat.backends.redis.stream import Entry, user_to_bytes
from livechat.backends.retention import Retention
from livechat.errors import ChatError, Kind
from livechat.protocol.messages import Draft, Message, Repeated
from livechat.system.wallclock import WallClock

#: Seconds after which a message is not waited for any longer.
PATIENCE: Final = 2.0
#: Seconds before that, after which Redis does not store it any more: its clock and ours
#: differ by some milliseconds, and who was told that nobody knows must not be wrong often.
MARGIN: Final = 0.1
#: Messages and characters that may be under way.
QUEUE: Final = 10_000
QUEUE_CHARACTERS: Final = 32 * 1024 * 1024
#: Most messages, and characters, of a room that are stored by one call.
GROUP: Final = 100
GROUP_CHARACTERS: Final = 64 * 1024

PUBLISH: Final = Script("publish")
#: Its verdicts, if they are numbers; otherwise the nonce was used for another message.
_STORED: Final = 0
_REPEATED: Final = 1

#: Errors that a command or a script begins with, or does not get that far.  Of others, as a
#: proxy before Redis may have them, it is not known whether the message is stored.
_BEFORE: Final = frozenset(
    {
        "ASK", "BUSY", "CLUSTERDOWN", "CROSSSLOT", "LOADING", "MASTERDOWN", "MISCONF", "MOVED",
        "NOAUTH", "NOPERM", "NOREPLICAS", "NOSCRIPT", "OOM", "READONLY", "TRYAGAIN", "WRONGTYPE",
    }
)  # fmt: skip


class Sending:
    """A message that somebody waits for."""

    __slots__ = ("answer", "deadline", "draft", "tag", "text")

    def __init__(self, draft: Draft, text: bytes, tag: bytes, deadline: float) -> None:
        self.draft = draft
        self.text = text
        self.tag = tag
        self.deadline = deadline
        self.answer: Deferred[Message] | None = Deferred()

    def stored(self, entry: Entry) -> None:
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.callback(entry.message())

    def repeated(self, seq: int, time: int) -> None:
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.callback(Repeated(self.draft.message, seq, time, self.draft.user))

    def refused(self, reason: Exception) -> None:
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.errback(reason)


class Owner(Protocol):
    """Whom an outbox tells, and asks."""

    generation: Generation

    def stored(self, room: str, stored: Sequence[tuple[Sending, Entry]]) -> None:
        """It is to see to it that the senders are told, when the room has seen it."""

    def taken(self) -> None:
        """Redis has taken something."""

    def not_taken(self, reason: RefusedError) -> None:
        """Redis takes nothing."""


class Outbox:
    """All messages of one process."""

    _log = Logger()

    def __init__(
        self,
        link: Link,
        keys: Keys,
        clock: IReactorTime,
        owner: Owner,
        *,
        wall: WallClock,
        retention: Retention,
    ) -> None:
        """
        @param wall: Redis's clock, as far as it is believed: messages are stamped by it.
        """
        self._link = link
        self._keys = keys
        self._clock = clock
        self._wall = wall
        self._retention = retention
        self._owner = owner
        self._tag = secrets.token_urlsafe(6)
        self._tags = count()
        self._queue: list[Sending] = []
        self._turn: IDelayedCall | None = None
        # All that is waited for, in the order of the calls.
        self._sendings: deque[Sending] = deque()
        self._characters = 0
        self._impatience: IDelayedCall | None = None
        # Sent, and the connection was lost.
        self._unsure: list[Sending] = []
        self._empty: Deferred[None] | None = None

    def publish(self, draft: Draft) -> Deferred[Message]:
        """As `livechat.interfaces.IBackend.publish`; only while there is a connection."""
        try:
            text = draft.message.encode()
        except UnicodeEncodeError:
            return fail(ChatError(Kind.BAD_MESSAGE, "This text cannot be stored."))
        if len(self._sendings) >= QUEUE or self._characters + len(text) > QUEUE_CHARACTERS:
            return fail(ChatError(Kind.OVERLOADED, "Too many messages are waiting to be stored."))
        tag = f"{self._tag}{next(self._tags):x}".encode()
        sending = Sending(draft, text, tag, self._clock.seconds() + PATIENCE)
        answer = sending.answer
        assert answer is not None
        self._characters += len(text)
        self._sendings.append(sending)
        if self._impatience is None:
            self._impatience = self._clock.callLater(PATIENCE, self._lose_patience)
        self._queue.append(sending)
        if self._turn is None:
            self._turn = self._clock.callLater(0, self._flush)
        return answer

    def _flush(self) -> None:
        self._turn = None
        queue, self._queue = self._queue, []
        self._send(queue)

    def send_again(self) -> None:
        """There is a new connection: find out what became of what the last one was lost over."""
        unsure, self._unsure = self._unsure, []
        self._send((each for each in unsure if each.answer is not None), again=True)

    def _send(self, sendings: Iterable[Sending], *, again: bool = False) -> None:
        by_room: dict[str, list[Sending]] = {}
        for sending in sendings:
            by_room.setdefault(sending.draft.room, []).append(sending)
        for room, all_of_it in by_room.items():
            group: list[Sending] = []
            size = 0
            for sending in all_of_it:
                if len(group) == GROUP or (group and size + len(sending.text) > GROUP_CHARACTERS):
                    self._send_group(room, group, again=again)
                    group, size = [], 0
                group.append(sending)
                size += len(sending.text)
            self._send_group(room, group, again=again)

    def _send_group(self, room: str, group: Sequence[Sending], *, again: bool) -> None:
        # What is in time for the first one is for all.
        deadline = self._link.time(group[0].deadline - MARGIN)
        # Redis's clock is known to us within the time of an answer.
        ago = self._clock.seconds() - (group[0].deadline - PATIENCE) + REPLY
        now = self._wall.milliseconds()
        args = [
            self._owner.generation.name,
            b"%d" % deadline,
            b"%d" % now,
            b"%d" % self._retention.messages,
            b"%d" % self._wall.latest_milliseconds(),
            b"%d" % (now - int(1000 * ago)) if again else b"",
            b"%d" % (1000 * LASTS),
        ]
        keys = [*self._keys.numbering(room), self._keys.channel(room), self._keys.idle]
        for sending in group:
            nonce = sending.draft.nonce
            mark = b""
            if nonce is not None:
                keys.append(self._keys.nonce(room, nonce))
                mark = digest(sending.draft.message).hex().encode()
            args += (sending.tag, user_to_bytes(sending.draft.user), mark, sending.text)
        self._link.call(PUBLISH, keys, args).addCallbacks(
            self._answered,
            self._not_answered,
            callbackArgs=(room, group, again),
            errbackArgs=(group, again),
        ).addErrback(self._broken, group).addBoth(lambda _: self._forget_answered())

    def _answered(
        self, answer: Sequence[Any] | int, room: str, group: Sequence[Sending], again: bool
    ) -> None:
        if isinstance(answer, int):
            self._owner.taken()
            self._refuse(group, _unknown())
            return
        if not answer:
            self._owner.taken()
            late = _unavailable("The message could not be stored in time.")
            self._refuse(group, _unknown() if again else late)
            return
        stored: list[tuple[Sending, Entry]] = []
        refused: list[Sending] = []
        refusal: RefusedError | None = None
        word = answer[0]
        parts = zip(group, answer[1::3], answer[2::3], answer[3::3], strict=True)
        for sending, seq, time, verdict in parts:
            draft = sending.draft
            if verdict == _STORED:
                entry = Entry(seq, time, sending.tag, draft.message, draft.user, word)
                stored.append((sending, entry))
            elif verdict == _REPEATED:
                sending.repeated(seq, time)
            elif isinstance(verdict, bytes):
                refusal = RefusedError(verdict.decode())
                refused.append(sending)
            else:
                sending.refused(reused())
        if refusal is None:
            self._owner.taken()
        else:
            self._owner.not_taken(refusal)
            self._refuse(refused, _not_now())
        if stored:
            self._owner.stored(room, stored)

    def _not_answered(self, failure: Failure, group: Sequence[Sending], again: bool) -> None:
        reason = failure.value
        if isinstance(reason, LinkError) and (reason.sent or again):
            self._unsure += (each for each in group if each.answer is not None)
        elif isinstance(reason, LinkError):
            self._refuse(group, _not_now())
        elif isinstance(reason, RefusedError):
            self._owner.not_taken(reason)
            stored = again or reason.code not in _BEFORE
            self._refuse(group, _unknown() if stored else _not_now())
        else:
            self._broken(failure, group)

    def _broken(self, failure: Failure, group: Sequence[Sending]) -> None:
        """A bug: nobody must wait for ever because of it."""
        self._log.failure("Messages could not be stored or delivered.", failure)
        self._refuse(group, _unknown())

    @staticmethod
    def _refuse(group: Iterable[Sending], reason: ChatError) -> None:
        for sending in group:
            sending.refused(reason)

    def _forget_answered(self) -> None:
        while self._sendings and self._sendings[0].answer is None:
            self._characters -= len(self._sendings.popleft().text)
        if self._empty is not None and not self._sendings:
            empty, self._empty = self._empty, None
            empty.callback(None)

    def _lose_patience(self) -> None:
        """Answer those who have waited long enough; who came first is so first."""
        self._impatience = None
        now = self._clock.seconds()
        self._forget_answered()
        while self._sendings and self._sendings[0].deadline <= now:
            # It is with Redis, which may store it still: within the deadline that it knows.
            self._sendings[0].refused(_unknown())
            self._forget_answered()
        self._unsure = [each for each in self._unsure if each.answer is not None]
        if self._sendings:
            left = max(0.0, self._sendings[0].deadline - now)
            self._impatience = self._clock.callLater(left, self._lose_patience)

    def emptied(self) -> Deferred[None]:
        """Fires when everybody was answered, in `PATIENCE` seconds at most."""
        self._forget_answered()
        if not self._sendings:
            return succeed(None)
        self._empty = Deferred()
        return self._empty

    def stop(self) -> None:
        """It is empty, and stays so."""
        if self._impatience is not None:
            self._impatience.cancel()


def _unavailable(detail: str) -> ChatError:
    return ChatError(Kind.UNAVAILABLE, detail)


def _not_now() -> ChatError:
    return _unavailable("The message could not be stored just now.")


def _unknown() -> ChatError:
    return ChatError(Kind.UNKNOWN, "The message may have been stored.")
