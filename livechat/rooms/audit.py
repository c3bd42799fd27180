"""
The audit: a record of what operators did, in an internal room.

An act is done first, then recorded, and answered only after that.  A killed process may leave an
act without a record, but no answer without one.  A record that cannot be stored at once waits in
memory, and is tried again until it is stored; its act is answered as ``unknown``.  While
`MOST_WAITING` records wait, `check` refuses acts, so that no removed text is lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from secrets import token_hex
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.identity.rights import EVERYWHERE
from livechat.interfaces import IMessageLog, ISink
from livechat.protocol.audit import Action, AuditRecord, Author, record_to_text
from livechat.protocol.messages import Amended, Draft, Message
from livechat.protocol.names import AUDIT_ROOM
from livechat.rooms.answers import answer_of
from livechat.rooms.history import History, Window
from livechat.rooms.hub import Hub
from livechat.rooms.policy import Policy

#: Records that wait in memory, beyond which acts are refused; one act may add
#: `livechat.protocol.messages.MOST_REFS`.
MOST_WAITING: Final = 200
#: Seconds between two attempts to store what waits.
RETRY_EVERY: Final = 5.0

_log = Logger()


class Audit:
    """Records acts, and shows the records to operators."""

    def __init__(self, log: IMessageLog, hub: Hub, policy: Policy, clock: IReactorTime) -> None:
        self._entries = log
        self._hub = hub
        self._policy = policy
        self._clock = clock
        self._waiting: deque[Draft] = deque()
        self._retrying = False

    def check(self) -> None:
        """
        Refuse an act that could not be recorded.

        @raise ChatError: too many records wait.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise ChatError(Kind.UNAVAILABLE, "Nothing was done: acts cannot be recorded just now.")

    async def record(
        self, actor: Actor, action: Action, room: str | None = None, text: str | None = None
    ) -> None:
        """
        Record that *actor* did *action*.  Returns once that is stored.

        @param text: the text that was removed.
        @raise ChatError: it is not stored yet, but waits.
        """
        record = AuditRecord(action, author_of(actor), room, text)
        await self._record([record], actor.source.key)

    async def record_by(self, author: Author, action: Action, room: str) -> None:
        """As `record`, of an act that *author* began a while ago."""
        await self._record([AuditRecord(action, author, room)])

    def removed(self, amended: Amended, actor: Actor, room: str) -> Deferred[Amended]:
        """
        Record the messages that *actor* removed: the text of another's, and that an operator
        took back its own.  Fires with *amended* once that is stored; fails as `record`.
        """
        return Deferred.fromCoroutine(self._removed(amended, actor, room))

    async def _removed(self, amended: Amended, actor: Actor, room: str) -> Amended:
        if amended.repeated and self._waiting:
            # Its records may be among these.
            raise _not_recorded()
        await self._record(_removals(amended, author_of(actor), room), actor.source.key)
        return amended

    async def removed_by(self, author: Author, amended: Amended, room: str) -> None:
        """As `removed`, of an act that *author* began a while ago."""
        await self._record(_removals(amended, author, room))

    async def history(self, actor: Actor, window: Window) -> History:
        """
        Read a part of the records.

        @raise ChatError: the actor may not, or the backend cannot.
        """
        self._policy.require(actor, EVERYWHERE, "moderate")
        return await History.of(self._entries, AUDIT_ROOM, window)

    async def watch(self, actor: Actor, watcher: ISink) -> None:
        """
        Show *watcher* what is recorded from when this returns.

        @raise ChatError: the actor may not, or the backend cannot deliver; it does not watch.
        """
        self._policy.require(actor, EVERYWHERE, "moderate")
        self._hub.watch(AUDIT_ROOM, watcher)
        try:
            await self._entries.subscribe(AUDIT_ROOM)
        except BaseException:
            self.unwatch(watcher)
            raise

    def unwatch(self, watcher: ISink) -> None:
        """Show *watcher* no more.  No-op if it does not watch."""
        if self._hub.unwatch(AUDIT_ROOM, watcher):
            self._entries.unsubscribe(AUDIT_ROOM)

    async def _record(self, records: Iterable[AuditRecord], sender: str = "") -> None:
        drafts = [
            # With a nonce, a record that may have been stored can be tried again.
            Draft(AUDIT_ROOM, record_to_text(record), None, token_hex(8), sender)
            for record in records
        ]
        # All at once: they are stored in one group, whatever is between this and the answer.
        answers = [(draft, answer_of(self._entries.publish, draft)) for draft in drafts]
        failed = [draft for draft, answer in answers if not await _stored(answer)]
        if failed:
            self._waiting += failed
            _log.error(
                "{count} acts cannot be recorded in the audit yet; it is tried again.",
                count=len(failed),
            )
            self._retry_soon()
            raise _not_recorded()

    def _retry_soon(self) -> None:
        if not self._retrying:
            self._retrying = True
            self._clock.callLater(
                RETRY_EVERY, lambda: Deferred.fromCoroutine(self._retry()).addErrback(_broken)
            )

    async def _retry(self) -> None:
        """Store what waits, the oldest first, as far as that goes."""
        try:
            while self._waiting:
                if not await _stored(answer_of(self._entries.publish, self._waiting[0])):
                    return
                self._waiting.popleft()
            _log.info("All acts are recorded in the audit now.")
        finally:
            self._retrying = False
            if self._waiting:
                self._retry_soon()


async def _stored(answer: Deferred[Message]) -> bool:
    try:
        await answer
    except ChatError:
        return False
    return True


def _broken(failure: Failure) -> None:
    _log.failure("The audit could not be written.", failure)


def _not_recorded() -> ChatError:
    return ChatError(Kind.UNKNOWN, "This was done, but could not be recorded yet.")


def author_of(actor: Actor) -> Author:
    """*actor*, as the author of an act."""
    return Author(actor.kind, actor.user, actor.name)


def _removals(amended: Amended, author: Author, room: str) -> Iterable[AuditRecord]:
    own = None if author.user is None else author.user.subject
    for message in amended.before:
        action = Action("retract", ref=message.seq, user=message.user)
        if message.user is None or message.user.subject != own:
            yield AuditRecord(action, author, room, message.message)
        elif author.kind == "operator":
            yield AuditRecord(action, author, room)
