"""
The audit: a record of what operators did, in an internal room.

An act is done first, then recorded, and answered only after that.  A killed process may leave an
act without a record, but no answer without one.  A record that cannot be stored at once waits in
memory, and is tried again until it is stored; its act is answered as ``unknown``
(`livechat.events.recording`).  The event of an act, which receivers are told of, is stored in the
same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from secrets import token_hex

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from livechat.events.announcing import Announcer
from livechat.events.recording import Recorder, not_recorded
from livechat.identity.actor import Actor
from livechat.identity.rights import EVERYWHERE
from livechat.interfaces import IMessageLog, ISink
from livechat.protocol.audit import Action, AuditRecord, Author, record_to_text
from livechat.protocol.messages import Amended, Draft
from livechat.protocol.names import AUDIT_ROOM
from livechat.rooms.answers import answer_of
from livechat.rooms.history import History, Window
from livechat.rooms.hub import Hub
from livechat.rooms.policy import Policy


class Audit:
    """
    Records acts, and shows the records to operators.

    @ivar announcer: makes the events of acts; None: nobody is told of them.
    """

    def __init__(self, log: IMessageLog, hub: Hub, policy: Policy, clock: IReactorTime) -> None:
        self._entries = log
        self._hub = hub
        self._policy = policy
        self._recorder = Recorder(lambda draft: answer_of(log.publish, draft), clock)
        self.announcer: Announcer | None = None

    def check(self) -> None:
        """
        Refuse an act that could not be recorded.

        @raise ChatError: too many records wait.
        """
        self._recorder.check()

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
        """Record like `record`, for an act that *author* began a while ago."""
        await self._record([AuditRecord(action, author, room)])

    def removed(self, amended: Amended, actor: Actor, room: str) -> Deferred[Amended]:
        """
        Record the messages that *actor* removed: the text of another's, and that an operator
        retracted its own.  Fires with *amended* once that is stored; fails as `record`.
        """
        return Deferred.fromCoroutine(self._removed(amended, actor, room))

    async def _removed(self, amended: Amended, actor: Actor, room: str) -> Amended:
        if amended.repeated and self._recorder.waits:
            # The actor's own records may be among these.
            raise not_recorded()
        await self._record(_removals(amended, author_of(actor), room), actor.source.key)
        return amended

    async def removed_by(self, author: Author, amended: Amended, room: str) -> None:
        """Record like `removed`, for an act that *author* began a while ago."""
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
        Show *watcher* each record that is made after this returns.

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
        await self._recorder.store(list(self._drafts(records, sender)))

    def _drafts(self, records: Iterable[AuditRecord], sender: str) -> Iterator[Draft]:
        for record in records:
            # With a nonce, a record that may have been stored can be tried again.
            yield Draft(AUDIT_ROOM, record_to_text(record), None, token_hex(8), sender)
            event = None if self.announcer is None else self.announcer.act(record)
            if event is not None:
                yield event


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
