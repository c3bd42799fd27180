"""
Making and dropping keys of back ends, for programs, and for operators on their page.

Nobody gives a key more than they have, in rights nor in time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from livechat.errors import ChatError, Kind
from livechat.identity.accounts import rooms_of
from livechat.identity.actor import Actor
from livechat.identity.guests import cleaned_name
from livechat.identity.keys import Key, Keys
from livechat.identity.rights import Grants, grants_of, within
from livechat.protocol.audit import Action, Recorded
from livechat.protocol.back_ends import KeyRequest
from livechat.rooms.chat import Chat
from livechat.system.time import Time


class KeyOffice:
    """Lists, makes and drops keys; callers have checked that the actor manages everything."""

    def __init__(self, chat: Chat, keys: Keys, time: Time) -> None:
        self._chat = chat
        self._keys = keys
        self._time = time

    def all(self) -> list[Key]:
        """All keys, by name."""
        return self._keys.all()

    async def make(self, actor: Actor, asked: KeyRequest) -> tuple[Key, str]:
        """
        Make a key; return it and its credential, which is not kept.

        @raise ChatError: the key is invalid, or beyond the actor's rights.
        """
        grants = checked_grants(asked.rooms)
        self._check(actor, asked, grants)
        self._chat.audit.check()
        key, credential = await self._keys.add(
            asked.name,
            rooms_of(grants),
            as_users=asked.as_users,
            rate=asked.rate,
            expires=self.end(actor, asked.seconds),
            scope=asked.scope,
        )
        await self._record(actor, "key_add", key)
        return key, credential

    async def drop(self, actor: Actor, known_as: str) -> Key:
        """
        Drop a key.

        @raise ChatError: there is none with this id.
        """
        self._chat.audit.check()
        key = await self._keys.drop(known_as)
        await self._record(actor, "key_drop", key)
        return key

    def end(self, actor: Actor, seconds: int | None) -> int | None:
        """Return the latest end of a key or token made by *actor*: that of its own credential."""
        ends = [] if seconds is None else [int(self._time.wall()) + seconds]
        if actor.lease is not None and actor.lease.ends is not None:
            ends.append(actor.lease.ends)
        return min(ends, default=None)

    @staticmethod
    def _check(actor: Actor, asked: KeyRequest, grants: Grants) -> None:
        """
        @raise ChatError: the key is invalid, or beyond the actor's rights.
        """
        if cleaned_name(asked.name) != asked.name:
            raise ChatError(
                Kind.BAD_REQUEST, "A key's name has 1 to 40 characters that are to be seen."
            )
        if not within(grants, actor.grants or {}):
            raise ChatError(Kind.FORBIDDEN, "You cannot give a key rights that you lack.")
        if asked.as_users and not (actor.as_users or actor.kind == "operator"):
            raise not_for_users(actor)

    async def _record(self, actor: Actor, done: Recorded, key: Key) -> None:
        await self._chat.audit.record(actor, Action(done, name=key.record.name, key=key.id))


def checked_grants(rooms: Mapping[str, Sequence[str]]) -> Grants:
    """
    Check the rooms of a key or a token.

    @raise ChatError: they cannot be used.
    """
    try:
        return grants_of(rooms)
    except ValueError as reason:
        raise ChatError(Kind.BAD_REQUEST, f"'rooms' cannot be used: {reason}.") from None


def not_for_users(actor: Actor) -> ChatError:
    """The refusal of what only a key does that may name users."""
    kind = Kind.UNAUTHORIZED if actor.kind == "guest" else Kind.FORBIDDEN
    return ChatError(kind, "This needs a key that may name users ('as').")
