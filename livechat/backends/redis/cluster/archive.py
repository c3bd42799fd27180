"""All that is in a cluster, room by room: each slot has a set of its streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from livechat.backends.redis.archive import RedisArchive
from livechat.backends.redis.cluster.slots import SLOTS, ClusterKeys
from livechat.backends.redis.connection import answers

#: Slots whose sizes are asked for together.
SLOTS_PER_STEP: Final = 256


class ClusterArchive(RedisArchive):
    """
    The archive of a cluster.

    A cursor is a slot, a colon and a cursor of its set.  Most slots have no rooms, and are passed
    over.
    """

    _keys: ClusterKeys

    async def _rooms(self, cursor: str) -> tuple[Sequence[str], str]:
        slot, _, within = cursor.partition(":")
        at, within = int(slot or 0), within or "0"
        while within == "0":
            some = range(at, min(at + SLOTS_PER_STEP, SLOTS))
            sizes = await answers(
                self._connection.command(b"ZCARD", self._keys.idle_in(each)) for each in some
            )
            found = next((each for each, size in zip(some, sizes, strict=True) if size), None)
            if found is not None:
                at = found
                break
            if some.stop == SLOTS:
                return (), ""
            at = some.stop
        following, names = await self._scan(self._keys.idle_in(at), within)
        if following == "0":
            at += 1
        return names, "" if at == SLOTS else f"{at}:{following}"
