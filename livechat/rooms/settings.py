"""
The settings of rooms, as all processes share them.

The shared map ``rooms`` holds changes, by a room's name, by a prefix of names with ``*`` behind it,
and by ``*``.  The settings in force in a room are computed once, and kept until one of these
changes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

import msgspec
from twisted.logger import Logger

from livechat.errors import ChatError, Kind
from livechat.identity.rights import EVERYWHERE
from livechat.interfaces import IBackend, ISharedMap
from livechat.protocol.names import is_internal
from livechat.protocol.settings import RoomSettings, SettingsChange

#: The most rooms, and patterns of rooms, with settings of their own.
MOST_CHANGED: Final = 10_000
#: The most bytes of one's settings: 500 words of 64 characters are the largest part.
_LARGEST: Final = 256 * 1024
#: Rooms whose computed settings are kept in memory.
_MOST_KNOWN: Final = 20_000
#: Attempts to make a change while others make theirs.
_ATTEMPTS: Final = 10

_decoder: Final = msgspec.json.Decoder(SettingsChange)
_log = Logger()


class SettingsRegistry:
    """Finds and changes the settings of rooms."""

    def __init__(self, shared: ISharedMap, usual: RoomSettings) -> None:
        """
        @param shared: `settings_map`.
        @param usual: the settings of rooms without changes.
        """
        self._shared = shared
        self._usual = usual
        self._changes: dict[str, SettingsChange] = {}
        self._known: dict[str, RoomSettings] = {}
        self._watchers: list[Callable[[Collection[str]], None]] = []
        self._read_all()
        shared.watch(self._changed)

    def of(self, room: str) -> RoomSettings:
        """The settings that hold in *room*."""
        if not self._changes:
            return self._usual
        found = self._known.get(room)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[room] = self._found(room)
        return found

    def retained(self, room: str) -> tuple[int, int]:
        """
        The number of entries that *room* keeps, and for how many seconds; 0: as the server does.

        May be called in any thread: nothing is remembered here.
        """
        if not self._changes:
            return 0, 0
        found = self._known.get(room) or self._found(room)
        return found.history_limit, found.history_age

    def own(self, pattern: str) -> SettingsChange:
        """The changes for a room or a pattern of rooms alone."""
        return self._changes.get(pattern) or SettingsChange()

    def inherited(self, pattern: str) -> RoomSettings:
        """The settings that would hold without the changes for *pattern* alone."""
        if pattern == EVERYWHERE:
            return self._usual
        if pattern.endswith("*"):
            return self.own(EVERYWHERE).over(self._usual)
        return self._found(pattern, alone=False)

    @property
    def list_any(self) -> bool:
        """Tell whether any room is listed."""
        changed = self._changes.values()
        return self._usual.listed or any(each.listed is True for each in changed)

    def changed(self) -> Mapping[str, SettingsChange]:
        """All rooms and patterns with settings of their own."""
        return self._changes

    def _found(self, room: str, *, alone: bool = True) -> RoomSettings:
        """
        @param alone: with the room's own.
        """
        if is_internal(room):
            return self._usual
        changes = self._changes
        beginnings = (f"{room[:length]}*" for length in range(len(room), 0, -1))
        longest = next((each for each in beginnings if each in changes), "")
        settings = self._usual
        for pattern in (EVERYWHERE, longest, room if alone else ""):
            change = changes.get(pattern)
            if change is not None:
                settings = change.over(settings)
        return settings

    async def change(self, pattern: str, change: SettingsChange) -> None:
        """
        Make *change* for a room or a pattern of rooms.  Returns once it is in force here.

        @raise ChatError: as `livechat.interfaces.ISharedMap.put`.
        """
        for _ in range(_ATTEMPTS):
            before = self._shared.get(pattern)
            now = self.own(pattern).changed_by(change)
            value = msgspec.json.encode(now)
            if value == before:
                return
            if not now.given():
                if before is not None:
                    await self._shared.drop(pattern)
                return
            if await self._shared.put(pattern, value, expect=before):
                return
        raise ChatError(Kind.UNAVAILABLE, "Others change these settings just now; try again.")

    def watch(self, changed: Callable[[Collection[str]], None]) -> None:
        """Call *changed* with the patterns whose settings have changed; none: perhaps all."""
        self._watchers.append(changed)

    def _changed(self, patterns: Collection[str]) -> None:
        for each in patterns:
            self._read(each, self._shared.get(each))
        if not patterns:
            self._read_all()
        self._known.clear()
        for watcher in self._watchers:
            watcher(patterns)

    def _read_all(self) -> None:
        kept = dict(self._shared.items())
        for pattern in self._changes.keys() | kept.keys():
            self._read(pattern, kept.get(pattern))

    def _read(self, pattern: str, value: bytes | None) -> None:
        if value is None:
            self._changes.pop(pattern, None)
        else:
            self._changes[pattern] = _decoded(pattern, value)


def settings_map(backend: IBackend) -> ISharedMap:
    """The map of settings."""
    return backend.shared_map("rooms", most=MOST_CHANGED, largest=_LARGEST)


def _decoded(pattern: str, value: bytes) -> SettingsChange:
    try:
        return _decoder.decode(value)
    except msgspec.DecodeError as reason:
        # Settings of a later livechat may have other fields.
        _log.warn(
            "The settings of {pattern} cannot be read, and do not count: {reason}",
            pattern=pattern,
            reason=reason,
        )
        return SettingsChange()
