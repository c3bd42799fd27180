"""
Writing the events that have no number in a room: notes in `EVENTS_ROOM`.

An event of which no receiver wants to be told is not written.  Users that come and go wait in one
bounded queue, of which a few are stored at a time: a flood of them stops no message.  Those for
which there is no room are counted, and the count is an event, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from secrets import token_hex
from typing import Final

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat.errors import ChatError
from livechat.events.recording import Publish, Recorder
from livechat.limits.rates import LogLimit, Rate
from livechat.protocol.audit import AuditRecord
from livechat.protocol.events import act_kind, make_act, make_note
from livechat.protocol.messages import Draft, Place, User

#: Joins and leaves that wait to be stored at most; and those that are stored at a time.
MOST_COMINGS: Final = 10_000
AT_ONCE: Final = 64
#: Seconds between two attempts to store waiting events.
RETRY_EVERY: Final = 1.0

_log = Logger()


class Announcer:
    """Writes events of the kinds that some receiver wants."""

    def __init__(
        self,
        publish: Publish,
        wanted: Collection[str],
        clock: IReactorTime,
        place: Callable[[str], Place | None] = lambda _: None,
    ) -> None:
        """
        @param wanted: the kinds that are written.
        @param place: finds the place of a room, if this process knows it.
        """
        self._publish = publish
        self._wanted = frozenset(wanted)
        self._clock = clock
        self._place = place
        self._recorder = Recorder(publish, clock)
        self._comings: deque[Draft] = deque()
        self._lost = 0
        self._storing = False
        self._failures = LogLimit(Rate(1 / 60, 1))

    def wants(self, kind: str) -> bool:
        """Tell whether events of this kind are written."""
        return kind in self._wanted

    def act(self, record: AuditRecord) -> Draft | None:
        """Make the event of an act, to be stored with its record; None if nobody wants it."""
        if act_kind(record.action.type) not in self._wanted:
            return None
        place = None if record.room is None else self._place(record.room)
        return _once(make_act(record, place))

    async def case(self, kind: str, room: str, case: str, user: User | None) -> None:
        """
        Write that a case was opened.  Returns once that is stored.  No-op if nobody wants it.

        @param kind: ``held`` or ``reported``.
        @param case: its id; its text is nowhere but in the case.
        @param user: the author of the message.
        @raise ChatError: it is not stored yet, but waits.
        """
        if kind in self._wanted:
            note = make_note(kind, room, self._place(room), user, case=case)
            await self._recorder.store([_once(note)])

    async def rooms(self, kind: str, rooms: Iterable[str]) -> None:
        """
        Write that *rooms* are ``occupied`` or ``vacated``.  Returns once that is stored.

        @raise ChatError: some of it is not stored.
        """
        asked = [self._publish(make_note(kind, room, self._place(room))) for room in rooms]
        refused = [reason for reason in [await _refusal(each) for each in asked] if reason]
        if refused:
            raise refused[0]

    def came(self, kind: str, room: str, user: User) -> None:
        """Write, soon, that *user* has ``joined`` or ``left`` a room.  No-op if nobody wants it."""
        if kind not in self._wanted:
            return
        if len(self._comings) >= MOST_COMINGS:
            self._lost += 1
            return
        if self._lost:
            lost, self._lost = self._lost, 0
            self._comings.append(make_note("gap", "", lost=lost))
        self._comings.append(make_note(kind, room, self._place(room), user))
        if not self._storing:
            self._storing = True
            Deferred.fromCoroutine(self._store()).addErrback(_broken)

    async def _store(self) -> None:
        try:
            while self._comings or self._lost:
                if not self._comings:
                    lost, self._lost = self._lost, 0
                    self._comings.append(make_note("gap", "", lost=lost))
                some = [self._comings.popleft() for _ in range(min(AT_ONCE, len(self._comings)))]
                asked = [self._publish(each) for each in some]
                refused = [await _refusal(each) for each in asked]
                left = [
                    each for each, reason in zip(some, refused, strict=True) if reason is not None
                ]
                if left:
                    self._comings.extendleft(reversed(left))
                    self._say_refused(next(filter(None, refused)))
                    await deferLater(self._clock, RETRY_EVERY, lambda: None)
        finally:
            self._storing = False

    def _say_refused(self, reason: ChatError) -> None:
        more = self._failures.due(self._clock.seconds())
        if more is not None:
            _log.warn(
                "Receivers cannot be told yet which users come and go: {reason}{more}",
                reason=reason.detail,
                more=more,
            )


async def _refusal(answer: Deferred[object]) -> ChatError | None:
    try:
        await answer
    except ChatError as reason:
        return reason
    return None


def _once(draft: Draft) -> Draft:
    """Give *draft* a nonce, so that it can be sent again if it may have been stored."""
    return replace(draft, nonce=token_hex(8))


def _broken(failure: Failure) -> None:
    _log.failure("Receivers are not told any more which users come and go.", failure)
