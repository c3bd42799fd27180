"""
What one process has seen of one room's stream, with no I/O in it.

Messages come from three sides: Redis tells of each one as it is stored, the answer to
who sent it holds it, and a hole is read back.  Each message may come from all of them,
in any order, or from none for a while.  `Stream` lets each through once, in order:

    seq <= position      it was there before: dropped
    seq == position + 1  delivered, and what waits behind it
    seq >  position + 1  a hole: it waits until what is before it has come

A numbering is known by its *word*, which is made with it: numbers of another word are
those of another stream.  Within one, a number means the same message as before if its
*tag* is the same, which its sender made up.  Where the message at our position has
another tag, or none is there any more, Redis has lost what it had: see `Stream.fits`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from livechat.protocol.messages import Message, User, user_of_text, user_to_text

#: Messages behind a hole that wait; what is beyond them is read back like the hole itself.
MOST_AHEAD: Final = 1_000


class Entry(NamedTuple):
    """A message as it is stored."""

    seq: int
    time: int
    tag: bytes
    text: str
    user: User | None = None
    word: bytes = b""

    def message(self) -> Message:
        return Message(self.text, self.seq, self.time, self.user)


class State(NamedTuple):
    """A room's newest message, and its numbering; zeros and nothing if there is none."""

    seq: int
    time: int
    tag: bytes
    word: bytes = b""


class Part(NamedTuple):
    """
    Consecutive entries of a room.

    @ivar newest: the newest message, and the numbering of all.
    @ivar oldest: the oldest number that is kept; one more than the newest where none is.
    """

    newest: State
    oldest: int
    entries: list[Entry]

    def tag_of(self, seq: int) -> bytes | None:
        """The tag of message *seq*, if it is among them."""
        return next((entry.tag for entry in self.entries if entry.seq == seq), None)


def user_to_bytes(user: User | None) -> bytes:
    """How a user is kept; nothing where there is none."""
    return b"" if user is None else user_to_text(user).encode()


def user_of_bytes(data: bytes) -> User | None:
    """
    The user that is kept so.

    @raise ValueError: none is.
    """
    return user_of_text(data.decode()) if data else None


def published_entry(payload: bytes) -> tuple[bytes, Entry]:
    """
    Read what a room's channel was told by `publish.lua`: a generation, and a message.

    @raise ValueError: it was told something else.
    """
    generation, word, seq, time, tag, size, rest = payload.split(b" ", 6)
    user, text = rest[: int(size)], rest[int(size) :]
    return generation, Entry(int(seq), int(time), tag, text.decode(), user_of_bytes(user), word)


class Stream:
    """
    @ivar position: the number of the newest message that was let through.
    @ivar tag: its tag; empty if it was not seen here, or there is none.
    @ivar time: when it was stored.
    @ivar top: the highest number that was heard of.
    @ivar word: the word of the numbering, which is that of all entries.
    """

    __slots__ = ("_ahead", "position", "tag", "time", "top", "word")

    def __init__(self, position: int, tag: bytes, time: int, word: bytes = b"") -> None:
        self.position = self.top = position
        self.word = word
        self.tag = tag
        self.time = time
        self._ahead: dict[int, Entry] = {}

    @property
    def hole(self) -> bool:
        """Whether something is known to be missing."""
        return self.top > self.position

    def push(self, entry: Entry) -> list[Entry]:
        """Hear of *entry*; returns what is to be delivered now, in order."""
        if entry.seq <= self.position:
            return []
        self.top = max(self.top, entry.seq)
        if entry.seq != self.position + 1:
            if len(self._ahead) < MOST_AHEAD:
                self._ahead[entry.seq] = entry
            return []
        return self._pass([entry])

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
        """Nothing up to *seq* will ever come; returns what is to be delivered now."""
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
        return news

    def at(self, state: State) -> bool:
        """Tell whether *state* agrees with this stream, so that nothing is missing here."""
        same = not self.tag or not state.tag or self.tag == state.tag
        numbered = not state.seq or self.word == state.word
        return state.seq == self.position and same and numbered

    @staticmethod
    def fits(position: int, tag: bytes, part: Part) -> bool:
        """
        Whether Redis still has what it had when a stream stood at *position* with *tag*.

        @param part: what was read later, from *position* on, of the same numbering.
        """
        there = part.newest.tag if part.newest.seq == position else part.tag_of(position)
        return part.newest.seq >= position and (not tag or not there or there == tag)
