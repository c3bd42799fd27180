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
from livechat.identity.keys import Key
from livechat.identity.rights import EVERYWHERE, USERS_RIGHTS, Grants, within
from livechat.identity.tokens import Tokens
from livechat.protocol.back_ends import (
    KeyDropped,
    KeyKept,
    KeyList,
    KeyMade,
    TokenMade,
    decode_key,
    decode_token,
)
from livechat.rooms.chat import Chat
from livechat.system.time import Time
from livechat.web import back_end_operations as told
from livechat.web.key_office import KeyOffice, checked_grants, not_for_users
from livechat.web.queries import claim, json_body


class KeysApi:
    """The endpoints."""

    def __init__(
        self, chat: Chat, door: Door, office: KeyOffice, tokens: Tokens, time: Time
    ) -> None:
        self._chat = chat
        self._door = door
        self._office = office
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
        return json(KeyList([_kept(each) for each in self._office.all()]))

    async def make(self, call: Call) -> Response:
        """Make a key.  Only this answer has its secret."""
        asked = decode_key(json_body(call))
        actor = await self._manager(call)
        key, credential = await self._office.make(actor, asked)
        return json(KeyMade(key=credential, **structs.asdict(_kept(key))))

    async def drop(self, call: Call) -> Response:
        """Drop a key."""
        actor = await self._manager(call)
        key = await self._office.drop(actor, call.names["id"])
        return json(KeyDropped(key.id))

    async def mint(self, call: Call) -> Response:
        """Make a token for a user of the site."""
        asked = decode_token(json_body(call))
        actor = await self._door.caller(call.source, claim(call, {}, call.bearer))
        self._chat.admit(actor)
        if not actor.as_users:
            raise not_for_users(actor)
        rooms = _rooms(actor.grants or {}, asked.rooms)
        now = int(self._time.wall())
        end = self._office.end(actor, asked.seconds)
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


def _rooms(
    held: Grants, asked: Mapping[str, Sequence[str]] | None
) -> Mapping[str, Sequence[str]] | None:
    """
    Find the rooms of a token, by a key that has the rights *held*.

    @raise ChatError: the request is beyond the key's rights.
    """
    if asked is None:
        if within({EVERYWHERE: USERS_RIGHTS}, held):
            # The rights of all users, now and later.
            return None
        return rooms_of({pattern: given & USERS_RIGHTS for pattern, given in held.items()})
    if not within(checked_grants(asked), held):
        raise ChatError(Kind.FORBIDDEN, "A key cannot give a token rights that the key lacks.")
    return asked
