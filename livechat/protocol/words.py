"""
Rooms as people call them: "Live Event 2026" is the room ``live-event-2026``.

The same words always lead to the same room, whatever their case and blanks.  Letters that cannot
be in a room's name, such as those of other scripts, are stood for by a digest of the words: so no
two names become one room because something of them was lost.
"""

from __future__ import annotations

import re
from base64 import b32encode
from hashlib import blake2b
from typing import Final
from unicodedata import category, normalize

from livechat.errors import ChatError, Kind
from livechat.protocol.looks import IGNORABLE, SHAPING, UNSEEN_END, seen, skeleton
from livechat.protocol.names import LONGEST_ROOM_NAME, is_room_name
from livechat.protocol.settings import LONGEST_TITLE

#: Characters of the form or of a link that are read; nobody types more.
_MOST: Final = 1_000
#: Spellings of letters in ASCII, by the habits of their languages.
_LETTERS: Final = str.maketrans(
    {
        "ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "œ": "oe", "ø": "oe", "å": "aa",
        "þ": "th", "ð": "d", "đ": "d", "ł": "l", "\u0131": "i", "ŋ": "ng", "ħ": "h", "ŧ": "t",
    }
)  # fmt: skip
_DIGEST_BYTES: Final = 5
#: The name for words that leave no character for one.
_ROOM: Final = "room"

_ignorable: Final = re.compile(f"[{IGNORABLE}]+")
_blanks: Final = re.compile(f"[{UNSEEN_END}]+")
_ends: Final = re.compile(f"^[{SHAPING} ]+|[ ]+$")
_unnamed: Final = re.compile(r"[^a-z0-9._~]+")


def one_line(text: str, longest: int) -> str:
    """
    *text* without control characters, and without what changes the direction of the text around
    it.  Empty if nothing is left, or if it is too long.
    """
    if len(text) > _MOST:
        return ""
    line = _ends.sub("", _blanks.sub(" ", _ignorable.sub("", text)))
    return line if len(line) <= longest and seen(line) else ""


def title_of(text: str) -> str:
    """*text* as the title of a room; as `one_line`."""
    return one_line(text, LONGEST_TITLE)


def room_of_words(words: str) -> str:
    """
    The name of the room that people call *words*.  A name in small letters is its own.

    @raise ChatError: no room can be called so.
    """
    title = title_of(words)
    if not title:
        long = len(words) > LONGEST_TITLE
        what = f"has at most {LONGEST_TITLE} characters" if long else "needs a letter or a digit"
        raise ChatError(Kind.BAD_ROOM, f"A room's name {what}.")
    if is_room_name(title) and title == title.lower():
        return title
    letters = normalize("NFKC", title).casefold().translate(_LETTERS)
    letters = "".join(each for each in normalize("NFKD", letters) if category(each)[0] != "M")
    name = _unnamed.sub("-", letters).strip("-._~")
    lost = any(category(each)[0] in "LN" and not each.isascii() for each in letters)
    if not (name or lost):
        raise ChatError(Kind.BAD_ROOM, "A room's name needs a letter or a digit.")
    if not lost and len(name) <= LONGEST_ROOM_NAME:
        return name
    digest = b32encode(blake2b(skeleton(title).encode(), digest_size=_DIGEST_BYTES).digest())
    return f"{name[:LONGEST_TITLE] or _ROOM}-{digest.decode().lower()}"
