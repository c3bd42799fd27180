"""
Search: the matching messages in a part of a room's history.

The kept entries are read one by one, within bounds: a page reads at most `MOST_LOOKED` entries for
each message that is asked for, and `MOST_CHARACTERS`.  Links lead on from where it stops.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Final, TypeGuard
from unicodedata import normalize

from msgspec import Struct
from twisted.internet.defer import DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from livechat.errors import ChatError, Kind
from livechat.protocol.looks import MARKS
from livechat.protocol.messages import Entry, Message, characters
from livechat.protocol.values import LONGEST_SOUGHT
from livechat.rooms.content import trimmed
from livechat.rooms.history import LONGEST_HISTORY, MOST_LOOKED, History, Window

#: Characters that a page reads: some milliseconds of a core, and 150 of the costliest.
MOST_CHARACTERS: Final = 100_000
#: The most characters of a search text.
LONGEST_TEXT: Final = LONGEST_SOUGHT
#: Characters that a search reads in a turn of the reactor, and those that an entry counts beside
#: its own: some milliseconds of the costliest.
SLICE: Final = 8_000
_ENTRY: Final = 50
#: The most searches that a process runs at a time, and the most that wait.
MOST_AT_ONCE: Final = 4
MOST_WAITING: Final = 200
#: Entries that are read at a time.
_AT_ONCE: Final = 100
# Python takes quadratic time to sort many marks on one letter; these characters may be marks.
_MARKED: Final = re.compile(f"[{MARKS}\U00010000-\U0010ffff]{{9}}")
#: Characters that stand for whole sentences.
_SENTENCES: Final = "\ufdfa\ufdfb"


class Wanted(Struct, frozen=True):
    """
    A query for messages; a field that is left out matches all.

    @ivar subject: their author's (`livechat.protocol.messages.User.subject`).
    @ivar text: a part of their text, as `folded`.
    """

    subject: str | None = None
    text: str | None = None

    def fits(self, entry: Entry) -> TypeGuard[Message]:
        """Tell whether *entry* is a matching message."""
        if not isinstance(entry, Message):
            return False
        if self.subject is not None:
            user = entry.user
            if user is None or user.subject != self.subject:
                return False
        return self.text is None or self.text in folded(entry.message)


def folded(text: str) -> str:
    """Return *text* without differences of case, width and composition of letters."""
    if text.isascii():
        return text.casefold()
    if _MARKED.search(text) is not None:
        text = trimmed(text)
    for each in _SENTENCES:
        text = text.replace(each, " ")
    return normalize("NFKC", normalize("NFKC", text).casefold())


class Matches(History):
    """
    A part of a history, of which only the matching messages are shown.

    Its other fields are as in `History`: `first` to `last` were read.
    """

    def __init__(self, whole: History, first: int, last: int, found: Sequence[Message]) -> None:
        super().__init__(whole.log, whole.room, whole.position, first, last)
        self.found = tuple(found)

    async def pages(self) -> AsyncGenerator[tuple[Message, ...], None]:
        """All matching messages, oldest first."""
        if self.found:
            yield self.found


class Searches:
    """The searches of a process: a few at a time, in small steps, while others wait."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._turns = DeferredSemaphore(MOST_AT_ONCE)

    async def search(self, history: History, window: Window, wanted: Wanted) -> Matches:
        """
        Run the function `search` in its turn.

        @raise ChatError: too many wait; or as there.
        """
        if len(self._turns.waiting) >= MOST_WAITING:
            raise ChatError(Kind.OVERLOADED, "Too many searches run just now; try again.")
        await self._turns.acquire()
        try:
            return await search(history, window, wanted, self._rest)
        finally:
            self._turns.release()

    def _rest(self) -> Awaitable[None]:
        """Rest, so that others have their turn."""
        return deferLater(self._clock, 0)


class _Pace:
    """
    Bounds of a search: characters in all, and in one step.

    @ivar left: characters that it may still read.
    """

    def __init__(self, rest: Callable[[], Awaitable[None]] | None) -> None:
        self.left = MOST_CHARACTERS
        self._rest = rest
        self._slice = SLICE

    async def look(self, entry: Entry) -> None:
        """Count *entry*, and rest if it is time."""
        size = characters(entry)
        self.left -= size
        self._slice -= size + _ENTRY
        if self._slice <= 0 and self._rest is not None:
            self._slice = SLICE
            await self._rest()


async def search(
    history: History,
    window: Window,
    wanted: Wanted,
    rest: Callable[[], Awaitable[None]] | None = None,
) -> Matches:
    """
    Find matching messages: the first ones, or the newest, as *window* says.

    @param history: any part of the room's, which the actor may read.
    @param rest: awaited now and then.
    @raise ChatError: the log cannot be read.
    """
    limit = min(window.limit, LONGEST_HISTORY)
    position, looked, pace = history.position, MOST_LOOKED * limit, _Pace(rest)
    if window.after is not None:
        first = max(window.after + 1, position.oldest)
        ceiling = min(first + looked - 1, position.seq)
        return await _forward(history, first, ceiling, limit=limit, wanted=wanted, pace=pace)
    newest = position.seq if window.before is None else window.before - 1
    last = min(newest, position.seq)
    floor = max(last - looked + 1, position.oldest)
    return await _backward(history, floor, last, limit=limit, wanted=wanted, pace=pace)


async def _forward(
    history: History, first: int, ceiling: int, *, limit: int, wanted: Wanted, pace: _Pace
) -> Matches:
    found: list[Message] = []
    last = first - 1
    while last < ceiling:
        end = min(last + _AT_ONCE, ceiling)
        for entry in await _read(history, last + 1, end):
            await pace.look(entry)
            if wanted.fits(entry):
                found.append(entry)
            if len(found) == limit or pace.left <= 0:
                return Matches(history, first, entry.seq, found)
        last = end
    return Matches(history, first, last, found)


async def _backward(
    history: History, floor: int, last: int, *, limit: int, wanted: Wanted, pace: _Pace
) -> Matches:
    found: list[Message] = []
    first = last + 1
    while first > floor:
        start = max(first - _AT_ONCE, floor)
        for entry in reversed(await _read(history, start, first - 1)):
            await pace.look(entry)
            if wanted.fits(entry):
                found.append(entry)
            if len(found) == limit or pace.left <= 0:
                return Matches(history, entry.seq, last, found[::-1])
        first = start
    return Matches(history, first, max(last, first - 1), found[::-1])


async def _read(history: History, first: int, last: int) -> list[Entry]:
    """Read the kept entries from *first* to *last*."""
    found: list[Entry] = []
    async for page in History(history.log, history.room, history.position, first, last).entries():
        found += page
    return found
