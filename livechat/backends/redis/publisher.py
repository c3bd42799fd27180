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
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat.backends.nonces import NONCE_LASTS, digest, reused
from livechat.backends.redis.connection import Connection, RefusedError, Script, UnansweredError
from livechat.backends.redis.generation import Generation
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.resp import REPLY
from livechat.backends.redis.stream import Entry, user_to_bytes
from livechat.backends.retention import Retention
from livechat.backends.waiting import (
    Waiting,
    Waitlist,
    late,
    not_stored,
    unknown,
    unstorable,
)
from livechat.errors import ChatError
from livechat.protocol.messages import Draft, Message, Repeated
from livechat.system.wallclock import WallClock

#: Seconds after which a message is not waited for any longer.
WAIT: Final = 2.0
#: Seconds before that, after which Redis does not store it any more: its clock and ours
#: differ by some milliseconds, and who was told that nobody knows must not be wrong often.
MARGIN: Final = 0.1
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


class Sending(Waiting):
    """
    A message on its way.

    @ivar text: its bytes.
    @ivar tag: tells it from all other messages.
    """

    __slots__ = ("tag", "text")

    def __init__(self, draft: Draft, text: bytes, tag: bytes, deadline: float = 0.0) -> None:
        super().__init__(draft, deadline)
        self.text = text
        self.tag = tag


class PublisherListener(Protocol):
    """Callbacks of a publisher.  None of them raises."""

    def stored(self, room: str, stored: Sequence[tuple[Sending, Entry]]) -> None:
        """Messages were stored.  Notify their senders once the room has delivered them."""

    def write_succeeded(self) -> None:
        """Redis has taken something."""

    def write_refused(self, reason: RefusedError) -> None:
        """Redis takes nothing."""


class Publisher:
    """All messages of one process."""

    _log = Logger()

    def __init__(
        self,
        connection: Connection,
        keys: Keys,
        clock: IReactorTime,
        listener: PublisherListener,
        *,
        generation: Generation,
        wall: WallClock,
        retention: Retention,
    ) -> None:
        """
        @param wall: Redis's clock, as far as it is believed: messages are stamped by it.
        """
        self._connection = connection
        self._keys = keys
        self._clock = clock
        self._wall = wall
        self._retention = retention
        self._listener = listener
        self._generation = generation
        self._tag = secrets.token_urlsafe(6)
        self._tags = count()
        self._queue: list[Sending] = []
        self._turn: IDelayedCall | None = None
        self._waitlist: Waitlist[Sending] = Waitlist(clock, WAIT, self._late)
        # Sent, and the connection was lost.
        self._unsure: list[Sending] = []

    def publish(self, draft: Draft) -> Deferred[Message]:
        """As `livechat.interfaces.IMessageLog.publish`; only while there is a connection."""
        try:
            tag = f"{self._tag}{next(self._tags):x}".encode()
            sending = Sending(draft, draft.message.encode(), tag)
            answer = self._waitlist.add(sending)
        except UnicodeEncodeError:
            return fail(unstorable())
        except ChatError as reason:
            return fail(reason)
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
        deadline = self._connection.time(group[0].deadline - MARGIN)
        # Redis's clock is known to us within the time of an answer.
        ago = self._clock.seconds() - (group[0].deadline - WAIT) + REPLY
        now = self._wall.milliseconds()
        args = [
            self._generation.name,
            b"%d" % deadline,
            b"%d" % now,
            b"%d" % self._retention.of(room).messages,
            b"%d" % self._wall.latest_milliseconds(),
            b"%d" % (now - int(1000 * ago)) if again else b"",
            b"%d" % (1000 * NONCE_LASTS),
        ]
        keys = [*self._keys.numbering(room), self._keys.channel(room), self._keys.idle]
        for sending in group:
            nonce = sending.draft.nonce
            mark = b""
            if nonce is not None:
                keys.append(self._keys.nonce(room, nonce))
                mark = digest(sending.draft, b"").hex().encode()
            args += (sending.tag, user_to_bytes(sending.draft.user), mark, sending.text)
        self._connection.call(PUBLISH, keys, args).addCallbacks(
            self._answered,
            self._not_answered,
            callbackArgs=(room, group, again),
            errbackArgs=(group, again),
        ).addErrback(self._broken, group).addBoth(lambda _: self._waitlist.settle())

    def _answered(
        self, answer: Sequence[Any] | int, room: str, group: Sequence[Sending], again: bool
    ) -> None:
        if isinstance(answer, int):
            self._listener.write_succeeded()
            self._refuse(group, unknown())
            return
        if not answer:
            self._listener.write_succeeded()
            self._refuse(group, unknown() if again else late())
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
                sending.stored(Repeated(draft.message, seq, time, draft.user))
            elif isinstance(verdict, bytes):
                refusal = RefusedError(verdict.decode())
                refused.append(sending)
            else:
                sending.refused(reused())
        if refusal is None:
            self._listener.write_succeeded()
        else:
            self._listener.write_refused(refusal)
            self._refuse(refused, not_stored())
        if stored:
            self._listener.stored(room, stored)

    def _not_answered(self, failure: Failure, group: Sequence[Sending], again: bool) -> None:
        reason = failure.value
        if isinstance(reason, UnansweredError) and (reason.sent or again):
            self._unsure += (each for each in group if each.answer is not None)
        elif isinstance(reason, UnansweredError):
            self._refuse(group, not_stored())
        elif isinstance(reason, RefusedError):
            self._listener.write_refused(reason)
            stored = again or reason.code not in _BEFORE
            self._refuse(group, unknown() if stored else not_stored())
        else:
            self._broken(failure, group)

    def _broken(self, failure: Failure, group: Sequence[Sending]) -> None:
        """A bug: nobody must wait for ever because of it."""
        self._log.failure("Messages could not be stored or delivered.", failure)
        self._refuse(group, unknown())

    @staticmethod
    def _refuse(group: Iterable[Sending], reason: ChatError) -> None:
        for sending in group:
            sending.refused(reason)

    def _late(self, sending: Sending) -> None:
        # Redis may store it still: within the deadline that it knows.
        sending.refused(unknown())

    def emptied(self) -> Deferred[None]:
        """Fires when everybody was answered, in `WAIT` seconds at most."""
        return self._waitlist.emptied()

    def stop(self) -> None:
        """End, after all were answered."""
        self._waitlist.stop()
