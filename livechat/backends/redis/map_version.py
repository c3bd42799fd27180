"""
Versions of a shared map, and its changes as processes tell each other; without I/O.

A version names one state of a map and all changes before it. Its *word* is made with the map, its
*number* counts changes, and its *tag* is the random name of the newest change.  So two
states are the same only if their tags are, also where a Redis has lost changes and others
took their numbers.

Where copy and Redis differ, the longer history is the newer one: a process that was cut off
reads, and a Redis that has lost changes gets them back.  A map of another word was begun by a
process that knew nothing.  It is joined with the copy, whose version remembers the other's word
as a *former* one: copies of a former word are older, whatever their numbers.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, NamedTuple

from livechat.backends.maps import MapEntry

#: Former words that a version remembers.
MOST_FORMER: Final = 8


class Version(NamedTuple):
    """
    @ivar word: empty if the map has not begun.
    @ivar former: words of maps that were joined with this one, the last one first.
    """

    word: bytes = b""
    number: int = 0
    tag: bytes = b""
    former: tuple[bytes, ...] = ()

    @classmethod
    def unpacked(cls, packed: bytes | None) -> Version:
        """
        Parse what `packed` makes; nothing is the version of no map.

        @raise ValueError: it is no version.
        """
        if not packed:
            return cls()
        word, number, tag, *former = packed.split(b" ")
        return cls(word, int(number), tag, tuple(former))

    def packed(self) -> bytes:
        if not self.word:
            return b""
        return b" ".join((self.word, b"%d" % self.number, self.tag, *self.former))

    def has(self, other: Version) -> bool:
        """Tell whether the change that made *other* is in this state too."""
        return other.word in self.former or (
            other.word == self.word and other.number <= self.number
        )

    def joined(self, other: Version, tag: bytes) -> Version:
        """The version of this map with *other* in it."""
        former = dict.fromkeys((other.word, *other.former, *self.former))
        former.pop(self.word, None)
        number = 1 + max(self.number, other.number)
        return Version(self.word, number, tag, tuple(former)[:MOST_FORMER])


class Difference(Enum):
    """Ways to settle a difference between a copy and Redis."""

    NONE = auto()
    #: Redis is newer: read it.
    READ = auto()
    #: Redis has lost changes: write the copy back.
    PUT_BACK = auto()
    #: Each has changes that the other lacks: join them.
    JOIN = auto()


def compare(copy: Version, store: Version) -> Difference:
    """Tell which of both has what the other lacks."""
    if copy[:3] == store[:3]:
        return Difference.NONE
    if not copy.word or copy.word in store.former:
        return Difference.READ
    if not store.word or store.word in copy.former:
        return Difference.PUT_BACK
    if store.word != copy.word:
        return Difference.JOIN
    return Difference.PUT_BACK if store.number < copy.number else Difference.READ


class Change(NamedTuple):
    """
    @ivar before: the tag of the change before this one; ``-`` if this is the first.
    @ivar made: the version that it made, without former words.
    @ivar entry: None: the key was removed.
    @ivar over: other keys that were removed, whose time was over.
    """

    before: bytes
    made: Version
    key: str
    entry: MapEntry | None
    over: tuple[str, ...] = ()

    @classmethod
    def unpacked(cls, news: bytes) -> Change:
        """
        Parse what `change.lua` tells.

        @raise ValueError: it is no change.
        """
        before, word, number, tag, lengths, rest = news.split(b" ", 5)
        keys = []
        for length in map(int, lengths.split(b",")):
            keys.append(rest[:length].decode())
            rest = rest[length:]
        entry = unpacked_entry(rest) if rest else None
        return cls(before, Version(word, int(number), tag), keys[0], entry, tuple(keys[1:]))


def packed_entry(entry: MapEntry) -> bytes:
    """Pack *entry* as `change.lua` does."""
    return b"%d %b" % (entry.until, entry.value)


def unpacked_entry(packed: bytes) -> MapEntry:
    """
    @raise ValueError: it is no entry.
    """
    until, _, value = packed.partition(b" ")
    return MapEntry(value, int(until))
