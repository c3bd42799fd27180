"""
Reviews: decisions on cases, each made once despite crashes and races.

A case is decided by compare and set, so only one of two simultaneous decisions counts.  An approved
message is stored next, and then its number is noted in the case.  If that stops half way, because
the process is killed or the store is away, any process goes on within `FINISH_EVERY` seconds.  The
message is stored under a nonce, so it is stored once.  Nonces are not remembered for ever: a
message that could not be stored for `FINISH_WITHIN` is held for another review.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.interfaces import IMessageLog
from livechat.protocol.actions import Review
from livechat.protocol.audit import Action as Recorded
from livechat.protocol.messages import Draft
from livechat.protocol.moderation import Case, CaseState, Verdict
from livechat.protocol.v1 import Ack
from livechat.rooms.answers import answer_of
from livechat.rooms.audit import Audit, author_of
from livechat.rooms.case_register import CaseRegister, Found, data_of
from livechat.rooms.policy import Policy
from livechat.system.time import Time

#: Seconds for which held messages, and reports, wait for a review.
HELD_LASTS: Final = 7 * 86_400
REPORT_LASTS: Final = 30 * 86_400
#: Seconds for which a decided case can be seen.
DECIDED_LASTS: Final = 60
#: Seconds between two attempts to store approved messages.
FINISH_EVERY: Final = 5.0
#: Seconds after a decision within which its message is stored.  Stores remember nonces for ten
#: minutes.
FINISH_WITHIN: Final = 300

_STATES: Final[dict[Verdict, CaseState]] = {
    "approve": "approved", "reject": "rejected", "close": "closed",
}  # fmt: skip
_log = Logger()


class Reviews:
    """Decides cases, and publishes approved messages."""

    def __init__(
        self,
        register: CaseRegister,
        policy: Policy,
        audit: Audit,
        time: Time,
        log: IMessageLog,
    ) -> None:
        self._register = register
        self._policy = policy
        self._audit = audit
        self._time = time
        self._entries = log
        self._waits = False
        self.finish_soon()

    def review(self, actor: Actor, room: str, action: Review) -> Deferred[Ack]:
        """
        Decide a case.  Fires once the decision is in force here and recorded, and its message
        published.

        A repeated decision is answered as a duplicate.

        @raise ChatError: at once, if *actor* may not, or the verdict does not fit the case.
        """
        found = self._found(actor, room, action.case)
        _check_verdict(found.case, action.verdict)
        self._audit.check()
        return Deferred.fromCoroutine(self._review(actor, action, found))

    def _found(self, actor: Actor, room: str, known_as: str) -> Found:
        """
        @raise ChatError: there is no such case in a room that *actor* moderates.
        """
        found = self._register.find(known_as)
        if found is None or "moderate" not in self._policy.rights(actor, found.case.room):
            # An actor that moderates nothing learns nothing of cases.
            self._policy.require(actor, room, "moderate")
            raise ChatError(Kind.NOT_FOUND, "There is no case with this id any more.")
        return found

    async def _review(self, actor: Actor, action: Review, found: Found) -> Ack:
        state = _STATES[action.verdict]
        if found.case.state != "open":
            return await self._again(action, found)
        decided = replace(
            found.case,
            state=state,
            verdict_reason=action.reason,
            reviewer=author_of(actor),
            decided=int(self._time.wall()),
        )
        if not await self.decide(found, decided):
            # Another process was first.
            return await self._again(action, self._found(actor, found.case.room, found.id))
        failed: ChatError | None = None
        case = decided
        if state == "approved":
            try:
                case = await self._finished(found.id)
            except ChatError as error:
                failed = error
        await self._audit.record(
            actor,
            Recorded(
                "review",
                seq=case.seq,
                user=case.user,
                case=found.id,
                verdict=action.verdict,
                reason=action.reason or None,
            ),
            case.room,
            found.case.message if state == "rejected" else None,
        )
        if failed is not None:
            raise failed
        return self._ack(action, case)

    async def _again(self, action: Review, found: Found) -> Ack:
        """Answer a decision about a case that is decided already."""
        case = found.case
        if case.state != _STATES[action.verdict]:
            raise ChatError(Kind.TOO_LATE, f"This case was decided before: it is {case.state}.")
        if case.state == "approved":
            case = await self._finished(found.id)
        return self._ack(action, case, duplicate=True)

    def _ack(self, action: Review, case: Case, *, duplicate: bool = False) -> Ack:
        return Ack(
            seq=case.seq,
            time=int(1000 * self._time.wall()),
            nonce=action.nonce,
            duplicate=duplicate,
            case=action.case,
        )

    async def decide(self, found: Found, decided: Case) -> bool:
        """
        Replace an open case by its decided form; return False if it has changed.

        @raise ChatError: as `livechat.interfaces.ISharedMap.put`.
        """
        now = int(self._time.wall())
        if decided.state == "approved":
            return await self._register.change(found, decided, now + HELD_LASTS)
        # The text of a rejected message is kept in the audit alone.
        decided = replace(decided, message="", data="")
        return await self._register.change(found, decided, now + DECIDED_LASTS)

    async def _finished(self, known_as: str) -> Case:
        """
        Publish the message of an approved case, unless that was done.  Return the case.

        @raise ChatError: the message is not stored yet; or it cannot be, and the case is closed.
        """
        found = self._register.find(known_as)
        if found is None:
            raise ChatError(Kind.NOT_FOUND, "There is no case with this id any more.")
        case = found.case
        if case.state != "approved" or case.seq is not None:
            return case
        try:
            message = await answer_of(self._entries.publish, _draft(found))
        except ChatError as error:
            if not error.kind.retry:
                await self._end(found, replace(case, state="closed"))
                raise
            raise ChatError(
                Kind.UNKNOWN, "This is approved, and will be said once messages can be stored."
            ) from None
        said = replace(case, seq=message.seq)
        await self._end(found, said)
        return said

    async def _end(self, found: Found, case: Case) -> None:
        """End an approved case: its message was published, or cannot be."""
        until = int(self._time.wall()) + DECIDED_LASTS
        try:
            await self._register.change(found, replace(case, message="", data=""), until)
        except ChatError as error:
            # Another attempt follows, and the message is not stored twice.
            _log.warn("A case could not be ended yet: {reason}", reason=error.detail)

    def finish_soon(self) -> None:
        """Publish approved messages soon.  No-op if there are none."""
        if not self._waits and self._register.has_unfinished():
            self._waits = True
            self._time.callLater(FINISH_EVERY, self._finish)

    def _finish(self) -> None:
        Deferred.fromCoroutine(self._finish_all()).addErrback(_broken).addBoth(self._done)

    def _done(self, _: object) -> None:
        self._waits = False
        self.finish_soon()

    async def _finish_all(self) -> None:
        late = int(self._time.wall()) - FINISH_WITHIN
        for found in list(self._register.unfinished()):
            try:
                if (found.case.decided or 0) < late:
                    await self._open_again(found)
                else:
                    await self._finished(found.id)
            except ChatError as error:
                _log.warn("An approved message is not said yet: {reason}", reason=error.detail)

    async def _open_again(self, found: Found) -> None:
        """Open the case again: nobody knows whether its message was stored."""
        again = replace(found.case, state="open", verdict_reason="", reviewer=None, decided=None)
        await self._register.change(found, again, int(self._time.wall()) + HELD_LASTS)


def _check_verdict(case: Case, verdict: Verdict) -> None:
    if case.kind == "report" and verdict != "close":
        raise ChatError(
            Kind.BAD_MESSAGE,
            "A report can only be closed; retract its message by an act of its own.",
        )
    if case.kind == "held" and verdict == "close":
        raise ChatError(Kind.BAD_MESSAGE, "A message that waits can only be approved or rejected.")


def _draft(found: Found) -> Draft:
    case = found.case
    return Draft(
        case.room,
        case.message,
        case.user,
        # The message's own nonce: a repetition by its sender is no other message.
        case.once or f"case-{found.id}",
        case.owner,
        case.reply_to,
        data_of(case),
    )


def _broken(failure: Failure) -> None:
    _log.failure("Approved messages could not be said.", failure)
