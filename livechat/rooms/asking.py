"""
Asks the site about messages and edits, before they are stored.

The site's answers come in any order.  Answers about one sender's acts in a room wait in a *line*,
and take effect in the order of the acts.  No sender waits for an answer about another's.

An answer takes a while, so everything that may have changed is checked again after it: the sender's
lease, rights and restrictions, and the room's words, links and holds.  These apply to the text as
the site may have rewritten it.  The act goes on although its sender may have left.

A repetition of an act, with its nonce, is not asked about again: the first answer counts, or the
pending one.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.identity.leases import Leases
from livechat.identity.local_key import LOCAL
from livechat.identity.site import Site, owner_of
from livechat.interfaces import IBackend, IReceiver
from livechat.protocol.asking import HOLD, Question, Ruling
from livechat.protocol.messages import Draft, Edit
from livechat.rooms.cases import Cases
from livechat.rooms.checks import check_seen, check_text
from livechat.rooms.rules import Rules
from livechat.system.time import Time

#: Seconds for which the answer about an act with a nonce is remembered, as long as stores remember
#: nonces; and how many answers are.
REMEMBERED_FOR: Final = 600.0
MOST_REMEMBERED: Final = 10_000
_DIGEST: Final = 16

_log = Logger()


class Act(Struct, eq=False):
    """
    A message or an edit that the site is asked about.

    @ivar draft: as its sender wants it, checked.
    @ivar edit: the edit, if it is one.
    @ivar nonce: as the sender gave it.
    @ivar result: the answer, or why there is none; None: it has not come yet.
    """

    actor: Actor
    draft: Draft
    receiver: IReceiver
    nonce: str | None = None
    edit: Edit | None = None
    result: Ruling | Failure | None = None

    @property
    def line(self) -> tuple[str, str] | None:
        """The key of acts that keep their order; None for an act on its own."""
        user = self.actor.user
        name = self.actor.scope if user is None else user.subject
        return (self.draft.room, name) if name else None


class Asking:
    """Asks about acts, and does those that the site accepts."""

    def __init__(
        self,
        site: Site,
        rules: Rules,
        cases: Cases,
        leases: Leases,
        *,
        backend: IBackend,
        time: Time,
        max_message: int,
    ) -> None:
        """
        @param max_message: bytes of UTF-8 in a message.
        """
        self._site = site
        self._policy = rules.policy
        self._leases = leases
        self._cases = cases
        self._entries = backend.messages
        self._max_message = max_message
        self._answers = Answers(time)
        self._lines: dict[tuple[str, str], deque[Act]] = {}

    def concerns(self, actor: Actor) -> bool:
        """
        Tell whether the site is asked about *actor*'s messages.  Operators and the local key are
        exempt: they may have to report that the site is down.
        """
        lease = actor.lease
        return actor.kind != "operator" and (lease is None or lease.key != LOCAL)

    def take(self, act: Act) -> None:
        """
        Ask about *act*, and give its receiver the result.

        @raise ChatError: at once: ``overloaded``; ``nonce_reused``.
        """
        answer = self._answer(act)
        name = act.line
        if name is not None:
            self._lines.setdefault(name, deque()).append(act)
        answer.addBoth(self._answered, act, name)

    def edit(self, actor: Actor, draft: Draft, edit: Edit, receiver: IReceiver) -> None:
        """Take an edit like `take` a message; *draft* has its text."""
        self.take(Act(actor, draft, receiver, edit=edit))

    def _answer(self, act: Act) -> Deferred[Ruling]:
        draft = act.draft
        if draft.nonce is None:
            return self._ask(act, None)
        digest = _digest(act)
        known = self._answers.find(draft.room, draft.nonce, digest)
        if known is not None:
            return known
        if act.edit is None and self._cases.has(draft):
            return succeed(HOLD)
        # The same at all processes, so that a site can recognize a repetition.
        asked = self._ask(act, f"ask_{blake2b(digest, digest_size=12).hexdigest()}")
        return self._answers.expect(draft.room, draft.nonce, digest, asked)

    def _ask(self, act: Act, known_as: str | None) -> Deferred[Ruling]:
        draft, actor = act.draft, act.actor
        question = Question(
            "send",
            draft.room,
            actor.kind,
            actor.user,
            draft.message,
            None if act.edit is None else act.edit.ref,
            draft.reply_to,
            draft.data,
        )
        return self._site.ask("send", question, owner_of(actor), known_as=known_as)

    def _answered(self, result: Ruling | Failure, act: Act, name: tuple[str, str] | None) -> None:
        act.result = result
        if name is None:
            self._settle(act)
            return
        line = self._lines[name]
        while line and line[0].result is not None:
            self._settle(line.popleft())
        if not line:
            self._lines.pop(name, None)

    def _settle(self, act: Act) -> None:
        reason: Exception
        try:
            self._do(act)
            return
        except ChatError as error:
            # Its traceback would hold the frames and the act that hold it.  A hundred refusals a
            # second of such garbage make Python look for it every few seconds, for 0.1 s.
            reason = error.with_traceback(None)
        except Exception as bug:  # noqa: BLE001 - the acts behind it must go on
            _log.failure("An act that the site was asked about met a bug.")
            reason = bug
        try:
            act.receiver.not_stored(reason)
        except Exception:  # noqa: BLE001 - as above
            _log.failure("A sender could not be told what became of its message.")

    def _do(self, act: Act) -> None:
        """
        Do *act* as the site has answered, if it is still allowed.

        @raise ChatError: it may not.
        """
        ruling = act.result
        assert ruling is not None
        if isinstance(ruling, Failure):
            ruling.raiseException()
        if ruling.verdict == "reject":
            raise _rejected(ruling)
        if act.actor.lease is not None:
            self._leases.check(act.actor)
        # A request's actor is not told of restrictions that are made while it waits.
        self._policy.forget(act.actor, act.draft.room)
        draft = self._rewritten(act.draft, ruling)
        if act.edit is not None:
            self._amend(act, act.edit, draft, ruling)
            return
        self._policy.send(act.actor, draft)
        if self._policy.waits(act.actor, draft) or ruling.verdict == "hold":
            self._cases.hold(act.actor, draft, act.nonce, act.receiver)
        else:
            self._entries.publish(self._policy.paced(act.actor, draft), act.receiver)

    def _amend(self, act: Act, edit: Edit, draft: Draft, ruling: Ruling) -> None:
        self._policy.edit(act.actor, draft)
        if ruling.verdict == "hold":
            raise ChatError(
                Kind.FORBIDDEN,
                "This edit would have to wait for a review: send it as a new message.",
            )
        changed = replace(edit, message=draft.message, original=draft.original)
        self._entries.amend(changed, act.receiver)

    def _rewritten(self, draft: Draft, ruling: Ruling) -> Draft:
        """
        Give *draft* the site's text, if there is one.

        @raise ChatError: that cannot be said.
        """
        if ruling.message is None or ruling.message == draft.message:
            return draft
        try:
            check_text(ruling.message, self._max_message)
            check_seen(ruling.message)
        except ChatError as error:
            # A bad text does not count as the site's failure: any sender could cause five in a row.
            raise ChatError(
                Kind.REJECTED,
                f"The site has rewritten this, and its text cannot be said: {error.detail}",
            ) from None
        return replace(draft, message=ruling.message, original=draft.message)


class _Known:
    """
    An answer about an act with a nonce.

    @ivar ruling: None until it has come.
    @ivar waiting: fired with it, for repetitions of the act.
    """

    __slots__ = ("digest", "forgotten", "ruling", "waiting")

    def __init__(self, digest: bytes, forgotten: float) -> None:
        self.digest = digest
        self.forgotten = forgotten
        self.ruling: Ruling | None = None
        self.waiting: list[Deferred[Ruling]] = []


class Answers:
    """The answers about acts with nonces, so that none is asked about twice."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def find(self, room: str, nonce: str, digest: bytes) -> Deferred[Ruling] | None:
        """
        The answer about an act that has this nonce; None if there is none.

        @raise ChatError: ``nonce_reused``: that was about another act.
        """
        known = self._known.get((room, nonce))
        if known is None or known.forgotten < self._time.seconds():
            return None
        if known.digest != digest:
            raise ChatError(Kind.NONCE_REUSED, "The nonce was used for another message.")
        if known.ruling is not None:
            return succeed(known.ruling)
        answer: Deferred[Ruling] = Deferred()
        known.waiting.append(answer)
        return answer

    def expect(
        self, room: str, nonce: str, digest: bytes, asked: Deferred[Ruling]
    ) -> Deferred[Ruling]:
        """Remember the answer *asked* once it comes, and return it."""
        now = self._time.seconds()
        while self._known:
            _, oldest = next(iter(self._known.items()))
            if oldest.forgotten >= now and len(self._known) < MOST_REMEMBERED:
                break
            self._known.popitem(last=False)
        key = (room, nonce)
        known = self._known[key] = _Known(digest, now + REMEMBERED_FOR)
        self._known.move_to_end(key)
        return asked.addBoth(self._came, key, known)

    def _came(
        self, result: Ruling | Failure, key: tuple[str, str], known: _Known
    ) -> Ruling | Failure:
        waiting, known.waiting = known.waiting, []
        if isinstance(result, Ruling):
            known.ruling = result
        elif self._known.get(key) is known:
            # Without a decision, a repetition is asked about again.
            del self._known[key]
        for each in waiting:
            each.callback(result)
        return result


def _digest(act: Act) -> bytes:
    draft = act.draft
    ref = None if act.edit is None else act.edit.ref
    said = draft.room, draft.nonce, draft.message, draft.reply_to, draft.data, ref
    return blake2b(msgspec.json.encode(said), digest_size=_DIGEST).digest()


def _rejected(ruling: Ruling) -> ChatError:
    reason = ruling.reason
    detail = f"This message was rejected: {reason}" if reason else "This message was rejected."
    return ChatError(Kind.REJECTED, detail, reason=reason)
