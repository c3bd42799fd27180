"""
Cases: messages that wait for a review, and reports of messages.

All processes share them (`livechat.rooms.case_register`), and those that moderate decide them
(`livechat.rooms.reviews`).  The author of a message that waits, and a reporter, are told what
becomes of it; nothing of moderators, of other people or of other cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b
from secrets import token_hex
from typing import Final

from msgspec.structs import replace
from twisted.internet.defer import Deferred

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.identity.rights import EVERYWHERE
from livechat.interfaces import IMessageLog, ISharedMap
from livechat.protocol.actions import Complain, Review
from livechat.protocol.messages import Draft, Message
from livechat.protocol.moderation import Case
from livechat.protocol.v1 import Ack, CaseChanged
from livechat.rooms.audit import Audit
from livechat.rooms.case_register import LARGEST_CASE, CaseRegister, Found, size
from livechat.rooms.policy import Policy
from livechat.rooms.reviews import HELD_LASTS, REPORT_LASTS, Reviews
from livechat.system.time import Time

#: Bytes of an id.
_ID_BYTES: Final = 8
#: Characters that are kept of a reported message that is too long: each may need six bytes.
_EXCERPT: Final = 1_500
#: Owns the cases of actors of whom nothing is known.
_NOBODY: Final = "nobody"


class Cases:
    """Opens, shows and closes cases."""

    def __init__(
        self,
        shared: ISharedMap,
        log: IMessageLog,
        policy: Policy,
        audit: Audit,
        time: Time,
        *,
        publish: Callable[[Draft], Deferred[Message]],
        changed: Callable[[str, Case, Case | None], None],
    ) -> None:
        """
        @param shared: `livechat.rooms.case_register.cases_map`.
        @param log: where messages are that are reported.
        @param publish: stores and delivers a message that was approved.
        @param changed: told of a case that was opened or changed at any process: its id, the case,
            and the one before without its message.  May be called several times for one change.
        """
        self._messages = log
        self._policy = policy
        self._time = time
        self._publish = publish
        self._told = changed
        self._register = CaseRegister(shared, self._changed)
        self._reviews = Reviews(self._register, policy, audit, time, publish)

    def _changed(self, known_as: str, case: Case, before: Case | None) -> None:
        if case.state == "approved" and case.seq is None:
            self._reviews.finish_soon()
        self._told(known_as, case, before)

    def hold(self, actor: Actor, draft: Draft, nonce: str | None = None) -> Deferred[Message]:
        """
        Let a message wait for a review.  Fails with ``held`` once it does.

        A message whose nonce is known is the one that waits already; one that was said meanwhile
        is answered as a repetition.  Fails with ``overloaded`` if too many wait, with
        ``message_too_long``, or as `livechat.interfaces.ISharedMap.put`.

        @param nonce: as the client gave it.
        """
        return Deferred.fromCoroutine(self._hold(actor, draft, nonce))

    async def _hold(self, actor: Actor, draft: Draft, nonce: str | None) -> Message:
        once = draft.nonce
        known_as = token_hex(_ID_BYTES) if once is None else _id("held", draft.room, once)
        found = self._register.find(known_as)
        if found is None:
            case = Case(
                "held",
                "open",
                draft.room,
                self._now(),
                draft.user,
                draft.message,
                owner_of(actor),
                draft.data,
                draft.reply_to,
                nonce,
                once,
            )
            until = int(self._time.wall()) + HELD_LASTS
            if await self._register.add(known_as, case, until):
                raise _held(known_as)
            found = self._register.find(known_as)
            if found is None:
                raise ChatError(Kind.UNAVAILABLE, "The message could not be kept; send it again.")
        return await self._held_before(found, draft)

    async def _held_before(self, found: Found, draft: Draft) -> Message:
        """Answer a message that comes a second time."""
        case = found.case
        if case.state == "approved" and case.seq is not None:
            return await self._publish(draft)
        if case.state in ("rejected", "closed"):
            raise rejected(case)
        said = case.message, case.data, case.reply_to
        if said != (draft.message, draft.data, draft.reply_to):
            raise ChatError(Kind.NONCE_REUSED, "The nonce was used for another message.")
        raise _held(found.id)

    def report(self, actor: Actor, room: str, action: Complain) -> Deferred[Ack]:
        """
        Report a message to those that moderate *room*.  Fires once that is kept.

        The same one a second time is answered as a duplicate.  Fails with ``not_found``, or as
        `hold`.

        @raise ChatError: at once, if *actor* may not.
        """
        self._policy.require(actor, room, "join")
        return Deferred.fromCoroutine(self._report(actor, room, action))

    async def _report(self, actor: Actor, room: str, action: Complain) -> Ack:
        message = await self._message(room, action.ref)
        owner = owner_of(actor)
        by = owner if actor.user is None else actor.user.subject
        known_as = _id("report", room, f"{message.seq} {message.time}", by)
        case = _kept(
            Case(
                "report",
                "open",
                room,
                self._now(),
                message.user,
                message.message,
                owner,
                message.data,
                message.reply_to,
                ref=message.seq,
                reporter=actor.user,
                reason=action.reason,
            )
        )
        opened = False
        if self._register.find(known_as) is None:
            until = int(self._time.wall()) + REPORT_LASTS
            opened = await self._register.add(known_as, case, until)
        await self._check_kept(known_as, room, action.ref)
        return Ack(time=self._now(), nonce=action.nonce, duplicate=not opened, case=known_as)

    async def _message(self, room: str, ref: int) -> Message:
        page = await self._messages.read(room, ref - 1, 1)
        found = page.entries[0] if page.entries else None
        if not isinstance(found, Message) or found.seq != ref:
            raise ChatError(Kind.NOT_FOUND, "There is no such message any more.")
        return found

    async def _check_kept(self, known_as: str, room: str, ref: int) -> None:
        """Keep no message that was retracted before all processes knew of its report."""
        try:
            await self._message(room, ref)
        except ChatError as error:
            found = self._register.find(known_as)
            if found is not None and error.kind is Kind.NOT_FOUND:
                await self._close(found)
            raise

    def review(self, actor: Actor, room: str, action: Review) -> Deferred[Ack]:
        """As `livechat.rooms.reviews.Reviews.review`."""
        return self._reviews.review(actor, room, action)

    def listed(self, actor: Actor, room: str | None = None) -> list[tuple[str, Case]]:
        """
        The open cases of *room*, or of all rooms, the oldest first.

        @raise ChatError: the actor may not see them.
        """
        self._policy.require(actor, EVERYWHERE if room is None else room, "moderate")
        found = (each for each in self._register.open() if room in (None, each.case.room))
        return [
            (each.id, each.case) for each in sorted(found, key=lambda one: (one.case.time, one.id))
        ]

    async def close_about(self, subject: str, room: str | None = None) -> int:
        """
        Reject what *subject* said and that waits, and close reports of what it said; in *room*, or
        in all rooms.  Returns how many that were.

        @raise ChatError: as `livechat.interfaces.ISharedMap.put`; some may be closed.
        """
        await self._register.catch_up()
        found = list(self._register.of_author(subject))
        return await self._close_all(each for each in found if room in (None, each.case.room))

    async def close_refs(self, room: str, refs: Iterable[int]) -> int:
        """
        Close the reports of messages that were retracted, at whatever process.  Returns how many
        that were; fails as `close_about`.
        """
        await self._register.catch_up()
        return await self._close_all(
            [each for ref in refs for each in self._register.of_message(room, ref)]
        )

    async def _close_all(self, cases: Iterable[Found]) -> int:
        closing = [Deferred.fromCoroutine(self._close(each)) for each in cases]
        return sum([await each for each in closing])

    async def _close(self, found: Found) -> bool:
        decided = replace(
            found.case,
            state="rejected" if found.case.kind == "held" else "closed",
            decided=int(self._time.wall()),
        )
        return await self._reviews.decide(found, decided)

    def _now(self) -> int:
        return int(1000 * self._time.wall())


def owner_of(actor: Actor) -> str:
    """Whose the cases of *actor* are: a guest has another key at once, an address it has not."""
    user = actor.user
    if user is not None and user.verified:
        return user.subject
    return actor.source.mark or (_NOBODY if user is None else user.subject)


def told_moderators(known_as: str, case: Case) -> CaseChanged:
    """The frame for those that moderate the case's room: all of it but whose it is."""
    is_open = case.state == "open"
    return CaseChanged(
        known_as,
        case.kind,
        case.state,
        seq=case.seq,
        ref=case.ref,
        reason=(case.reason if is_open else case.verdict_reason) or None,
        time=case.time,
        user=case.user,
        message=case.message or None,
        data=case.data,
        reply_to=case.reply_to,
        reporter=case.reporter,
        reviewer=case.reviewer,
    )


