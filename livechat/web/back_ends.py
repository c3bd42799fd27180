"""
Endpoints for back ends: actions, single or in batches; rooms; and the members of a room.

Any client may use them: each act and each look needs its own right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import UNSET, Raw, UnsetType
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.http_headers import Headers

from livechat import metrics
from livechat.errors import ChatError, Kind, internal
from livechat.http.call import Call, bearer
from livechat.http.endpoint import Endpoint
from livechat.http.response import Response, json
from livechat.identity.actor import Actor
from livechat.identity.door import Claim, Door
from livechat.identity.keys import Keys
from livechat.identity.rights import EVERYWHERE
from livechat.protocol.actions import Action, ChangeRoom, Forget, Pardon, Restrict, Revoke
from livechat.protocol.back_ends import (
    MemberList,
    Results,
    RoomLine,
    RoomList,
    RoomState,
    Target,
    decode_batch,
    decode_target,
)
from livechat.protocol.bodies import decode_named
from livechat.protocol.cluster import Room
from livechat.protocol.decoding import decode_action
from livechat.protocol.messages import Message
from livechat.protocol.names import room_name, room_pattern
from livechat.protocol.v1 import Ack, Error, error_of
from livechat.rooms.actions import act
from livechat.rooms.attendance import attendance
from livechat.rooms.chat import Chat
from livechat.rooms.history import Window
from livechat.web import back_end_operations as told
from livechat.web.credentials import CredentialFinder
from livechat.web.queries import (
    LARGEST_BATCH,
    MOST_LAST,
    SHORTEST_SHARED,
    checked_nonce,
    claim,
    idempotency_key,
    json_body,
    number,
    page_limit,
)
from livechat.web.refusals import held

#: The path of batches.
_BATCHES: Final = b"/chat/actions"


class BackEnds:
    """The endpoints."""

    _log = Logger()

    def __init__(self, chat: Chat, door: Door, credentials: CredentialFinder) -> None:
        self._chat = chat
        self._door = door
        self._credentials = credentials

    def endpoints(self) -> dict[str, Endpoint]:
        """The rows of the tree."""
        chat = self._chat
        return {
            "/chat/actions/": Endpoint({"POST": self.actions}, None, told.actions()),
            "/chat/actions/{room}/": Endpoint({"POST": self.act}, None, told.act(chat)),
            "/chat/rooms/": Endpoint({"GET": self.rooms}, None, told.rooms()),
            "/chat/rooms/{room}/": Endpoint({"GET": self.room}, None, told.room()),
            "/chat/members/{room}/": Endpoint({"GET": self.members}, None, told.members()),
        }

    async def act(self, call: Call) -> Response:
        """Do what a frame of ``livechat.v1`` asks for, and answer with its ack."""
        return await self._single(call, room_name(call.names["room"]))

    async def actions(self, call: Call) -> Response:
        """Do several acts, and answer with the outcome of each; or do a single one, as `act`."""
        body = json_body(call)
        actions = decode_batch(body)
        if actions is None:
            return await self._single(call, None)
        if call.header("Idempotency-Key") is not None:
            raise ChatError(
                Kind.BAD_REQUEST, "An Idempotency-Key names one act: give each act its 'nonce'."
            )
        actor = await self._door.caller(call.source, self._claim(call))
        # All acts begin before the first is awaited, so they are stored in order, in one group.
        begun = [self._begin(actor, bytes(each)) for each in actions]
        return json(Results([await self._end(each, nonce) for each, nonce in begun]))

    async def _single(self, call: Call, room: str | None) -> Response:
        body = json_body(call)
        action = decode_action(body)
        actor = await self._door.caller(call.source, self._claim(call))
        # Only keys have fields beside an action in a room; from others they are ignored.
        target = Target() if room is not None and actor.kind != "key" else decode_target(body)
        actor = self._acting(actor, target.as_user)
        shortest = 1 if actor.returns else SHORTEST_SHARED
        nonce = idempotency_key(call, shortest, action.nonce)
        if room is None:
            room = _room_of(action, target.room)
        try:
            return json(await act(self._chat, actor, room, replace(action, nonce=nonce)))
        except ChatError as error:
            return held(error)

    def _begin(self, actor: Actor, data: bytes) -> tuple[Deferred[Ack] | ChatError, str | None]:
        """Begin one act of several; return its future answer, and its nonce."""
        nonce = None
        try:
            action = decode_action(data)
            nonce = action.nonce
            if nonce is not None:
                checked_nonce(nonce, 1 if actor.returns else SHORTEST_SHARED)
            target = decode_target(data)
            room = _room_of(action, target.room)
            return act(self._chat, self._acting(actor, target.as_user), room, action), nonce
        except ChatError as error:
            return error, nonce
        except Exception:  # noqa: BLE001 - the others are done all the same
            self._log.failure("An act of a batch met a bug.")
            return internal(), nonce

    async def _end(self, answer: Deferred[Ack] | ChatError, nonce: str | None) -> Ack | Error:
        try:
            if isinstance(answer, ChatError):
                raise answer
            return await answer
        except ChatError as error:
            found = error
        except Exception:  # noqa: BLE001 - the others are done all the same
            self._log.failure("An act of a batch met a bug.")
            found = internal()
        metrics.refused(found.kind.code)
        return error_of(found, nonce)

    def _acting(self, actor: Actor, named: Raw) -> Actor:
        """Return the actor, or the user that a key acts for."""
        if actor.kind != "key":
            return actor
        identity = decode_named(named)
        return actor if identity is None else self._door.acting_for(actor, identity)

    async def rooms(self, call: Call) -> Response:
        """
        The active rooms, by name, a page at a time: all for those that manage everything, for
        others those that are listed, and open to them.
        """
        after, limit = call.query.get("after", ""), page_limit(call.query)
        found = await self._chat.overview.open(await self._caller(call))
        rest = sorted((each for each in found if each.name > after), key=lambda room: room.name)
        page = [self._line(each) for each in rest[:limit]]
        return json(RoomList(page, page[-1].room if page and len(rest) > limit else None))

    async def room(self, call: Call) -> Response:
        """A room, active or not; with its last messages, for visitors at its door."""
        room, last = room_name(call.names["room"]), number(call.query, "last")
        actor = await self._caller(call)
        found = await attendance(self._chat, actor, room)
        can, settings = self._chat.can(actor, room), self._chat.settings.of(room)
        if not {"moderate", "manage"} & set(can):
            settings = settings.shown()
        epoch, seq = found.place.epoch, found.place.seq
        state = RoomState(room, found.users, found.connections, epoch, seq, can, settings)
        if last is not None and "history" in can:
            state = replace(state, messages=await self._newest(actor, room, last))
        return json(state)

    async def _newest(self, actor: Actor, room: str, count: int) -> list[Message] | UnsetType:
        """Read the newest messages of a room, unless somebody's policy forbids that."""
        try:
            found = await self._chat.history(actor, room, Window(min(count, MOST_LAST)))
        except ChatError as error:
            if error.kind is Kind.UNAVAILABLE:
                raise
            return UNSET
        return [each async for page in found.pages() for each in page]

    async def members(self, call: Call) -> Response:
        """The users in a room, a page at a time."""
        room = room_name(call.names["room"])
        after, limit = call.query.get("after", ""), page_limit(call.query)
        found = await attendance(self._chat, await self._caller(call), room)
        rest = sorted(subject for subject in found.members if subject > after)
        page = rest[:limit]
        following = page[-1] if page and len(rest) > limit else None
        return json(MemberList(found.users, [found.members[each] for each in page], following))

    async def _caller(self, call: Call) -> Actor:
        """
        Admit a caller: a look counts as an act, because other processes may be asked.

        @raise ChatError: there were too many.
        """
        actor = await self._door.caller(call.source, self._claim(call))
        self._chat.admit(actor)
        return actor

    def _claim(self, call: Call) -> Claim:
        return claim(call, call.query, self._credentials.find(call))

    def _line(self, room: Room) -> RoomLine:
        newest, settings = room.newest, self._chat.settings.of(room.name)
        return RoomLine(
            room.name,
            room.members,
            room.rate,
            None if newest is None else newest.seq,
            None if newest is None else newest.time,
            settings.title,
            settings.topic,
        )


