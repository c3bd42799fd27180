"""Small documents that all processes of a Redis have."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from livechat.backends.redis.connection import Connection, RefusedError, Script, UnansweredError
from livechat.backends.redis.keys import Keys
from livechat.errors import ChatError, Kind
from livechat.interfaces import IShelf

_T = TypeVar("_T")

REPLACE: Final = Script("replace")


@implementer(IShelf)
class Shelf:
    """
    One of them.

    @ivar news: what is said on the control channel when it was replaced.
    """

    def __init__(self, connection: Connection, keys: Keys, name: str) -> None:
        self._connection = connection
        self._control = keys.control
        self._key = keys.shelf(name)
        self.news = self._key
        self._watchers: list[Callable[[], None]] = []

    def read(self) -> Deferred[bytes]:
        return Deferred.fromCoroutine(_reaching(self._read()))

    async def _read(self) -> bytes:
        return await self._connection.command(b"GET", self._key) or b""

    def replace(self, before: bytes, after: bytes) -> Deferred[bool]:
        return Deferred.fromCoroutine(_reaching(self._replace(before, after), writes=True))

    async def _replace(self, before: bytes, after: bytes) -> bool:
        keys, args = (self._key, self._control), (before, after, self.news)
        return bool(await self._connection.call(REPLACE, keys, args))

    def watch(self, changed: Callable[[], None]) -> None:
        self._watchers.append(changed)

    def changed(self) -> None:
        """It was replaced, or can be reached again."""
        for each in self._watchers:
            each()


async def _reaching(asking: Coroutine[Any, Any, _T], *, writes: bool = False) -> _T:
    try:
        return await asking
    except (UnansweredError, RefusedError) as reason:
        done = isinstance(reason, UnansweredError) and reason.sent and writes
        kind = Kind.UNKNOWN if done else Kind.UNAVAILABLE
        raise ChatError(kind, f"Redis is away just now: {reason}.") from None
