"""The shared maps of one process (`livechat.backends.redis.shared_map`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from livechat.backends.redis.connection import Commands
from livechat.backends.redis.keys import Keys
from livechat.backends.redis.shared_map import RedisMap
from livechat.system.wallclock import WallClock

#: Prefix of news of a map on the control channel.
_NEWS: Final = b"shared"


class Maps:
    """The maps of one process."""

    _log = Logger()

    def __init__(
        self,
        connection: Commands,
        keys: Keys,
        clock: IReactorTime,
        wall: WallClock,
        writable: Callable[[], bool],
    ) -> None:
        self._parts = connection, keys, clock, wall
        self._writable = writable
        self._maps: dict[bytes, RedisMap] = {}

    def get(self, name: str, *, most: int, largest: int) -> RedisMap:
        key = name.encode()
        if key not in self._maps:
            self._maps[key] = RedisMap(
                name, *self._parts, writable=self._writable, most=most, largest=largest
            )
            if self._writable():
                self._maps[key].refresh_soon()
        return self._maps[key]

    def hear(self, news: bytes) -> bool:
        """Hear news of the control channel; tells whether they are of a map."""
        what, _, change = news.partition(b" ")
        if what != _NEWS:
            return False
        name, _, change = change.partition(b" ")
        if name in self._maps:
            try:
                self._maps[name].hear(change)
            except ValueError:
                self._log.warn("A message about a shared map cannot be read.")
        return True

    async def refresh(self) -> None:
        """Call `RedisMap.refresh` of all maps."""
        for each in tuple(self._maps.values()):
            await each.refresh()

    def refresh_soon(self) -> None:
        """Changes are heard again: compare soon, since some may have been missed."""
        for each in self._maps.values():
            each.refresh_soon()

    def recovered(self) -> None:
        """Maps can be changed again."""
        for each in self._maps.values():
            each.tell(())

    def stop(self) -> None:
        for each in self._maps.values():
            each.stop()