def body_limit(keys: Keys, usual: int) -> Callable[[bytes, bytes, Headers], int]:
    """
    Decide how many bytes the body of a request may have.

    Only a key may send more than *usual*: what anybody may send, ten thousand may at once.
    """

    def limit(method: bytes, target: bytes, headers: Headers) -> int:
        if method != b"POST" or target.partition(b"?")[0].rstrip(b"/") != _BATCHES:
            return usual
        given = headers.getRawHeaders(b"authorization", ())
        credential = bearer(given[0].decode("latin-1")) if len(given) == 1 else None
        try:
            keys.find(credential or "", here=True)
        except ChatError:
            return usual
        return max(usual, LARGEST_BATCH)

    return limit


def _room_of(action: Action, room: str | None) -> str:
    """
    Find the room of an action, or the pattern of rooms whose settings it changes.

    @raise ChatError: the action needs a room, and has none.
    """
    if room is None or room == EVERYWHERE:
        match action:
            case Revoke() | Forget() | Restrict(everywhere=True) | Pardon(everywhere=True):
                return EVERYWHERE
            case Restrict() | Pardon():
                raise ChatError(Kind.BAD_ROOM, "Name a room, or say 'everywhere'.")
    if room is None:
        raise ChatError(Kind.BAD_ROOM, "This action needs a 'room'.")
    if isinstance(action, ChangeRoom) and room.endswith("*"):
        return room_pattern(room)
    return room_name(room)
