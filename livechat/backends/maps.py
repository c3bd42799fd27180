"""The copy of a shared map that a process has in memory: bounds, ends of values, watchers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple

from livechat.errors import ChatError, Kind

#: Characters of a key.
LONGEST_KEY: Final = 256


class MapEntry(NamedTuple):
    """
    @ivar value: JSON.
    @ivar until: the second since 1970 with which it ends; 0: never.
    """

    value: bytes
    until: int = 0


class MapCopy:
    """The entries of one map, those that are over among them until somebody needs their room."""

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
        self._watchers: list[Callable[[Collection[str]], None]] = []

    def get(self, key: str) -> bytes | None:
        entry = self._entries.get(key)
        return None if entry is None or self._is_over(entry) else entry.value

    def items(self) -> list[tuple[str, bytes]]:
        return [(key, one.value) for key, one in self._entries.items() if not self._is_over(one)]

    def entry(self, key: str) -> MapEntry | None:
        """The entry of *key*, over or not."""
        return self._entries.get(key)

    def _is_over(self, entry: MapEntry) -> bool:
        return 0 < entry.until <= self._now()

    def over(self) -> list[str]:
        """The keys whose time is over."""
        return [key for key, entry in self._entries.items() if self._is_over(entry)]

    def check(self, key: str, value: bytes) -> None:
        """
        @raise ValueError: the key or the value is too long.
        """
        if not 0 < len(key) <= LONGEST_KEY:
            raise ValueError(f"a key has 1 to {LONGEST_KEY} characters, not {len(key)}")
        if len(value) > self._largest:
            raise ValueError(f"a value has at most {self._largest} bytes, not {len(value)}")

    def is_full(self, key: str) -> bool:
        """Tell whether the map has no room for *key*."""
        return len(self._entries) >= self._most and key not in self._entries

    def full(self) -> ChatError:
        """The refusal of a key for which there is no room."""
        return ChatError(Kind.OVERLOADED, f"There is no room for more {self._name}.")

    def set(self, key: str, entry: MapEntry | None) -> None:
        """Set the entry of *key*, or remove it; tells nobody."""
        if entry is None:
            self._entries.pop(key, None)
        else:
            self._entries[key] = entry

    def replace(self, entries: Mapping[str, MapEntry]) -> list[str]:
        """Replace all entries by *entries*; return the changed keys, and tell no watcher."""
        before, self._entries = self._entries, dict(entries)
        keys = before.keys() | entries.keys()
        return [key for key in keys if before.get(key) != entries.get(key)]

    def watch(self, changed: Callable[[Collection[str]], None]) -> None:
        self._watchers.append(changed)

    def tell(self, changed: Collection[str]) -> None:
        """Tell the watchers which keys have changed."""
        for each in tuple(self._watchers):
            each(changed)
