"""
Entries that came, until somebody iterates over them.

The inbox holds so many, and no more. What comes then is not kept: the chat asks the server for it
again when there is room. So a chat that only sends needs no reader, and one that reads slowly
misses nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque

from livechat_client.entries import Entry, Gap


class Inbox:
    """A queue of entries, with an end."""

    def __init__(self, size: int) -> None:
        """@param size: entries that it holds."""
        self._size = size
        self._entries: deque[Entry] = deque()
        self._changed = asyncio.Event()
        self._ended = False
        self._error: BaseException | None = None

    @property
    def is_full(self) -> bool:
        return len(self._entries) >= self._size

    @property
    def is_empty(self) -> bool:
        return not self._entries

    def put(self, entry: Entry) -> None:
        """Add an *entry*; the caller has looked whether there is room."""
        self._entries.append(entry)
        self._changed.set()

    def put_gap(self, gap: Gap) -> None:
        """Add a *gap*, which is never dropped: one that follows another one takes its place."""
        last = self._entries[-1] if self._entries else None
        if isinstance(last, Gap):
            self._entries[-1] = _merged(last, gap)
        else:
            self.put(gap)

    def end(self, error: BaseException | None) -> None:
        """End iterations behind the last entry, by *error* if there is one."""
        self._ended, self._error = True, error
        self._changed.set()

    async def get(self) -> Entry:
        """Take the next entry. Raises StopAsyncIteration, or the error, at the end."""
        while not self._entries:
            if self._ended:
                raise self._error or StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._entries.popleft()


def _merged(one: Gap, other: Gap) -> Gap:
    if one.reason == other.reason and one.missed is not None and other.missed is not None:
        return Gap(one.reason, one.missed + other.missed)
    return other if other.reason == "epoch" else one