def told_author(known_as: str, case: Case) -> CaseChanged | None:
    """The frame for the author of a message that waits; None where there is nothing to tell."""
    if case.kind != "held" or (case.state == "approved" and case.seq is None):
        return None
    return CaseChanged(
        known_as,
        case.kind,
        case.state,
        nonce=case.nonce,
        seq=case.seq,
        reason=case.verdict_reason or None,
    )


def told_reporter(known_as: str, case: Case) -> CaseChanged | None:
    """The frame for the reporter of a message; None where there is nothing to tell."""
    if case.kind != "report":
        return None
    return CaseChanged(
        known_as, case.kind, case.state, ref=case.ref, reason=case.verdict_reason or None
    )


def rejected(case: Case) -> ChatError:
    """The refusal of a message that was rejected."""
    reason = case.verdict_reason
    detail = f"This message was rejected: {reason}" if reason else "This message was rejected."
    return ChatError(Kind.REJECTED, detail, reason=reason)


def _held(known_as: str) -> ChatError:
    return ChatError(Kind.HELD, "This message waits for a review.", case=known_as)


def _kept(case: Case) -> Case:
    """*case*, with as much of its message as there is room for."""
    if size(case) <= LARGEST_CASE:
        return case
    return replace(case, message=f"{case.message[:_EXCERPT]}\u2026")


def _id(*parts: str) -> str:
    """An id that is the same for the same case."""
    return blake2b("\n".join(parts).encode(), digest_size=_ID_BYTES).hexdigest()
