"""
Cursors of receivers outside, the same for every backend: names, bounds, the entries that are held.

An entry that waits for a receiver is *held* once no history shows it: the store keeps it, and only
`livechat.interfaces.IOutbox.read` finds it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from livechat.errors import ChatError, Kind
from livechat.protocol.names import AUDIT_ROOM, EVENTS_ROOM, room_name

#: Held entries: of one room, and of all rooms together.
MOST: Final = 100_000
#: Bytes of all held entries together.
MOST_BYTES: Final = 64 << 20
#: Receivers at most, and rooms or entries in the result of a call.
MOST_RECEIVERS: Final = 10
LONGEST_PAGE: Final = 1_000
#: Characters of texts, roughly, at which a call that reads several rooms ends their pages.
PAGES_CHARACTERS: Final = 1 << 20
_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)


def is_told(room: str) -> bool:
    """Tell whether receivers are told of *room*: of all rooms but the audit's."""
    return room != AUDIT_ROOM


def check_receivers(names: Collection[str]) -> frozenset[str]:
    """
    Return *names*, each once.

    @raise ValueError: there are too many, or one is no name.
    """
    found = frozenset(names)
    if len(found) > MOST_RECEIVERS:
        raise ValueError(f"there are more than {MOST_RECEIVERS} receivers")
    for name in found:
        if not _NAME.fullmatch(name):
            raise ValueError("a receiver's name has 1 to 64 ASCII letters, digits, hyphens")
    return found


def check_room(name: str) -> str:
    """
    Check that receivers can be told of a room of this name, and return it.

    @raise ChatError: they cannot.
    """
    return name if name == EVENTS_ROOM else room_name(name)


def bounded(limit: int) -> int:
    """Return how many entries, or rooms, a call returns that asks for *limit*."""
    return max(0, min(limit, LONGEST_PAGE))


def unknown_receiver() -> ChatError:
    """Return the refusal of a receiver that `livechat.interfaces.IOutbox.keep` did not name."""
    return ChatError(Kind.NOT_FOUND, "There is no such receiver.")


def first_held(oldest: int, told: int, top: int, most: int) -> int:
    """
    Find the oldest number of a room that is kept.

    @param oldest: the oldest number that its history shows.
    @param told: the newest number that each receiver has been told of.
    @param top: the newest number.
    @param most: held entries that the room may have.
    """
    return min(oldest, max(told + 1, top - most + 1))
