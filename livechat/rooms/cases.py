"""
Cases: messages that wait for a review, and reports of messages.

All processes share them (`livechat.rooms.case_register`), and moderators decide them
(`livechat.rooms.reviews`).  The author of a held message, and a reporter, get the outcome, and
nothing about moderators, other people or other cases.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from secrets import token_hex
from typing import Final

from msgspec import Raw
from msgspec.structs import replace
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat.errors import ChatError, Kind
from livechat.events.announcing import Announcer
from livechat.identity.actor import Actor
from livechat.identity.rights import EVERYWHERE
from livechat.interfaces import IBackend, IReceiver
from livechat.protocol.actions import Complain, Review
from livechat.protocol.messages import Amended, Draft, Message, Repeated, Retracted
from livechat.protocol.moderation import Case, CaseState
from livechat.protocol.v1 import Ack
from livechat.rooms.audit import Audit
from livechat.rooms.case_register import (
    LARGEST_CASE,
    CaseRegister,
    Found,
    cases_map,
    data_of,
    data_text,
    size,
)
from livechat.rooms.policy import Policy
from livechat.rooms.receipts import Receipts
from livechat.rooms.reviews import HELD_LASTS, REPORT_LASTS, Reviews
from livechat.rooms.standing import Standings
from livechat.system.time import Time

#: Bytes of a case's id.
_ID_BYTES: Final = 8
#: Characters kept of a reported message that is too long: each may need six bytes.
_EXCERPT: Final = 1_500
#: Seconds between two attempts to close reports of retracted messages, and how many of these
#: messages are remembered meanwhile.
CLOSE_EVERY: Final = 5.0
MOST_REMAINING: Final = 10_000
#: The owner of cases of unknown actors.
_NOBODY: Final = "nobody"

_log = Logger()


class Cases:
    """
    Opens, shows and closes cases.

    @ivar changes: how often a case was opened or changed, at any process.
    @ivar announcer: told of cases that are opened; None: nobody is.
    """

    def __init__(
        self,
        backend: IBackend,
        policy: Policy,
        audit: Audit,
        standings: Standings,
        time: Time,
    ) -> None:
        self.changes = 0
        self.announcer: Announcer | None = None
        self._messages = backend.messages
        self._policy = policy
        self._time = time
        self._receipts = Receipts(standings)
        self._register = CaseRegister(cases_map(backend), self._changed)
        self._reviews = Reviews(self._register, policy, audit, time, backend.messages)
        # Rooms and numbers of messages whose reports could not be closed yet.
        self._remaining: list[tuple[str, int]] = []

    def _changed(self, known_as: str, case: Case) -> None:
        self.changes += 1
        if case.state == "approved" and case.seq is None:
            self._reviews.finish_soon()
        self._receipts.tell(known_as, case)

    def has(self, draft: Draft) -> bool:
        """Tell whether *draft* was held before: its nonce is known."""
        once = draft.nonce
        known_as = None if once is None else _id("held", draft.room, once)
        return known_as is not None and self._register.find(known_as) is not None

    def find(self, known_as: str) -> Case | None:
        """Find a case by its id, open or not; None if it is not kept any more."""
        found = self._register.find(known_as)
        return None if found is None else found.case

    def hold(self, actor: Actor, draft: Draft, nonce: str | None, receiver: IReceiver) -> None:
        """
        Hold a message for review.  Tells *receiver* that it is ``held`` once it is.

        A known nonce means the same message: still held, or stored meanwhile, which is answered as
        a repetition. Refused with ``overloaded`` if too many wait, with ``message_too_long``, or as
        `livechat.interfaces.ISharedMap.put`.

        @param nonce: as the client gave it.
        """
        holding = Deferred.fromCoroutine(self._hold(actor, draft, nonce))
        holding.addCallbacks(
            receiver.stored, lambda failure: receiver.not_stored(failure.value)
        ).addErrback(_not_told)

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
                data_text(draft.data),
                draft.reply_to,
                nonce,
                once,
            )
            until = int(self._time.wall()) + HELD_LASTS
            if await self._register.add(known_as, case, until):
                await self._announce("held", known_as, case)
                raise _held(known_as)
            found = self._register.find(known_as)
            if found is None:
                raise ChatError(Kind.UNAVAILABLE, "The message could not be kept; send it again.")
        return await self._held_before(found, draft)

    async def _held_before(self, found: Found, draft: Draft) -> Message:
        """Answer a message that comes a second time."""
        case = found.case
        if case.state in ("rejected", "closed"):
            raise rejected(case)
        if case.seq is not None:
            said = await self._message(case.room, case.seq)
            _check_same(draft, said.message, said.data, said.reply_to)
            return Repeated(
                said.message, said.seq, said.time, said.user, said.reply_to, said.data, said.edited
            )
        _check_same(draft, case.message, data_of(case), case.reply_to)
        raise _held(found.id)

    def report(self, actor: Actor, room: str, action: Complain) -> Deferred[Ack]:
        """
        Report a message to the moderators of *room*.  Fires once the case is stored.

        A second report of the same message is answered as a duplicate. Fails with ``not_found``, or
        as `hold`.

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
                data_text(message.data),
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
            if opened:
                await self._announce("reported", known_as, case)
        await self._check_kept(known_as, room, action.ref)
        return Ack(time=self._now(), nonce=action.nonce, duplicate=not opened, case=known_as)

    async def _announce(self, kind: str, known_as: str, case: Case) -> None:
        if self.announcer is not None:
            await self.announcer.case(kind, case.room, known_as, case.user)

    async def _message(self, room: str, ref: int) -> Message:
        page = await self._messages.read(room, ref - 1, 1)
        found = page.entries[0] if page.entries else None
        if not isinstance(found, Message) or found.seq != ref:
            raise ChatError(Kind.NOT_FOUND, "There is no such message any more.")
        return found

    async def _check_kept(self, known_as: str, room: str, ref: int) -> None:
        """Drop the report of a message that was retracted before all processes knew of it."""
        try:
            await self._message(room, ref)
        except ChatError as error:
            found = self._register.find(known_as)
            if found is not None and error.kind is Kind.NOT_FOUND:
                await self._close(found)
            raise

    def review(self, actor: Actor, room: str, action: Review) -> Deferred[Ack]:
        """Call `livechat.rooms.reviews.Reviews.review`."""
        return self._reviews.review(actor, room, action)

    def listed(self, actor: Actor, room: str | None = None) -> list[tuple[str, Case]]:
        """
        The open cases of *room*, or of all rooms, the oldest first.

        @raise ChatError: the actor may not see them.
        """
        self._policy.require(actor, EVERYWHERE if room is None else room, "moderate")
        return _by_age(each for each in self._register.open() if room in (None, each.case.room))

    def moderated(self, actor: Actor) -> list[tuple[str, Case]]:
        """The open cases of all rooms that *actor* moderates, the oldest first."""
        return _by_age(
            each
            for each in self._register.open()
            if "moderate" in self._policy.rights(actor, each.case.room)
        )

    async def close_about(self, subject: str, room: str | None = None) -> int:
        """
        Reject the held messages of *subject*, and close reports of its messages, in *room* or in
        all rooms.  Returns the number of cases.

        @raise ChatError: as `livechat.interfaces.ISharedMap.put`; some may be closed.
        """
        await self._register.catch_up()
        found = list(self._register.of_author(subject))
        return await self._close_all(each for each in found if room in (None, each.case.room))

    def concerning(self, subject: str) -> list[Found]:
        """The cases that involve *subject*."""
        return self._register.concerning(subject)

    async def forget(self, subject: str) -> None:
        """
        Close the cases that involve *subject*, and remove them.

        @raise ChatError: as `livechat.interfaces.ISharedMap.put`; some may be done.
        """
        await self._register.catch_up()
        found = self._register.concerning(subject)
        await self._close_all(each for each in found if each.case.state == "open")
        for each in found:
            await self._register.drop(each.id)

    async def close_refs(self, room: str, refs: Iterable[int]) -> int:
        """
        Close the reports of messages of *room*, from every process.  Returns their number; fails
        like `close_about`.
        """
        await self._register.catch_up()
        return await self._close_all(
            [each for ref in refs for each in self._register.of_message(room, ref)]
        )

    def retracted(self, amended: Amended, room: str) -> Deferred[Amended]:
        """
        Close the reports of retracted messages, so that their texts are nowhere.  Fires with
        *amended* once that is done; a failure is tried again.
        """
        return Deferred.fromCoroutine(self._retracted(amended, room))

    async def _retracted(self, amended: Amended, room: str) -> Amended:
        if isinstance(amended.event, Retracted):
            try:
                await self.close_refs(room, amended.event.refs)
            except ChatError as error:
                _log.warn("Reports of retracted messages remain: {reason}", reason=error.detail)
                self._close_later(room, amended.event.refs)
        return amended

    def _close_later(self, room: str, refs: Iterable[int]) -> None:
        if not self._remaining:
            self._time.callLater(CLOSE_EVERY, self._close_remaining)
        self._remaining += [(room, ref) for ref in refs]
        # Entries read last are the newest.
        del self._remaining[:-MOST_REMAINING]

    def _close_remaining(self) -> None:
        remaining, self._remaining = self._remaining, []
        for room in {each for each, _ in remaining}:
            refs = tuple(ref for each, ref in remaining if each == room)
            self.retracted(Amended(Retracted(0, 0, refs, "author")), room).addErrback(_broken)

    async def _close_all(self, cases: Iterable[Found]) -> int:
        closing = [Deferred.fromCoroutine(self._close(each)) for each in cases]
        ended = await DeferredList(closing, consumeErrors=True)
        for _, result in ended:
            if isinstance(result, Failure):
                result.raiseException()
        return sum(result is True for _, result in ended)

    async def _close(self, found: Found) -> bool:
        state: CaseState = "rejected" if found.case.kind == "held" else "closed"
        decided = replace(found.case, state=state, decided=int(self._time.wall()))
        return await self._reviews.decide(found, decided)

    def _now(self) -> int:
        return int(1000 * self._time.wall())


def owner_of(actor: Actor) -> str:
    """The owner of *actor*'s cases.  A guest can change its key at once, but not its address."""
    user = actor.user
    if user is not None and user.verified:
        return user.subject
    return actor.source.mark or (_NOBODY if user is None else user.subject)


def rejected(case: Case) -> ChatError:
    """The refusal of a message that was rejected."""
    reason = case.verdict_reason
    detail = f"This message was rejected: {reason}" if reason else "This message was rejected."
    return ChatError(Kind.REJECTED, detail, reason=reason)


def _check_same(draft: Draft, text: str, data: Raw | None, reply_to: int | None) -> None:
    """
    @raise ChatError: *draft* is another message.
    """
    if (draft.message, draft.data, draft.reply_to) != (text, data, reply_to):
        raise ChatError(Kind.NONCE_REUSED, "The nonce was used for another message.")


def _by_age(cases: Iterable[Found]) -> list[tuple[str, Case]]:
    return [(each.id, each.case) for each in sorted(cases, key=lambda one: (one.case.time, one.id))]


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


def _not_told(failure: Failure) -> None:
    _log.failure("A sender could not be told what became of its message.", failure)


def _broken(failure: Failure) -> None:
    _log.failure("Reports of retracted messages could not be closed.", failure)
