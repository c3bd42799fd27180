"""
A part of a room's history, read page by page.

A history shows messages.  Events and gone messages have numbers between theirs.  So in a room with
events, entries are read to count the messages among them: at most `MOST_LOOKED` for each message
that is asked for.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

from msgspec import Struct

from livechat.interfaces import IMessageLog
from livechat.protocol.messages import Entry, Message, Page, Position

#: Messages of a history by default, and at most.
HISTORY_PAGE: Final = 100
LONGEST_HISTORY: Final = 1_000
#: Entries that are read for each message, at most.
MOST_LOOKED: Final = 10
#: Entries that are read at a time to count messages.
_COUNT_PAGE: Final = 200


class Window(Struct, frozen=True):
    """
    A part of a history: the first `limit` messages after `after`, or the
    last `limit` before `before`, or, with neither, the newest.
    """

    limit: int = HISTORY_PAGE
    before: int | None = None
    after: int | None = None


class History:
    """
    A part of a room's entries, whose messages are read on demand.

    @ivar log: where the room is kept.
    @ivar position: where the stream stood.
    @ivar first: the first number that is read.
    @ivar last: the last one; ``first - 1`` if none is.
    @ivar older: the number before which there are others, or None.
    @ivar newer: the number after which there are others, or None.
    """

    def __init__(
        self, log: IMessageLog, room: str, position: Position, first: int, last: int
    ) -> None:
        self.log = log
        self.room = room
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

        def read(after: int, most: int) -> Awaitable[Page]:
            return log.read(room, after, most)

        if window.after is not None:
            first = max(window.after + 1, position.oldest)
            last = await _last_of(read, position, first, limit)
        else:
            newest = position.seq if window.before is None else window.before - 1
            last = min(newest, position.seq)
            first = await first_of_newest(read, position, last, limit)
        return cls(log, room, position, first, max(last, first - 1))

    def whole(self) -> History:
        """The history of everything that is kept, of which this is a part."""
        position = self.position
        return History(self.log, self.room, position, position.oldest, position.seq)

    async def pages(self) -> AsyncGenerator[tuple[Message, ...], None]:
        """
        The messages, oldest first, in pages that are small in memory.

        Ends early if the rest has expired meanwhile.

        @raise ChatError: the log cannot be read.
        """
        async with aclosing(self.entries()) as pages:
            async for entries in pages:
                messages = tuple(each for each in entries if isinstance(each, Message))
                if messages:
                    yield messages

    async def entries(self) -> AsyncGenerator[tuple[Entry, ...], None]:
        """The entries that are read, in pages like those of `pages`."""
        after = self.first - 1
        while after < self.last:
            page = await self.log.read(self.room, after, self.last - after)
            if not page.entries:
                return
            after = page.entries[-1].seq
            yield tuple(each for each in page.entries if each.seq <= self.last)


_Read = Callable[[int, int], Awaitable[Page]]


async def first_of_newest(read: _Read, position: Position, last: int, count: int) -> int:
    """
    Find where the newest *count* messages up to number *last* begin.

    @param read: reads as `livechat.interfaces.IMessageLog.read`.
    @return: the number of the first of them; or, if fewer are found, the first number that may be
        read.
    """
    first = max(last - count + 1, position.oldest)
    if position.event < first:
        return first
    floor = max(last - MOST_LOOKED * count + 1, position.oldest)
    first = last + 1
    while count and first > floor:
        start = max(first - max(count, _COUNT_PAGE), floor)
        for entry in reversed(await _entries(read, start, first - 1)):
            if isinstance(entry, Message):
                count -= 1
                if not count:
                    return entry.seq
        first = start
    return first


async def _last_of(read: _Read, position: Position, first: int, count: int) -> int:
    """Find where the first *count* messages from number *first* on end, like `first_of_newest`."""
    last = min(first + count - 1, position.seq)
    if position.event < max(first, position.oldest):
        return last
    ceiling = min(first + MOST_LOOKED * count - 1, position.seq)
    last = first - 1
    while count and last < ceiling:
        end = min(last + max(count, _COUNT_PAGE), ceiling)
        for entry in await _entries(read, last + 1, end):
            if isinstance(entry, Message):
                count -= 1
                if not count:
                    return entry.seq
        last = end
    return last


async def _entries(read: _Read, first: int, last: int) -> list[Entry]:
    """Read the kept entries from *first* to *last*, however many pages that takes."""
    found: list[Entry] = []
    after = first - 1
    while after < last:
        page = await read(after, last - after)
        if not page.entries:
            break
        found += (entry for entry in page.entries if entry.seq <= last)
        after = page.entries[-1].seq
    return found
