"""What was said in a room: a part of it, read page by page."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from msgspec import Struct

from livechat.interfaces import IMessageLog
from livechat.protocol.messages import Message, Position
from livechat.rooms.recovery import NEWEST_PAGE

#: Messages of a history unless said, and at most.
HISTORY_PAGE: Final = NEWEST_PAGE
LONGEST_HISTORY: Final = 1_000


class Window(Struct, frozen=True):
    """
    Which part of a history: the first `limit` messages after `after`, or the
    last `limit` before `before`, or, with neither, the newest.
    """

    limit: int = HISTORY_PAGE
    before: int | None = None
    after: int | None = None


class History:
    """
    Consecutive messages of a room, read as they are wanted.

    @ivar position: where the stream stood.
    @ivar first: the number of the first message.
    @ivar last: that of the last one; ``first - 1`` if there is none.
    @ivar older: the number before which there are others, or None.
    @ivar newer: the number after which there are others, or None.
    """

    def __init__(
        self, log: IMessageLog, room: str, position: Position, first: int, last: int
    ) -> None:
        self._log = log
        self._room = room
        self.position = position
        self.first = first
        self.last = last
        some = first <= last
        self.older = first if some and first > position.oldest else None
        self.newer = last if some and last < position.seq else None

    @classmethod
    async def of(cls, log: IMessageLog, room: str, window: Window) -> History:
        """
        The part of the history of *room* that *window* shows.

        @raise ChatError: the log cannot be read.
        """
        limit = min(window.limit, LONGEST_HISTORY)
        position = (await log.read(room, 0, 0)).position
        if window.after is not None:
            first = max(window.after + 1, position.oldest)
            last = min(first + limit - 1, position.seq)
        else:
            newest = position.seq if window.before is None else window.before - 1
            last = min(newest, position.seq)
            first = max(last - limit + 1, position.oldest)
        return cls(log, room, position, first, max(last, first - 1))

    async def pages(self) -> AsyncGenerator[tuple[Message, ...], None]:
        """
        The messages, oldest first, in pages that are small in memory.

        Ends early if the rest has expired meanwhile.

        @raise ChatError: the log cannot be read.
        """
        after = self.first - 1
        while after < self.last:
            page = await self._log.read(self._room, after, self.last - after)
            messages = tuple(each for each in page.messages if each.seq <= self.last)
            if not messages:
                return
            yield messages
            after = messages[-1].seq
