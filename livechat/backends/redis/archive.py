"""All that is in a Redis, room by room."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, Final, Protocol, TypeVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from livechat.backends.redis.connection import Commands
from livechat.backends.redis.keys import Keys
from livechat.interfaces import IArchive
from livechat.protocol.messages import Page

_T = TypeVar("_T")

#: Rooms to ask Redis for at a time; it may name some more.
ROOMS: Final = 200


class Reading(Protocol):
    """Reads rooms, and tells failures as errors for clients."""

    def reading(self, reading: Coroutine[Any, Any, _T]) -> Deferred[_T]:
        """Fails with ``unavailable`` where *reading* fails as `Commands.command`."""

    async def page(self, room: str, after: int, limit: int, *, hidden: bool = False) -> Page:
        """A page of a room; fails as `Commands.command`."""


@implementer(IArchive)
class RedisArchive:
    """The archive of one Redis: its set of streams names the rooms."""

    def __init__(self, connection: Commands, keys: Keys, reader: Reading) -> None:
        self._connection = connection
        self._keys = keys
        self._reader = reader

    def rooms(self, cursor: str) -> Deferred[tuple[Sequence[str], str]]:
        return self._reader.reading(self._rooms(cursor))

    async def _rooms(self, cursor: str) -> tuple[Sequence[str], str]:
        found, names = await self._scan(self._keys.idle, cursor or "0")
        return names, "" if found == "0" else found

    async def _scan(self, idle: bytes, cursor: str) -> tuple[str, list[str]]:
        """
        Name some rooms of a set of streams.

        @return: the next cursor, "0" when these are the last; and the names.
        """
        following, found = await self._connection.command(
            b"ZSCAN", idle, cursor.encode(), b"COUNT", b"%d" % ROOMS
        )
        return following.decode(), [self._keys.room_of_stream(each) for each in found[::2]]

    def read(self, room: str, after: int, limit: int) -> Deferred[Page]:
        return self._reader.reading(self._reader.page(room, after, limit, hidden=True))
