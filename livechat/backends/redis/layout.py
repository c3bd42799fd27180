"""The layout of keys that a Redis has: taken over from the one before, or refused."""

from __future__ import annotations

from typing import Final

from livechat.backends.redis.connection import Commands, RefusedError, Script
from livechat.backends.redis.keys import BEFORE, FORMAT, Keys

LAYOUT: Final = Script("layout")
#: Characters of a foreign format that are shown.
_SHOWN: Final = 8


class LayoutError(RefusedError):
    """Rooms are kept there in another layout than this livechat knows."""


async def check_layout(connection: Commands, keys: Keys) -> None:
    """
    Take the keys of a layout before this one over, once.

    @raise LayoutError: the keys there are of a layout that this livechat does not know.
    @raise UnansweredError: as `Commands.command`.
    @raise RefusedError: an older livechat is still running.
    """
    renamed = [name for pair in keys.renamed() for name in pair]
    before = [keys.processes_before(), *renamed] if renamed else []
    found: bytes = await connection.call(
        LAYOUT,
        [keys.format, keys.processes, *before],
        [FORMAT, *BEFORE],
    )
    if not found:
        raise RefusedError("an older livechat still serves its rooms: stop that first")
    if found != FORMAT:
        raise LayoutError(
            f"its rooms are in layout {found[:_SHOWN].decode('ascii', 'replace')}, and this "
            f"livechat knows layout {FORMAT.decode()}: run the version that wrote them, or "
            "give another --redis-prefix"
        )
