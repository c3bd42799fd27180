"""
The rules: what an actor may join, send and read, and how often.

The backend, the hub, the limits and the policy meet only here.  Sockets, HTTP and pages all call
this module, which refuses an act by a `ChatError` before anything has happened.  An act is checked
in this order: its shape, its rates, the actor's lease, its rights, the policies of extensions, its
words and links; last the site is asked.  The backend checks the authors of edited and retracted
messages, in the step that changes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import get_args

from msgspec import Raw
from twisted.internet.defer import Deferred

from livechat import metrics
from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.identity.leases import Leases
from livechat.identity.rights import Right
from livechat.identity.site import Site
from livechat.interfaces import IBackend, IReceiver, ISink
from livechat.limits.rates import Rate
from livechat.protocol.messages import (
    MOST_REFS,
    Amended,
    Draft,
    Edit,
    Entry,
    Message,
    Place,
    Retraction,
)
from livechat.protocol.names import is_internal
from livechat.protocol.settings import EDIT_WITHIN
from livechat.protocol.v1 import Can, Limits, Present
from livechat.protocol.wire import NO_DATA, checked_data
from livechat.rooms.activity import Activity
from livechat.rooms.answers import answer_of
from livechat.rooms.asking import Act, Asking
from livechat.rooms.audit import Audit
from livechat.rooms.checks import check_text, scoped
from livechat.rooms.directory import Directory
from livechat.rooms.history import HISTORY_PAGE, History, Window
from livechat.rooms.hub import Hub
from livechat.rooms.listeners import Listeners
from livechat.rooms.member import IClient, IMember
from livechat.rooms.oversight import make_oversight
from livechat.rooms.overview import Overview
from livechat.rooms.pace import Pace
from livechat.rooms.presence import Presence
from livechat.rooms.recovery import Replay
from livechat.rooms.rules import Rules
from livechat.rooms.search import Searches
from livechat.system.time import Time


class Chat:
    """
    The rooms, as actors may use them.

    @ivar directory: which rooms and processes there are, for this process itself.
    @ivar overview: the rooms, as actors may see them.
    @ivar presence: the users in the rooms.
    @ivar audit: the record of operators' and moderators' actions.
    @ivar removal: retracts all messages of a person, or of a room.
    @ivar forgetting: forgets people.
    @ivar leases: the ends of actors' credentials.
    @ivar limits, settings: the limits of a client; the settings of rooms.
    @ivar restrictions: rights that were taken from people.
    @ivar standings: the rights of connections, as they change.
    @ivar cases: messages that wait for a review, and reports.
    @ivar moderation: restricts people, and changes settings.
    @ivar renaming: gives guests other names.
    """

    def __init__(
        self,
        backend: IBackend,
        hub: Hub,
        time: Time,
        *,
        max_message: int,
        default_room: str,
        rate: float,
        pace: Pace,
        leases: Leases,
        rules: Rules,
        listeners: Listeners | None = None,
        site: Site | None = None,
    ) -> None:
        """
        @param max_message: bytes of UTF-8 in a message.
        @param rate: messages a second of a connection; 0 is no limit.
        @param site: asked about messages; None: nobody is.
        """
        self._backend, self._entries = backend, backend.messages
        self._hub, self._time, self._policy = hub, time, rules.policy
        self.settings, self.restrictions = rules.settings, rules.restrictions
        self.audit = Audit(backend.messages, hub, self._policy, time)
        self._activity = Activity(time)
        self.directory = Directory(backend, hub, self._activity)
        self.overview = Overview(self.directory, self._policy, rules.settings)
        self._listeners = listeners or Listeners((), time)
        tells_who = lambda room: self.settings.of(room).presence  # noqa: E731
        self.presence = Presence(time, hub, backend.presence, self._listeners, tells_who)
        self.searches = Searches(time)
        self._pace, self.leases = pace, leases
        self.max_message, self.default_room = max_message, default_room
        burst = Rate.of(rate).burst if rate else 0
        self.limits = Limits(max_message, rate, burst, HISTORY_PAGE, EDIT_WITHIN)
        made = make_oversight(
            backend,
            rules,
            hub=hub,
            audit=self.audit,
            presence=self.presence,
            overview=self.overview,
            leases=leases,
            time=time,
        )
        self.standings, self.renaming, self._bulletins = made[:3]
        self.cases, self.removal, self.forgetting, self.moderation = made[3:]
        self._asking = None
        if site is not None and site.asks("send"):
            self._asking = Asking(
                site, rules, self.cases, leases, backend=backend, time=time, max_message=max_message
            )
        self._retain()
        self.settings.watch(self._retain)  # rooms that keep less now, though nobody says anything

    def _retain(self, *_: object) -> None:
        self._entries.retain(self.settings.retained)

    def can(self, actor: Actor, room: str) -> Can:
        """List the rights of *actor* in *room*, as `livechat.identity.rights.Right` orders them."""
        found = self._policy.rights(actor, room)
        return tuple(each for each in get_args(Right) if each in found)

    def require(self, actor: Actor, room: str, right: Right) -> None:
        """
        Refuse an actor that lacks *right* in *room*.

        @raise ChatError: it does.
        """
        self._policy.require(actor, room, right)

    def now(self) -> int:
        """The time in milliseconds since 1970, UTC."""
        return int(1000 * self._time.wall())

    async def join(self, actor: Actor, room: str, member: IMember, *, reads: bool = False) -> None:
        """
        Add *member* to *room*.  Once this returns, it gets every message.

        @param actor: a member's, which has a user (`livechat.identity.door.Door.member`).
        @param reads: nothing until it has gone live, and everything from there on.
        @raise ChatError: the actor may not, or the backend cannot deliver it; *member* is out.
        """
        self._policy.join(actor, room)
        self.restrictions.saw(actor)
        self._hub.join(room, member, reads=reads)
        try:
            await self._entries.subscribe(room)
            self.presence.enter(room, actor)
        except BaseException:
            self._take_out(room, member)
            raise

    def leave(self, actor: Actor, room: str, member: IMember) -> None:
        """Take *member*, which has joined, out of *room*."""
        self._take_out(room, member)
        self.restrictions.saw(actor)
        self.presence.leave(room, actor)

    def _take_out(self, room: str, member: IMember) -> None:
        if self._hub.leave(room, member):
            self._entries.unsubscribe(room)

    async def place(self, actor: Actor, room: str) -> Place:
        """
        The place of *room*: later messages come behind it.

        @raise ChatError: the actor may not be there, or the backend cannot read.
        """
        self._policy.require(actor, room, "join")
        known = self._hub.known(room)
        if known is None:
            position = (await self._entries.read(room, 0, 0)).position
            known = self._hub.found(room, Place(position.epoch, position.seq))
        return known

    def go_live(self, room: str, member: IMember, place: Place) -> None:
        """Deliver to *member* the entries after *place*, the room's present one."""
        self._hub.go_live(room, member, place)

    def replay(self, actor: Actor, room: str, client: IClient) -> Replay:
        """
        Return a way for *client*, a member of *room*, to read missed entries.

        @raise ChatError: the actor may not read.
        """
        self._policy.read(actor, room)
        return Replay(self._backend, self._hub, self._time, room, client)

    def who(self, actor: Actor, room: str) -> Present:
        """
        The users in *room*.

        @raise ChatError: the actor may not be there.
        """
        self._policy.require(actor, room, "join")
        return self.presence.who(room, hidden="moderate" in self._policy.rights(actor, room))

    def types(self, actor: Actor, room: str) -> bool:
        """
        Pass on that *actor*, a member of *room*, writes something.

        @return: whether it was time for that.
        @raise ChatError: the actor may not send.
        """
        self._policy.require(actor, room, "send")
        return self.presence.types(room, actor)

    async def watch(self, actor: Actor, room: str, watcher: ISink) -> None:
        """
        Deliver to *watcher* the entries of *room* that are stored after this returns.  It is no
        member.

        @raise ChatError: the actor may not, or the backend cannot deliver the room.
        """
        self._policy.join(actor, room)
        self._hub.watch(room, watcher)
        try:
            await self._entries.subscribe(room)
        except BaseException:
            self.unwatch(room, watcher)
            raise

    def unwatch(self, room: str, watcher: ISink) -> None:
        """Stop delivering to *watcher*.  No-op if it does not watch."""
        if self._hub.unwatch(room, watcher):
            self._entries.unsubscribe(room)
            self.presence.closed(room)

    def say(
        self,
        actor: Actor,
        room: str,
        text: str,
        receiver: IReceiver,
        *,
        nonce: str | None = None,
        reply_to: int | None = None,
        data: Raw = NO_DATA,
    ) -> None:
        """
        Send *text* to *room*.  Calls *receiver* once it is stored and delivered, or with the reason
        why not, such as ``held``.

        The messages of one connection are stored in the order of the calls.

        @param nonce: the same one from the same user in the same room is the same act
            (`livechat.interfaces.IMessageLog.publish`).
        @param reply_to: the number of the entry that it answers, which is not looked for.
        @param data: as it came; checked here.
        @raise ChatError: at once, if it may not be sent.
        """
        check_text(text, self.max_message)
        kept = checked_data(data)
        self.admit(actor)
        once = None if nonce is None else scoped(actor, nonce)
        draft = Draft(room, text, actor.user, once, actor.source.key, reply_to, kept)
        self._policy.send(actor, draft)
        if actor.connection is None:
            self.restrictions.saw(actor)
        if self._policy.waits(actor, draft):
            self.cases.hold(actor, draft, nonce, receiver)
        elif self._asking is not None and self._asking.concerns(actor):
            self._asking.take(Act(actor, draft, receiver, nonce))
        else:
            self._entries.publish(self._policy.paced(actor, draft), receiver)

    def send(
        self,
        actor: Actor,
        room: str,
        text: str,
        *,
        nonce: str | None = None,
        reply_to: int | None = None,
        data: Raw = NO_DATA,
    ) -> Deferred[Message]:
        """Send like `say`, for callers that await it: fires with the message, or fails."""
        say = partial(self.say, nonce=nonce, reply_to=reply_to, data=data)
        return answer_of(say, actor, room, text)

    def edit(
        self,
        actor: Actor,
        room: str,
        ref: int,
        text: str,
        *,
        data: Raw = NO_DATA,
        nonce: str | None = None,
    ) -> Deferred[Amended]:
        """
        Give message *ref* of *room*, which must be the actor's own, the text *text* and *data*, or
        none.  Fires once that is stored and delivered; order and nonces as in `say`.

        @raise ChatError: at once, if it may not be.  Whose the message is, and how old, is found
            out later (`livechat.interfaces.IMessageLog.amend`).
        """
        check_text(text, self.max_message)
        kept = checked_data(data)
        self.admit(actor)
        once = None if nonce is None else scoped(actor, nonce)
        draft = Draft(room, text, actor.user, once, actor.source.key, data=kept)
        self._policy.edit(actor, draft)
        author = "" if actor.user is None else actor.user.subject
        since = self.now() - 1000 * self.settings.of(room).edit
        edit = Edit(room, ref, text, author, since, kept, once, draft.sender)
        if self._asking is not None and self._asking.concerns(actor):
            return answer_of(self._asking.edit, actor, draft, edit)
        return answer_of(self._entries.amend, edit)

    def retract(
        self, actor: Actor, room: str, refs: Sequence[int], *, nonce: str | None = None
    ) -> Deferred[Amended]:
        """
        Retract messages of *room*: the actor's own, or anybody's if it may moderate.  Fires once
        that is stored, delivered and in the audit.  Order and nonces are as in `say`.

        @param refs: their numbers, `livechat.protocol.messages.MOST_REFS` at most.
        @raise ChatError: as `edit`.
        """
        if not 0 < len(refs) <= MOST_REFS:
            raise ChatError(Kind.BAD_MESSAGE, f"Retract 1 to {MOST_REFS} messages at once.")
        self.admit(actor)
        once = None if nonce is None else scoped(actor, nonce)
        moderates = "moderate" in self._policy.rights(actor, room)
        user, numbers = actor.user, tuple(sorted(set(refs)))
        author = None if user is None else user.subject
        retraction = Retraction(room, numbers, author, moderates, once, actor.source.key)
        self._policy.retract(actor, retraction)
        if moderates:
            self.audit.check()
        done = answer_of(self._entries.amend, retraction).addCallback(self.cases.retracted, room)
        return done.addCallback(self.audit.removed, actor, room) if moderates else done

    def admit(self, actor: Actor) -> None:
        """
        Count an act of an actor whose identity still holds.

        @raise ChatError: there were too many, or its token is over.
        """
        self._pace.spend(actor)
        if actor.lease is not None:
            self.leases.check(actor)

    def record(self, room: str, entries: Sequence[Entry]) -> None:
        """Count *entries* that this process has stored, and tell listeners of them."""
        if is_internal(room):
            return
        said = [each for each in entries if isinstance(each, Message)]
        if said:
            metrics.stored.count += len(said)
            self._activity.record(room, said[-1], len(said))
        self._listeners.stored(room, entries)

    async def history(self, actor: Actor, room: str, window: Window) -> History:
        """
        Open the history of *room*.  An unknown room has an empty one.

        @raise ChatError: the actor may not read, or the backend cannot.
        """
        self._policy.read(actor, room)
        return await History.of(self._entries, room, window)

    def trouble(self) -> str | None:
        """The reason why messages cannot be taken just now; None if they can."""
        return self._backend.trouble()
