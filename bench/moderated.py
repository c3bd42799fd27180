"""
Livechat with much moderation: `RESTRICTIONS` people are restricted, and `ROOMS` rooms, among them
those of the loads, have settings of their own.

All are in the file of shared maps before the start, as after a restart.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import msgspec

from bench.ours import Livechat
from bench.peers.catalogue import Place
from livechat.backends.maps import MapEntry
from livechat.backends.sqlite.maps import MapsFile, Row
from livechat.protocol.audit import Author
from livechat.protocol.messages import User
from livechat.protocol.moderation import Restriction
from livechat.protocol.settings import SettingsChange

RESTRICTIONS: Final = 10_000
ROOMS: Final = 1_000
#: Settings that do not affect the loads.
SETTINGS: Final = SettingsChange(topic="ships", edit=300, history_limit=10_000)
_YEAR: Final = 366 * 86_400


class _NoMaps:
    """No maps of an earlier version."""

    def former_maps(self) -> list[Row]:
        return []

    def forget_former_maps(self) -> None:
        """No-op: no maps exist."""


@dataclass(frozen=True, kw_only=True)
class Moderated(Livechat):
    """A livechat with restrictions and settings in its maps."""

    def first(self, place: Place) -> dict[Path, list[str]]:
        write_maps(place.directory / "state")
        return super().first(place)


def moderated(ours: Livechat) -> Moderated:
    """Make *ours* moderated, under the same name and so in the same column of tables."""
    given = {each.name: getattr(ours, each.name) for each in fields(ours)}
    title = f"with {RESTRICTIONS:,} restrictions and settings of {ROOMS:,} rooms in force"
    return Moderated(**{**given, "title": title})


def write_maps(directory: Path) -> None:
    """Make a state directory with restrictions and settings."""
    directory.mkdir(mode=0o700)
    maps = MapsFile(directory)
    now = int(time.time())
    maps.prepare(_NoMaps(), now)
    maps.write("restrictions", dict(restrictions(now)))
    value = MapEntry(msgspec.json.encode(SETTINGS))
    maps.write("rooms", {f"room{number}": value for number in range(ROOMS)})
    maps.close()


def restrictions(now: int) -> Sequence[tuple[str, MapEntry]]:
    """Make restrictions of people who never come: one in ten for all rooms, others for one."""
    made: list[tuple[str, MapEntry]] = []
    for number in range(RESTRICTIONS):
        user = User(f"banned-{number}", f"Banned {number}")
        restriction = Restriction(
            "ban", "moderate", user, Author("operator"), now, now + _YEAR, "spam"
        )
        room = f"room{number % ROOMS}" if number % 10 else "*"
        value = msgspec.json.encode(restriction)
        made.append((f"{room}|{user.subject}", MapEntry(value, now + _YEAR)))
    return made
