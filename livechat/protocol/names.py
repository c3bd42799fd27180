"""
Names of rooms.

An *internal* room has a name that `room_name` refuses, so that no client can name it.  It has a
numbered, paged and resumable history like any other, and neither members nor a place in any list.
"""

from __future__ import annotations

import re
from typing import Final

from livechat.errors import ChatError, Kind

#: Characters of a room's name.
LONGEST_ROOM_NAME: Final = 128
#: Pattern of a room's name: RFC 3986's unreserved characters.  Such a name needs no encoding in
#: URLs, and has one spelling only.
ROOM_NAME: Final = rf"(?!\.\.?$)[A-Za-z0-9._~-]{{1,{LONGEST_ROOM_NAME}}}"
_ROOM_NAME: Final = re.compile(ROOM_NAME, re.ASCII)
#: A room's name, or a beginning of names with ``*`` behind it.
_PATTERN: Final = re.compile(
    rf"[A-Za-z0-9._~-]{{1,{LONGEST_ROOM_NAME}}}|[A-Za-z0-9._~-]{{0,{LONGEST_ROOM_NAME}}}\*",
    re.ASCII,
)
#: Prefix of the names of internal rooms.
_INTERNAL: Final = "!"
#: The room of the audit's records (`livechat.rooms.audit`).
AUDIT_ROOM: Final = f"{_INTERNAL}audit"
#: The room of events for webhooks and subscribers that are no entries of a room.
EVENTS_ROOM: Final = f"{_INTERNAL}events"


def is_internal(name: str) -> bool:
    """Tell whether the room of this name is none that clients can name."""
    return name.startswith(_INTERNAL)


def is_room_name(text: str) -> bool:
    """Tell whether *text* is the name of a room, of one that clients can name."""
    return _ROOM_NAME.fullmatch(text) is not None


def room_name(name: str) -> str:
    """
    Check that a room can have this name, and return it.

    @raise ChatError: no room can.
    """
    if not is_room_name(name):
        raise ChatError(
            Kind.BAD_ROOM,
            f"A room's name has 1 to {LONGEST_ROOM_NAME} characters of A-Z a-z 0-9 . _ ~ - "
            "and is not '.' or '..'.",
        )
    return name


def is_pattern(text: str) -> bool:
    """Tell whether *text* is a room's name, or a beginning of names with ``*`` behind it."""
    return _PATTERN.fullmatch(text) is not None


def room_pattern(text: str) -> str:
    """
    Check that *text* is a beginning of rooms' names with ``*`` behind it, and return it.

    @raise ChatError: it is none.
    """
    if not (text.endswith("*") and is_pattern(text)):
        raise ChatError(Kind.BAD_ROOM, "A pattern is a beginning of rooms' names, and * behind it.")
    return text


def fits(room: str, pattern: str) -> bool:
    """Tell whether *room* is what *pattern* names, or one of those."""
    return room.startswith(pattern[:-1]) if pattern.endswith("*") else room == pattern
