"""
Messages, edits and retractions on their way into Redis.

What is sent in one turn of the reactor goes out at its end, a call of `publish.lua` for
each room; an edit or a retraction is a call of `amend.lua` between them, so that a room's acts
keep their order.  Every act has a *tag* that nobody else's has, and a deadline:

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
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat.backends.nonces import NONCE_LASTS, digest, repeated, reused
from livechat.backends.redis.acts import AMEND, Change, Nodes, Sending, Stored
from livechat.backends.redis.connection import Commands, RefusedError, Script, UnansweredError
from livechat.backends.redis.entering import Entering
from livechat.backends.redis.entries import user_to_bytes
from livechat.backends.redis.generation import Generation
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.pacing import TOO_MANY, TOO_SOON, paces, refusal
from livechat.backends.redis.receivers import Receivers
from livechat.backends.redis.resp import REPLY
from livechat.backends.retention import RoomRetention
from livechat.backends.waiting import Waitlist, late, not_stored, refuse, unknown, unstorable
from livechat.errors import ChatError
from livechat.interfaces import IReceiver
from livechat.protocol.messages import Amendment, Draft
from livechat.system.wallclock import WallClock

#: Seconds to wait for a message to be stored.
WAIT: Final = 2.0
#: Seconds before the end of `WAIT` after which Redis no longer stores the message: the clocks
#: differ by some milliseconds, and a message with an unknown outcome should rarely be stored.
MARGIN: Final = 0.1
#: Messages, and characters, of a room that one call stores at most.
GROUP: Final = 100
GROUP_CHARACTERS: Final = 64 * 1024

PUBLISH: Final = Script("publish", "holding", "writing", "pacing")
#: Verdicts of the script that are numbers, beside those of `pacing`; any other answer means that
#: the nonce was used for another message.
_STORED: Final = 0
_REPEATED: Final = 1
_BEFORE: Final = 3

#: Errors before a command or a script changes anything.  After others, such as those of a proxy
#: before Redis, it is unknown if the message is stored.
_UNTOUCHED: Final = frozenset(
    {
        "ASK", "BUSY", "CLUSTERDOWN", "CROSSSLOT", "LOADING", "MASTERDOWN", "MISCONF", "MOVED",
        "NOAUTH", "NOPERM", "NOREPLICAS", "NOSCRIPT", "OOM", "READONLY", "TRYAGAIN", "WRONGTYPE",
    }
)  # fmt: skip


class PublisherListener(Protocol):
    """Callbacks of a publisher.  None of them raises."""

    def stored(self, room: str, stored: Sequence[Stored], *, new: bool = True) -> None:
        """
        Entries were stored.  Tell their receivers once the room has delivered them.

        @param new: otherwise that was a while ago, and they may be changed since.
        """

    def write_succeeded(self, room: str) -> None:
        """Redis has taken something of *room*."""

    def write_refused(self, reason: RefusedError, room: str) -> None:
        """Redis takes nothing of *room*."""


class Publisher:
    """
    All messages, edits and retractions of one process.

    @ivar nodes: the most that a node of a stream holds.
    """

    _log = Logger()

    def __init__(
        self,
        connection: Commands,
        keys: Keys,
        clock: IReactorTime,
        listener: PublisherListener,
        *,
        generation: Generation,
        wall: WallClock,
        retention: RoomRetention,
        receivers: Receivers,
        entering: Entering,
        secret: Callable[[], bytes],
    ) -> None:
        """
        @param wall: Redis's clock, as far as it is believed: it stamps entries.
        @param receivers: the receivers outside, which need rooms to be entered.
        @param secret: the installation's secret, which keys the digests of acts.
        """
        self._connection = connection
        self._keys = keys
        self._clock = clock
        self._wall = wall
        self._retention = retention
        self._receivers = receivers
        self._entering = entering
        self._listener = listener
        self._generation = generation
        self._tag = secrets.token_urlsafe(6)
        self._tags = count()
        self._secret = secret
        self.nodes = Nodes()
        self._queue: list[Sending | Change] = []
        self._turn: IDelayedCall | None = None
        self._waitlist: Waitlist[Sending | Change] = Waitlist(clock, WAIT, self._late)
        # Acts that were sent before the connection was lost.
        self._unsure: list[Sending | Change] = []

    def publish(self, draft: Draft, receiver: IReceiver) -> None:
        """Implement `livechat.interfaces.IMessageLog.publish` while there is a connection."""
        try:
            self._add(Sending(draft, self._new_tag(), receiver))
        except UnicodeEncodeError:
            refuse(receiver, unstorable())
        except ChatError as reason:
            refuse(receiver, reason)

    def amend(self, amendment: Amendment, receiver: IReceiver) -> None:
        """Implement `livechat.interfaces.IMessageLog.amend` while there is a connection."""
        try:
            self._add(Change(amendment, self._new_tag(), receiver))
        except UnicodeEncodeError:
            refuse(receiver, unstorable())
        except ChatError as reason:
            refuse(receiver, reason)

    def _new_tag(self) -> bytes:
        return f"{self._tag}{next(self._tags):x}".encode()

    def _add(self, sending: Sending | Change) -> None:
        self._waitlist.add(sending)
        self._queue.append(sending)
        if self._turn is None:
            self._turn = self._clock.callLater(0, self._flush)

    def _flush(self) -> None:
        self._turn = None
        queue, self._queue = self._queue, []
        self._send(queue)

    def send_again(self) -> None:
        """Find out what became of the writes that the last connection took with it."""
        unsure, self._unsure = self._unsure, []
        self._send((each for each in unsure if each.receiver is not None), again=True)

    def _send(self, sendings: Iterable[Sending | Change], *, again: bool = False) -> None:
        by_room: dict[str, list[Sending | Change]] = {}
        for sending in sendings:
            by_room.setdefault(sending.room, []).append(sending)
        for room, all_of_it in by_room.items():
            entering = self._entering.enter(room) if self._receivers.of(room) else None
            if entering is None:
                self._send_to(room, all_of_it, again)
                continue
            entering.addCallbacks(
                lambda _, room, acts: self._send_to(room, acts, again),
                self._not_answered,
                callbackArgs=(room, all_of_it),
                errbackArgs=(all_of_it, again),
            ).addErrback(self._broken, all_of_it).addBoth(lambda _: self._waitlist.settle())

    def _send_to(self, room: str, acts: Sequence[Sending | Change], again: bool) -> None:
        group: list[Sending] = []
        size = 0
        for sending in acts:
            if isinstance(sending, Change):
                self._send_group(room, group, again=again)
                group, size = [], 0
                self._send_change(room, sending, again=again)
                continue
            if len(group) == GROUP or (group and size + len(sending.text) > GROUP_CHARACTERS):
                self._send_group(room, group, again=again)
                group, size = [], 0
            group.append(sending)
            size += len(sending.text)
        self._send_group(room, group, again=again)

    def _keys_of(self, room: str) -> list[bytes]:
        """Make the first keys of both scripts."""
        keys = self._keys.numbering(room)
        return [*keys, self._keys.channel(room), self._keys.idle_of(keys[0])]

    def _arguments(self, room: str, key: bytes, deadline: float, *, again: bool) -> list[bytes]:
        """
        Make the first arguments of both scripts.

        @param key: any key of the room.
        """
        # Redis's clock is known with an error of up to the time of an answer.
        ago = self._clock.seconds() - (deadline - WAIT) + REPLY
        now = self._wall.milliseconds()
        return [
            self._generation.name,
            b"%d" % self._connection.time(deadline - MARGIN, key),
            b"%d" % now,
            self._receivers.limit(room, self._retention.of(room).messages),
            b"%d" % self._wall.latest_milliseconds(),
            b"%d" % (now - int(1000 * ago)) if again else b"",
            b"%d" % (1000 * NONCE_LASTS),
        ]

    def _send_group(self, room: str, group: Sequence[Sending], *, again: bool) -> None:
        if not group:
            return
        keys = self._keys_of(room)
        args: list[bytes] = []
        for sending in group:
            draft = sending.submission
            mark = b""
            if draft.nonce is not None:
                keys.append(self._keys.nonce(room, draft.nonce))
                mark = digest(draft, self._secret()).hex().encode()
            user = user_to_bytes(draft.user)
            args += (sending.tag, user, mark, sending.extra, sending.text)
        drafts = [sending.submission for sending in group]
        args = [
            # The first act has the earliest deadline of the group.
            *self._arguments(room, keys[0], group[0].deadline, again=again),
            paces(drafts, self._keys, keys, self._secret()),
            *args,
        ]
        if self._receivers.of(room):
            keys.append(self._keys.cursors(room))
        self._call(PUBLISH, keys, args, room, group, again=again)

    def _send_change(self, room: str, change: Change, *, again: bool) -> None:
        nonce = change.submission.nonce
        keys = self._keys_of(room)
        mark = b""
        if nonce is not None:
            keys.append(self._keys.nonce(room, nonce))
            mark = digest(change.submission, self._secret()).hex().encode()
        oldest = self._retention.of(room).first_time(self._wall.milliseconds())
        args = [
            *self._arguments(room, keys[0], change.deadline, again=again),
            change.tag,
            mark,
            b"%d" % oldest,
            *change.args(self.nodes),
        ]
        if self._receivers.of(room):
            keys.append(self._keys.cursors(room))
        self._call(AMEND, keys, args, room, [change], again=again)

    def _call(
        self,
        script: Script,
        keys: Sequence[bytes],
        args: Sequence[bytes],
        room: str,
        group: Sequence[Sending | Change],
        *,
        again: bool,
    ) -> None:
        answered = self._answered if script is PUBLISH else self._changed
        self._connection.call(script, keys, args).addCallbacks(
            answered,
            self._not_answered,
            callbackArgs=(room, group, again),
            errbackArgs=(group, again),
        ).addErrback(self._broken, group).addBoth(lambda _: self._waitlist.settle())

    def _nothing_said(
        self, answer: Sequence[Any] | int, group: Sequence[Sending | Change], again: bool
    ) -> bool:
        """Refuse *group* if the answer has no results of single acts; return True if so."""
        if isinstance(answer, int) or not answer:
            self._listener.write_succeeded(group[0].room)
            self._refuse(group, unknown() if again or isinstance(answer, int) else late())
            return True
        return False

    def _answered(
        self, answer: Sequence[Any] | int, room: str, group: Sequence[Sending], again: bool
    ) -> None:
        if self._nothing_said(answer, group, again):
            return
        assert not isinstance(answer, int)
        stored: list[Stored] = []
        before: list[Stored] = []
        refused: list[Sending] = []
        problem: RefusedError | None = None
        word = answer[0]
        parts = zip(group, answer[1::3], answer[2::3], answer[3::3], strict=True)
        for sending, seq, time, verdict in parts:
            if verdict in (_STORED, _BEFORE):
                entry, message = sending.entry(seq, time, word), sending.message(seq, time)
                (stored if verdict == _STORED else before).append((sending, entry, message))
            elif verdict == _REPEATED:
                sending.stored(repeated(sending.submission, seq, time))
            elif isinstance(verdict, bytes):
                problem = RefusedError(verdict.decode())
                refused.append(sending)
            elif verdict in (TOO_SOON, TOO_MANY):
                sending.refused(refusal(sending.submission, seq, verdict))
            else:
                sending.refused(reused())
        self._say(problem, room, refused)
        if stored:
            self._listener.stored(room, stored)
        if before:
            self._listener.stored(room, before, new=False)

    def _changed(
        self, answer: Sequence[Any] | int, room: str, group: Sequence[Change], again: bool
    ) -> None:
        if self._nothing_said(answer, group, again):
            return
        assert not isinstance(answer, int)
        (change,) = group
        try:
            result = change.result(answer)
        except RefusedError as reason:
            self._say(reason, room, group)
            return
        self._listener.write_succeeded(room)
        if isinstance(result, ChatError):
            change.refused(result)
        elif result.entry is None:
            change.stored(result.amended)
        else:
            self._listener.stored(room, [(change, result.entry, result.amended)], new=result.new)

    def _say(
        self, refusal: RefusedError | None, room: str, refused: Sequence[Sending | Change]
    ) -> None:
        """Report if Redis stores messages."""
        if refusal is None:
            self._listener.write_succeeded(room)
        else:
            self._listener.write_refused(refusal, room)
            self._refuse(refused, not_stored())

    def _not_answered(
        self, failure: Failure, group: Sequence[Sending | Change], again: bool
    ) -> None:
        reason = failure.value
        if isinstance(reason, UnansweredError) and (reason.sent or again):
            self._unsure += (each for each in group if each.receiver is not None)
        elif isinstance(reason, UnansweredError):
            self._refuse(group, not_stored())
        elif isinstance(reason, RefusedError):
            self._listener.write_refused(reason, group[0].room)
            stored = again or reason.code not in _UNTOUCHED
            self._refuse(group, unknown() if stored else not_stored())
        else:
            self._broken(failure, group)

    def _broken(self, failure: Failure, group: Sequence[Sending | Change]) -> None:
        """Handle a bug: refuse all acts, so that no sender waits for ever."""
        self._log.failure("Messages could not be stored or delivered.", failure)
        self._refuse(group, unknown())

    @staticmethod
    def _refuse(group: Iterable[Sending | Change], reason: ChatError) -> None:
        for sending in group:
            sending.refused(reason)

    def _late(self, sending: Sending | Change) -> None:
        # Redis may still store the message, within the deadline that it was given.
        sending.refused(unknown())

    def emptied(self) -> Deferred[None]:
        """Fires when all receivers were told, in `WAIT` seconds at most."""
        return self._waitlist.emptied()

    def stop(self) -> None:
        """End, after all were answered."""
        self._waitlist.stop()
