"""
The look of text: its visible characters, and names that look alike.

*Unseen* are control characters, blanks, the braille blank, and what Unicode calls ignorable.
A mark is seen on a letter or symbol, and alone it is not.

Two names look alike if their skeletons are the same: NFKC, casefold, unseen removed.  Letters
of different scripts that look alike stay different there; only the names that are reserved
are compared more strictly.
"""

from __future__ import annotations

import re
from typing import Final
from unicodedata import category, combining, normalize

#: Names that speak for the server, or address the reader: not for guests.
RESERVED: Final = ("operator", "moderator", "admin", "livechat", "system", "you")

# All of these are ranges for a regular expression.  Those beyond U+FFFF are characters: their
# escapes differ between Python and JavaScript, which reads them in the description of the API.
#: Ignorable characters that change the look of the one before them: variation selectors
#: (Unicode's Variation_Selector), and the two joiners.
SHAPING: Final = r"\u180b-\u180d\u180f\u200c\u200d\ufe00-\ufe0f" + "\U000e0100-\U000e01ef"
#: The rest of Default_Ignorable_Code_Point (DerivedCoreProperties.txt, Unicode 15.0).
IGNORABLE: Final = (
    r"\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    r"\u3164\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
# Control characters, White_Space (PropList.txt), the braille blank, and the anchors of annotations.
_BLANK: Final = (
    r"\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\u2800\ufff9-\ufffb"
)
#: Characters that are unseen wherever they stand.
UNSEEN: Final = SHAPING + IGNORABLE + _BLANK
#: Characters that are unseen at the end of a text, whatever is before them.
UNSEEN_END: Final = IGNORABLE + _BLANK

# Characters that look like a letter of the reserved names, by their numbers (UTS #39, Unicode 15.1,
# confusables.txt; and a few that are like small capitals, or have a stroke).  The letters are those
# after NFKD and without marks.  I, l and 1 are one letter.
_LOOK_ALIKES: Final = {
    "a": "251 391 3b1 410 430 13aa 15c5 a4ee 102a0 16f40",
    "c": "3a3 3c2 421 441 13df 1d04 2ca4 2ca5 a4da abaf 102a2 10302 10415 1043d 1051c 118e9 118f2",
    "d": "111 501 13a0 13e7 146f 15de 15ea a4d2 a4d3",
    "e": "395 3b5 415 435 4bd 13ac 2d39 a4f0 ab32 10286 118a6 118ae",
    "h": "127 397 41d 43d 4bb 570 13bb 13c2 157c 2c8e a4e7 102cf",
    "i": "31 7c 131 142 196 1c0 269 26a 399 3b9 406 456 4c0 4cf 6f1 13a5 13de 14aa 16c1 2c92 2cd0"
    " 2d4f a4e1 a4f2 a647 ab75 1028a 10309 10320 1041b 10526 118a3 118b2 118c3 16f16 16f28",
    "m": "39c 3fa 41c 43c 13b7 15f0 16d6 2c98 a4df 102b0 10311",
    "n": "39d 3b7 43f 578 57c 2c9a a4e0 10513",
    "o": "30 f8 39f 3bf 3c3 41e 43e 555 585 6f5 966 9e6 a66 ae6 b20 b66 be6 c66 ce6 d20 d66 e50 ed0"
    " 101d 1040 10ff 12d0 1d0f 1d11 2c9e 2c9f 2d54 3007 a4f3 ab3d 10292 102ab 10404 1042c 104c2"
    " 104ea 10516 114d0 118b5 118c8 118d7 118e0",
    "p": "3a1 3c1 420 440 13e2 146d 2ca2 2ca3 a4d1 10295",
    "r": "1a6 433 13a1 13d2 1587 1d26 2c85 a4e3 ab47 ab48 ab81 104b4 16f35",
    "s": "1bd 405 455 54f 13d5 13da a4e2 a731 abaa 10296 10420 10448 118c1 16f3a",
    "t": "167 3a4 3c4 422 442 13a2 2ca6 a4d4 10297 102b1 10315 118bc 16f0a",
    "u": "28b 3c5 54d 57d 1200 144c 1d1c a4f4 a79f ab4e ab52 104ce 104f6 118b8 118d8 16f42",
    "v": "3bd 474 475 6f7 13d9 142f 1d20 2d38 a4e6 a6df aba9 1051d 11706 118a0 118c0 16f08",
    "y": "263 28f 3a5 3b3 423 443 4ae 4af 10e7 13a9 13bd 1d8c 1eff 2ca8 a4ec ab5a 102b2 118a4 118dc"
    " 16f43",
}
_LATIN: Final = {
    int(number, 16): letter
    for letter, numbers in _LOOK_ALIKES.items()
    for number in numbers.split()
}
#: Symbols with a form as emoji whose category in Unicode is another one.
_EMOJI: Final = "\u203c\u2049\u2139\u3030\u303d"
_VIRAMA: Final = 9


def _marks(*blocks: range) -> str:
    """Return the combining marks of *blocks*, as ranges."""
    ranges: list[list[int]] = []
    for number in (n for block in blocks for n in block if category(chr(n))[0] == "M"):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return "".join(f"{chr(low)}-{chr(high)}" for low, high in ranges)


#: Combining marks, up to U+FFFF and beyond.  There are none in Latin letters, nor among ideographs,
#: Hangul syllables, hieroglyphs and characters of private use, at which no start is to look one by
#: one; nor between the first two planes and the last, where all are unseen.
MARKS: Final = _marks(range(0x300, 0x3400), range(0xA000, 0xAC00), range(0xFB00, 0x10000))
FAR_MARKS: Final = _marks(
    range(0x10000, 0x12000), range(0x13000, 0x14000), range(0x16000, 0x17000),
    range(0x1B000, 0x1F000),
)  # fmt: skip
# The first character decides on an ordinary text, and the ranges up to U+FFFF on most others; those
# beyond are slow, as they are compared one by one.
_SEEN: Final = re.compile(
    f"[!-~]|[^{UNSEEN}{MARKS}\U00010000-\U0010ffff]|[^\0-\uffff{UNSEEN}{FAR_MARKS}]"
)
_UNSEEN: Final = re.compile(f"[{UNSEEN}]+")
_UNSEEN_OR_MARKS: Final = re.compile(f"[{UNSEEN}{MARKS}{FAR_MARKS}]+")


def seen(text: str) -> bool:
    """Tell whether any character of *text* is visible.  Stops at the first one."""
    return _SEEN.search(text) is not None


def skeleton(name: str) -> str:
    """Reduce *name* to a form that is the same for all names that look alike."""
    folded = _UNSEEN.sub("", normalize("NFKC", name).casefold())
    # A letter and its mark may be one character, now that nothing is between them.
    return normalize("NFKC", folded)


def trimmed(name: str) -> bool:
    """
    Tell whether *name* begins and ends with a visible character.

    A character that shapes the one before it belongs to it: the selector of a heart that is
    an emoji, or of an ideograph; a joiner behind a virama (RFC 5892, appendix A.1 and A.2).
    """
    return _SEEN.match(name) is not None and (
        _UNSEEN.match(name[-1]) is None or _shapes(name[-1], name[-2:-1])
    )


def _shapes(character: str, before: str) -> bool:
    """Tell whether *character* changes the look of *before*."""
    if not before:
        return False
    if character in "\u200c\u200d":
        return combining(before) == _VIRAMA
    if "\u180b" <= character <= "\u180f":
        return character != "\u180e" and "\u1820" <= before <= "\u18aa"
    if "\ufe00" <= character <= "\ufe0f" or character >= "\U000e0100":
        return category(before)[0] == "S" or before in _EMOJI or _is_ideograph(before)
    return False


def _is_ideograph(character: str) -> bool:
    return (
        "\u3400" <= character <= "\u9fff"
        or "\uf900" <= character <= "\ufaff"
        or "\U00020000" <= character <= "\U0003ffff"
    )


def is_reserved(name: str) -> bool:
    """Tell whether *name* is one of `RESERVED`, or looks like it, in whatever script."""
    return _bare(name) in _RESERVED


def _bare(name: str) -> str:
    """Strip *name* of all by which it could look like another one and still differ."""
    letters = _UNSEEN_OR_MARKS.sub("", normalize("NFKD", name)).translate(_LATIN).casefold()
    return letters.replace("l", "i").replace("rn", "m")


_RESERVED: Final = frozenset(map(_bare, RESERVED))
