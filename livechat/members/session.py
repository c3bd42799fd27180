"""
``livechat.v1``: a session that speaks it, as frames or as server-sent events.

Some frames make the server read: resume, history, presence.  They have a budget of their
own, `ASK_RATE`, and are refused beyond it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from livechat import metrics
from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.interfaces import IReceiver
from livechat.limits.rates import Bucket, Rate
from livechat.members.base import HEARTBEAT, BaseSession, JoinRequest
from livechat.members.plain import PlainSession
from livechat.protocol import v1
from livechat.protocol.actions import Action, Say
from livechat.protocol.decoding import decode_frame
from livechat.protocol.encoding import Encoding, encode_frame
from livechat.protocol.messages import Message, Place, User
from livechat.protocol.settings import RoomSettings
from livechat.protocol.values import LARGEST_NUMBER
from livechat.protocol.wire import encode
from livechat.rooms.actions import act, said, say
from livechat.rooms.chat import Chat
from livechat.rooms.history import HISTORY_PAGE, History, Window
from livechat.rooms.member import IClient
from livechat.rooms.search import Wanted, folded

#: A function that gives an actor another token (`livechat.identity.door.Door.renew`).
Renew = Callable[[Actor, str], Awaitable[Actor]]
#: The rate of a connection's frames that make the server read.
ASK_RATE: Final = Rate(per_second=5, burst=20)
#: Settings that clients are not told.
USUAL: Final = RoomSettings()
#: The bytes at which a page of history ends.
PAGE_BYTES: Final = 262_144


class Session(BaseSession):
    """A client that speaks ``livechat.v1``, or only listens to it."""

    __slots__ = ("_asked", "_asking", "_renew", "_renewing", "_replaying")

    def __init__(
        self,
        chat: Chat,
        clock: IReactorTime,
        actor: Actor,
        request: JoinRequest,
        client: IClient,
        *,
        renew: Renew | None = None,
    ) -> None:
        """
        @param renew: gives the actor another token; without it, the client cannot bring one.
        """
        super().__init__(chat, clock, actor, request, client)
        self._renew = renew
        self._asked = Bucket(ASK_RATE)
        self._asking = False
        self._replaying = False
        self._renewing = False

    async def open(self) -> None:
        await self._enter(reads=True)
        try:
            self._greet(await self._chat.place(self._actor, self.room))
            self._stay()
        except BaseException:
            self.close()
            raise

    def _greet(self, place: Place) -> None:
        """Send the room's place, and continue from the place that the client has seen."""
        self._know_name()
        user, connection, since = self._actor.user, self._actor.connection, self._request.since
        assert user is not None
        assert connection is not None
        settings = self._chat.settings.of(self.room)
        shown = settings.shown()
        hello = v1.Hello(
            self.room,
            connection,
            user,
            place.epoch,
            place.seq,
            replace(self._chat.limits, edit=settings.edit),
            HEARTBEAT,
            self._chat.now(),
            self._chat.can(self._actor, self.room),
            self._expires(),
            shown if shown != USUAL else None,
            self._chat.moderation.notice(self._actor, self.room),
        )
        self._client.write(encode_frame(self._client.encoding, hello, since or place))
        if self._client.encoding == Encoding.EVENTS:
            # A client that only listens cannot ask for presence.
            self._write(self._chat.who(self._actor, self.room))
        if since is None or not self._resume(since):
            self._chat.go_live(self.room, self._client, place)

    def announce_restart(self, retry_ms: int) -> None:
        self._write(v1.GoAway(retry_ms))

    def text_received(self, data: bytes) -> None:
        try:
            frame = decode_frame(data)
        except ChatError as error:
            self._refuse(error)
            return
        match frame:
            case Say():
                self._say(frame)
            case v1.Type():
                self._types()
            case v1.Ping():
                self._answer_ping()
            case v1.Auth():
                self._ask_renewal(frame)
            case v1.AskPresence():
                if self._may_ask():
                    self._write(self._chat.who(self._actor, self.room))
            case v1.AskHistory():
                self._ask_history(frame)
            case v1.Resume():
                self._ask_resume(frame)
            case _:
                self._act(frame)

    def _say(self, action: Say) -> None:
        try:
            say(self._chat, self._actor, self.room, action, _Sender(self, action.nonce))
        except ChatError as error:
            self._refuse(error, action.nonce)

    def _act(self, action: Action) -> None:
        try:
            done = act(self._chat, self._actor, self.room, action)
        except ChatError as error:
            self._refuse(error, action.nonce)
        else:
            done.addCallbacks(self.acknowledge, self._failed, errbackArgs=(action.nonce,))

    def acknowledge(self, ack: v1.Ack) -> None:
        """Send *ack* with the next frames, or when this turn ends."""
        try:
            # The ack goes out with the room's next write, usually that of this entry.
            self._client.write_soon(encode_frame(self._client.encoding, ack))
        except Exception:  # noqa: BLE001 - it is stored; the client has to ask again
            self._cut_off()

    def _types(self) -> None:
        try:
            passed_on = self._chat.types(self._actor, self.room)
        except ChatError as error:
            self._refuse(error)
        else:
            # Too many cause no error, but a flood of them must end.
            if not passed_on:
                self._spend(self._noise)

    def _answer_ping(self) -> None:
        if self._spend(self._noise):
            self._write(v1.Pong())

    def _may_ask(self) -> bool:
        wait = self._asked.admit(self._clock.seconds())
        if wait:
            self._refuse(ChatError(Kind.RATE_LIMITED, "You ask too often; wait.", retry_after=wait))
        return not wait

    def _ask_history(self, frame: v1.AskHistory) -> None:
        if frame.before is not None and frame.after is not None:
            self._refuse(ChatError(Kind.BAD_MESSAGE, "Give 'before' or 'after', not both."))
        elif self._asking:
            self._refuse(
                ChatError(Kind.RATE_LIMITED, "The page that you asked for before is not there yet.")
            )
        elif self._may_ask():
            self._asking = True
            limit = HISTORY_PAGE if frame.limit is None else min(frame.limit, HISTORY_PAGE)
            found = self._history(Window(limit, frame.before, frame.after), _wanted(frame))
            Deferred.fromCoroutine(found).addErrback(self._failed)

    async def _history(self, window: Window, wanted: Wanted | None) -> None:
        try:
            # A client that does not read has one page waiting at most.
            await self._client.drained()
            if wanted is None:
                found = await self._chat.history(self._actor, self.room, window)
            else:
                # As by HTTP, a search counts as an act.
                self._chat.admit(self._actor)
                whole = await self._chat.history(self._actor, self.room, Window(0))
                found = await self._chat.searches.search(whole, window, wanted)
            messages: list[Message] = []
            async for page in found.pages():
                messages += page
            self._write(_page(found, messages, forward=window.after is not None))
            await self._client.drained()
        finally:
            self._asking = False

    def _ask_resume(self, frame: v1.Resume) -> None:
        if self._replaying:
            self._refuse(
                ChatError(
                    Kind.RATE_LIMITED, "The resume that you asked for before is not done yet."
                )
            )
        elif self._may_ask():
            self._resume(frame.place)

    def _resume(self, since: Place) -> bool:
        """Read the entries after *since*; return False if the client may not."""
        try:
            replay = self._chat.replay(self._actor, self.room, self._client)
        except ChatError:
            self._write(v1.Resumed(False, "forbidden"))
            return False
        self._replaying = True
        self._start_replay(replay.resume(since)).addBoth(self._resumed)
        return True

    def _resumed(self, _: object) -> None:
        self._replaying = False

    def _ask_renewal(self, frame: v1.Auth) -> None:
        if self._renew is None or self._hold is None:
            self._refuse(ChatError(Kind.FORBIDDEN, "This connection came without a token."))
        elif self._renewing:
            self._refuse(
                ChatError(Kind.RATE_LIMITED, "The token before this one is still being checked.")
            )
        elif self._may_ask():
            self._renewing = True
            Deferred.fromCoroutine(self._renewed(frame.token)).addErrback(self._failed)

    async def _renewed(self, token: str) -> None:
        assert self._renew is not None
        try:
            actor = await self._renew(self._actor, token)
        finally:
            self._renewing = False
        if self._hold is not None:
            self._actor = actor
            self._tell_rights()
            self._hold.renew(actor)
            if self._standing is not None:
                # The new token does not allow this room.
                self._standing.renew(actor)

    def expiring(self) -> None:
        self._tell_rights(expiring=True)

    def _tell_rights(self, *, expiring: bool = False) -> None:
        can = self._chat.can(self._actor, self.room)
        notice = self._chat.moderation.notice(self._actor, self.room)
        self._write(v1.Rights(can, self._expires(), expiring, notice))

    def rights_changed(self) -> None:
        self._tell_rights()

    def tell(self, frame: v1.ServerFrame) -> None:
        self._write(frame)

    def _expires(self) -> int | None:
        lease = self._actor.lease
        return None if lease is None else lease.ends

    def _write(self, frame: v1.ServerFrame) -> None:
        self._client.write(encode_frame(self._client.encoding, frame))

    def _send_error(self, error: ChatError, nonce: str | None) -> None:
        metrics.refused(error.kind.code)
        self._client.write_soon(encode_frame(self._client.encoding, v1.error_of(error, nonce)))


