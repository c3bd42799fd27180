"""The copy of a shared map that a process has in memory: bounds, ends of values, watchers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from heapq import heapify, heappop, heappush
from itertools import islice
from typing import Final, NamedTuple

from livechat.errors import ChatError, Kind

#: Characters of a key.
LONGEST_KEY: Final = 256
#: Ended keys that a change removes at most: it stays short, and removes more than it adds.
MOST_OVER: Final = 100


class MapEntry(NamedTuple):
    """
    @ivar value: JSON.
    @ivar until: the second since 1970 with which it ends; 0: never.
    """

    value: bytes
    until: int = 0


class MapCopy:
    """
    The entries of one map, ended ones among them until a change removes those.

    Reading and changing a key costs the same whatever the map holds: ends are kept in order.
    """

    def __init__(self, name: str, now: Callable[[], float], *, most: int, largest: int) -> None:
        """
        @param now: the time in seconds since 1970, UTC, as far as it is believed.
        @param most: keys that the map holds.
        @param largest: bytes of a value.
        """
        self._name = name
        self._most = most
        self._now = now
        self._largest = largest
        self._entries: dict[str, MapEntry] = {}
        # The coming ends, the next one first.  Ends of entries that were changed since are ignored.
        self._ends: list[tuple[int, str]] = []
        # Keys whose end has come.
        self._over: dict[str, None] = {}
        self._watchers: list[Callable[[Collection[str]], None]] = []

    def get(self, key: str) -> bytes | None:
        entry = self._entries.get(key)
        return None if entry is None or self._is_over(entry) else entry.value

    def items(self) -> list[tuple[str, bytes]]:
        now = self._now()
        return [
            (key, value)
            for key, (value, until) in self._entries.items()
            if until <= 0 or until > now
        ]

    def entry(self, key: str) -> MapEntry | None:
        """The entry of *key*, over or not."""
        return self._entries.get(key)

    def entries(self) -> Mapping[str, MapEntry]:
        """All entries, over or not."""
        return self._entries

    def _is_over(self, entry: MapEntry) -> bool:
        return 0 < entry.until <= self._now()

    def over(self, most: int = MOST_OVER) -> list[str]:
        """Some of the keys whose time is over, at most *most*."""
        now = self._now()
        while self._ends and self._ends[0][0] <= now:
            until, key = heappop(self._ends)
            entry = self._entries.get(key)
            if entry is not None and entry.until == until:
                self._over[key] = None
        if self._over and any(self._entries[key].until > now for key in islice(self._over, most)):
            # The clock was set back, so ends that have passed come again.
            self._order_ends()
            return self.over(most)
        return list(islice(self._over, most))

    def check(self, key: str, value: bytes) -> None:
        """
        @raise ValueError: the key or the value is too long, or the key has half a character.
        """
        if not 0 < len(key) <= LONGEST_KEY:
            raise ValueError(f"a key has 1 to {LONGEST_KEY} characters, not {len(key)}")
        key.encode()
        if len(value) > self._largest:
            raise ValueError(f"a value has at most {self._largest} bytes, not {len(value)}")

    def is_full(self, key: str) -> bool:
        """Tell whether the map has no room for *key*."""
        return len(self._entries) >= self._most and key not in self._entries

    def full(self) -> ChatError:
        """The refusal of a key for which there is no room."""
        return ChatError(Kind.OVERLOADED, f"There are too many {self._name}: no more can be kept.")

    def set(self, key: str, entry: MapEntry | None) -> None:
        """Set the entry of *key*, or remove it; tells nobody."""
        self._over.pop(key, None)
        if entry is None:
            self._entries.pop(key, None)
            return
        self._entries[key] = entry
        if entry.until > 0:
            heappush(self._ends, (entry.until, key))
            if len(self._ends) > 2 * len(self._entries) + MOST_OVER:
                self._order_ends()

    def replace(self, entries: Mapping[str, MapEntry]) -> list[str]:
        """Replace all entries by *entries*; return the changed keys, and tell no watcher."""
        before, self._entries = self._entries, dict(entries)
        self._order_ends()
        changed = [key for key, entry in entries.items() if before.get(key) != entry]
        return changed + [key for key in before if key not in entries]

    def _order_ends(self) -> None:
        self._over = {}
        self._ends = [(one.until, key) for key, one in self._entries.items() if one.until > 0]
        heapify(self._ends)

    def watch(self, changed: Callable[[Collection[str]], None]) -> None:
        self._watchers.append(changed)

    def tell(self, changed: Collection[str]) -> None:
        """Tell the watchers which keys have changed."""
        for each in tuple(self._watchers):
            each(changed)
