"""
Keys of back ends, and the tokens that they get for users.

Keys are listed, made and dropped by those who have the right ``manage`` everywhere.  Nobody gives
a key or a token more than they have, in rights nor in time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import structs

from livechat.errors import ChatError, Kind
from livechat.http.call import Call
from livechat.http.endpoint import Endpoint
from livechat.http.response import Response, json
from livechat.identity.accounts import rooms_of
from livechat.identity.actor import Actor
from livechat.identity.door import Door
from livechat.identity.guests import cleaned_name
from livechat.identity.keys import Key, Keys
from livechat.identity.rights import EVERYWHERE, USERS_RIGHTS, Grants, grants_of, within
from livechat.identity.tokens import Tokens
from livechat.protocol.audit import Action, Recorded
from livechat.protocol.back_ends import (
    KeyDropped,
    KeyKept,
    KeyList,
    KeyMade,
    KeyRequest,
    TokenMade,
    decode_key,
    decode_token,
)
from livechat.rooms.chat import Chat
from livechat.system.time import Time
from livechat.web import back_end_operations as told
from livechat.web.queries import claim, json_body


class KeysApi:
    """The endpoints."""

    def __init__(self, chat: Chat, door: Door, keys: Keys, tokens: Tokens, time: Time) -> None:
        self._chat = chat
        self._door = door
        self._keys = keys
        self._tokens = tokens
        self._time = time

    def endpoints(self) -> dict[str, Endpoint]:
        """The rows of the tree."""
        return {
            "/chat/keys/": Endpoint(
                {"GET": self.list, "POST": self.make},
                None,
                {"GET": told.keys(), "POST": told.make_key(self._chat)},
            ),
            "/chat/keys/{id}/": Endpoint({"DELETE": self.drop}, None, told.drop_key()),
            "/chat/token/": Endpoint({"POST": self.mint}, None, told.mint(self._chat)),
        }

    async def list(self, call: Call) -> Response:
        """All keys, by name, without their secrets."""
        await self._manager(call)
        return json(KeyList([_kept(each) for each in self._keys.all()]))

    async def make(self, call: Call) -> Response:
        """Make a key.  Only this answer has its secret."""
        asked = decode_key(json_body(call))
        actor = await self._manager(call)
        grants = _grants(asked.rooms)
        self._check_key(actor, asked, grants)
        self._chat.audit.check()
        key, credential = await self._keys.add(
            asked.name,
            rooms_of(grants),
            as_users=asked.as_users,
            rate=asked.rate,
            expires=self._end(actor, asked.seconds),
            scope=asked.scope,
        )
        await self._record(actor, "key_add", key)
        return json(KeyMade(key=credential, **structs.asdict(_kept(key))))

    async def drop(self, call: Call) -> Response:
        """Drop a key."""
        actor = await self._manager(call)
        self._chat.audit.check()
        key = await self._keys.drop(call.names["id"])
        await self._record(actor, "key_drop", key)
        return json(KeyDropped(key.id))

    async def mint(self, call: Call) -> Response:
        """Make a token for a user of the site."""
        asked = decode_token(json_body(call))
        actor = await self._door.caller(call.source, claim(call, {}, call.bearer))
        self._chat.admit(actor)
        if not actor.as_users:
            raise _not_for_users(actor)
        rooms = _rooms(actor.grants or {}, asked.rooms)
        now = int(self._time.wall())
        end = self._end(actor, asked.seconds)
        made = await self._tokens.mint(
            asked.user,
            name=asked.name,
            role=asked.role,
            rooms=rooms,
            seconds=asked.seconds if end is None else end - now,
        )
        return json(TokenMade(made.token, made.expires))

    async def _manager(self, call: Call) -> Actor:
        """
        @raise ChatError: they manage less than everything.
        """
        actor = await self._door.caller(call.source, claim(call, {}, call.bearer))
        self._chat.admit(actor)
        self._chat.require(actor, EVERYWHERE, "manage")
        return actor

    def _check_key(self, actor: Actor, asked: KeyRequest, grants: Grants) -> None:
        """
        @raise ChatError: nobody, or not this actor, can make such a key.
        """
        if cleaned_name(asked.name) != asked.name:
            raise ChatError(
                Kind.BAD_REQUEST, "A key's name has 1 to 40 characters that are to be seen."
            )
        if not within(grants, actor.grants or {}):
            raise ChatError(Kind.FORBIDDEN, "Nobody can give a key rights that they lack.")
        if asked.as_users and not (actor.as_users or actor.kind == "operator"):
            raise _not_for_users(actor)

    def _end(self, actor: Actor, seconds: int | None) -> int | None:
        """When what *actor* makes ends: not later than what it came with itself."""
        ends = [] if seconds is None else [int(self._time.wall()) + seconds]
        if actor.lease is not None and actor.lease.ends is not None:
            ends.append(actor.lease.ends)
        return min(ends, default=None)

    async def _record(self, actor: Actor, done: Recorded, key: Key) -> None:
        await self._chat.audit.record(actor, Action(done, name=key.record.name, key=key.id))


def _kept(key: Key) -> KeyKept:
    record = key.record
    return KeyKept(
        key.id,
        record.name,
        rooms_of(key.grants),
        record.as_users,
        record.rate,
        record.made,
        record.expires,
        record.scope,
    )


def _grants(rooms: Mapping[str, Sequence[str]]) -> Grants:
    try:
        return grants_of(rooms)
    except ValueError as reason:
        raise ChatError(Kind.BAD_REQUEST, f"'rooms' cannot be used: {reason}.") from None


def _rooms(
    held: Grants, asked: Mapping[str, Sequence[str]] | None
) -> Mapping[str, Sequence[str]] | None:
    """
    The rooms of a token, by a key that has the rights *held*.

    @raise ChatError: they are more than the key has.
    """
    if asked is None:
        if within({EVERYWHERE: USERS_RIGHTS}, held):
            # The rights of all users, now and later.
            return None
        return rooms_of({pattern: given & USERS_RIGHTS for pattern, given in held.items()})
    if not within(_grants(asked), held):
        raise ChatError(Kind.FORBIDDEN, "No key can give a token rights that it lacks.")
    return asked


def _not_for_users(actor: Actor) -> ChatError:
    if actor.kind == "guest":
        return ChatError(Kind.UNAUTHORIZED, "This needs a key that may name users ('as').")
    return ChatError(Kind.FORBIDDEN, "This needs a key that may name users ('as').")