@implementer(IReceiver)
class _Sender:
    """Tells the client of a session the result for its message."""

    __slots__ = ("_nonce", "_session")

    def __init__(self, session: Session, nonce: str | None) -> None:
        self._session = session
        self._nonce = nonce

    def stored(self, result: Message) -> None:
        self._session.acknowledge(said(result, self._nonce))

    def not_stored(self, reason: Exception) -> None:
        self._session.not_stored(reason, self._nonce)


def make_session(
    chat: Chat,
    clock: IReactorTime,
    actor: Actor,
    request: JoinRequest,
    client: IClient,
    *,
    renew: Renew | None = None,
) -> PlainSession | Session:
    """Make the session for *request*."""
    if request.encoding == Encoding.PLAIN:
        return PlainSession(chat, clock, actor, request, client)
    return Session(chat, clock, actor, request, client, renew=renew)


def _wanted(frame: v1.AskHistory) -> Wanted | None:
    """The query of *frame*; None for all messages."""
    if frame.user is None and frame.q is None:
        return None
    user = frame.user
    subject = None if user is None else User(user, user, verified=not frame.guest).subject
    return Wanted(subject, None if frame.q is None else folded(frame.q))


def _page(found: History, messages: list[Message], *, forward: bool) -> v1.History:
    """Make the page of *messages*, or of as many as fit on the side asked for."""
    kept = _that_fit(messages, forward=forward)
    first, last = min(found.first, LARGEST_NUMBER), found.last
    if len(kept) < len(messages) and forward:
        last = messages[len(kept)].seq - 1
    elif len(kept) < len(messages):
        first = messages[-len(kept) - 1].seq + 1
    beyond = last < found.position.seq if forward else first > found.position.oldest
    return v1.History(kept, first, max(last, first - 1), first <= last and beyond)


def _that_fit(messages: list[Message], *, forward: bool) -> list[Message]:
    """Keep as many of *messages*, from one end, as a page may have; at least one."""
    left = PAGE_BYTES
    kept: list[Message] = []
    for message in messages if forward else reversed(messages):
        left -= len(encode(message))
        if left < 0 and kept:
            break
        kept.append(message)
    return kept if forward else kept[::-1]
