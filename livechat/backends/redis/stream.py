"""
One process's view of one room's stream, without I/O.

Entries come from three sides: Redis tells of each one as it is stored, the answer to
its author holds it, and a hole is read back.  Each entry may come from all of them,
in any order, or from none for a while.  `Stream` lets each through once, in order:

    seq <= position      it was there before: dropped
    seq == position + 1  delivered, and what waits behind it
    seq >  position + 1  a hole: it waits until what is before it has come

A numbering is known by its *word*, which is made with it: numbers of another word are
those of another stream.  Within one, a number means the same entry as before if its
*tag* is the same, which its author made up, and which it keeps when it is changed.  Where the
entry at our position has another tag, Redis has lost what it had: see `Stream.fits`.

What waits behind a hole is as it was when it was heard.  An event that is heard meanwhile changes
it there: retracted messages are never let through.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from livechat.backends.redis.entries import Entry, Part, State

#: Entries that wait behind a hole at most; further ones are read back like the hole itself.
MOST_AHEAD: Final = 1_000


class Stream:
    """
    @ivar position: the number of the newest entry that was let through.
    @ivar tag: its tag; empty if it was not seen here, or there is none.
    @ivar time: when it was stored.
    @ivar top: the highest number that was heard of.
    @ivar word: the word of the numbering, which is that of all entries.
    """

    __slots__ = ("_ahead", "_events", "position", "tag", "time", "top", "word")

    def __init__(self, position: int, tag: bytes, time: int, word: bytes = b"") -> None:
        self.position = self.top = position
        self.word = word
        self.tag = tag
        self.time = time
        self._ahead: dict[int, Entry] = {}
        # The events among the waiting entries.
        self._events: list[Entry] = []

    @property
    def hole(self) -> bool:
        """True while an entry is known to be missing."""
        return self.top > self.position

    def push(self, entry: Entry) -> list[Entry]:
        """Hear of *entry*; return the entries to deliver now, in order."""
        if entry.seq <= self.position:
            return []
        self.top = max(self.top, entry.seq)
        if entry.kind or self._events:
            entry = self._amend(entry)
        if entry.seq != self.position + 1:
            if len(self._ahead) < MOST_AHEAD:
                self._ahead[entry.seq] = entry
            return []
        return self._pass([entry])

    def _amend(self, entry: Entry) -> Entry:
        """Apply *entry* to waiting messages if it is an event, and waiting events to it."""
        if entry.kind:
            amended = {seq: each.amended(entry) for seq, each in self._ahead.items()}
            self._ahead = amended
            if len(self._events) < MOST_AHEAD and entry.seq != self.position + 1:
                self._events.append(entry)
        for event in self._events:
            entry = entry.amended(event)
        return entry

    def read(self, entries: Iterable[Entry], top: int) -> list[Entry]:
        """
        Hear of consecutive *entries* out of the history, of which those that follow
        have come before or later.  What the history has no more is passed over.

        @param top: the newest number when they were read.
        """
        self.top = max(self.top, top)
        news = [entry for entry in entries if entry.seq > self.position]
        return self._pass(news) if news else []

    def pass_over(self, seq: int) -> list[Entry]:
        """Give up all entries up to *seq*; return the entries to deliver now."""
        if seq <= self.position:
            return []
        self.position, self.tag = seq, b""
        self.top = max(self.top, seq)
        return self._pass([])

    def _pass(self, news: list[Entry]) -> list[Entry]:
        if news:
            self.position = news[-1].seq
        while (follows := self._ahead.pop(self.position + 1, None)) is not None:
            news.append(follows)
            self.position = follows.seq
        if news:
            self.tag, self.time = news[-1].tag, news[-1].time
        if self._ahead:
            self._ahead = {seq: each for seq, each in self._ahead.items() if seq > self.position}
        if self._events:
            self._events = [each for each in self._events if each.seq > self.position]
        return news

    def at(self, state: State) -> bool:
        """Tell whether *state* agrees with this stream, so that nothing is missing here."""
        same = not self.tag or not state.tag or self.tag == state.tag
        numbered = not state.seq or self.word == state.word
        return state.seq == self.position and same and numbered

    @staticmethod
    def fits(position: int, tag: bytes, part: Part) -> bool:
        """
        True if Redis has lost nothing since a stream stood at *position* with *tag*.

        @param part: the part that was read later, from *position* on, of the same numbering.
        """
        there = part.newest.tag if part.newest.seq == position else part.tag_of(position)
        return part.newest.seq >= position and (not tag or not there or there == tag)
