"""
Filters for the words and links of a room's settings: a text passes, is held, or is refused.

**Words** are compared by their looks.  Compatibility forms (NFKC), case, invisible characters and
combining marks make no difference: full-width letters and letters with an accent are the plain
ones.  Letters of different scripts that look alike remain different.

    bad          as a whole word: in "so bad!", not in "badge"
    bad word     blanks, punctuation and symbols may stand between the words, any number of them
    a$$, :)      begins or ends with a symbol: as it is written, whatever surrounds it

Scripts that write no blanks between words (Chinese, Japanese, Thai and others) have no whole
words.  A word in such a script is found anywhere.

**Links** are texts that a reader could open: an address with ``://``, a name that begins with
``www.``, or a name that ends in a known top-level domain.  Many domains are words too, or endings
of files' names: "done.it was", "main.py".  They count only with a path, as in ``bit.ly/x``.  An
e-mail address holds a name, so it counts. "e.g.", "3.14" and "node.js" are no links.

All of it takes time in proportion to the text, for any words and any text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from functools import cache
from typing import Final, Literal
from unicodedata import normalize

from livechat.errors import ChatError, Kind
from livechat.protocol.looks import FAR_MARKS, IGNORABLE, MARKS, SHAPING
from livechat.protocol.settings import RoomSettings

#: Lists of words that are kept compiled: some 100 KB each.
_MOST_COMPILED: Final = 64
#: Marks on one letter.  Python takes quadratic time to bring more of them in order.
_MOST_MARKS: Final = 8
#: Thai, Lao, Myanmar, Khmer, kana and bopomofo, ideographs.
_UNBROKEN: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u312f\u31a0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)

#: Marks that belong to no script.
_DIACRITICS: Final = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)
_CONTROLS: Final = r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"
_ASCII_IGNORED: Final = re.compile(f"[{_CONTROLS}]+")
# Unicode calls the first four ignorable, and they are as wide as a letter.  The others are whole
# sentences in one character, which take long.
_FILLERS: Final = re.compile("[\u115f\u1160\u3164\uffa0\ufdfa\ufdfb]+")
_IGNORED: Final = re.compile(f"[{_CONTROLS}{IGNORABLE}{SHAPING}]+")
#: A character that shows the letters behind it from right to left.
_OVERRIDE: Final = "\u202e"

_ASCII_GAP: Final = re.compile("[^a-z0-9]+")
_ASCII_TOKEN: Final = re.compile("[^ ]+| ")
_BLANKS: Final = re.compile(r"\s+")
#: The end of every token, which is in none.
_END: Final = "\n"


class _Patterns:
    """
    The patterns that have marks in them.

    @ivar many: a letter's marks, where they are too many.
    @ivar vowels: marks behind a letter that is the same without them.  In scripts whose vowels are
        marks, as in Hindi, a word without them would be another one.
    @ivar gap: everything that is no part of a word.
    """

    def __init__(self, marks: str) -> None:
        self.many = re.compile(f"[{marks}][{marks}]{{{_MOST_MARKS},}}")
        self.vowels = re.compile(f"[{marks}](?<=[\0-\u08ff][{marks}])[{marks}]*")
        self.gap = re.compile(f"[^\\w{marks}]+")


# Ranges beyond U+FFFF are compared one after the other, with every letter.
_FAR: Final = re.compile("[\U00010000-\U0010ffff]")
#: Compiled when a text needs them: a start would wait for it, and most texts are ASCII.
_patterns_of: Final = cache(_Patterns)


@cache
def _token() -> re.Pattern[str]:
    return re.compile(f"[{_UNBROKEN}]| |[^ {_UNBROKEN}]+")


@cache
def _exact_token() -> re.Pattern[str]:
    return re.compile(f"[{_UNBROKEN}]|(?:[^\\W_{_UNBROKEN}]|[{MARKS}{FAR_MARKS}])+|[\\s\\S]")


def _patterns(text: str) -> _Patterns:
    return _patterns_of(MARKS if _FAR.search(text) is None else MARKS + FAR_MARKS)


def judge(settings: RoomSettings, text: str, *, guest: bool, held: bool) -> Literal["say", "hold"]:
    """
    Decide whether *text* is published at once or held for review.

    @param guest: its author is a guest.
    @param held: a restriction holds all messages of its author.
    @raise ChatError: ``rejected``: a word or a link is not allowed.
    """
    if settings.words and (word := _words(settings.words).find(text)) is not None:
        raise ChatError(Kind.REJECTED, f"'{word}' is not allowed in this room.")
    waits = held or settings.hold == "all" or (guest and settings.hold == "guests")
    if settings.links == "refuse" or (settings.links == "hold" and not waits):
        found = has_link(text)
        if found and settings.links == "refuse":
            raise ChatError(Kind.REJECTED, "Links are not allowed in this room.")
        waits = waits or found
    return "hold" if waits else "say"


class Words:
    """Finds words of a list in texts."""

    def __init__(self, words: Iterable[str]) -> None:
        loose: dict[str, str] = {}
        exact: dict[str, str] = {}
        for word in words:
            folded = _folded(word).strip()
            if not folded:
                continue
            edges = folded[0] + folded[-1]
            if "_" in edges or _patterns_of(MARKS + FAR_MARKS).gap.search(edges) is not None:
                exact.setdefault(_joined(_exact_tokens(folded)), word)
            else:
                loose.setdefault(_joined(_loose_tokens(folded)), word)
        self._loose, self._exact = _Phrases(loose), _Phrases(exact)

    def find(self, text: str) -> str | None:
        """Find a word of the list in *text*, as it stands in the list; None if there is none."""
        folded = _folded(text)
        if _OVERRIDE in text:
            folded += f" {folded[::-1]}"
        found = self._loose.find(_loose_tokens(folded))
        if found is None and self._exact:
            found = self._exact.find(_exact_tokens(folded))
        return found


class _Phrases:
    """
    Finds phrases, which are sequences of tokens.

    Phrases that begin with another one are left out: the other is found first.  Of the rest at most
    one begins at a token: the last one in order that is not behind the text there.
    """

    def __init__(self, phrases: dict[str, str]) -> None:
        self._phrases: list[str] = []
        for each in sorted(phrases):
            if not (self._phrases and each.startswith(self._phrases[-1])):
                self._phrases.append(each)
        self._words = [phrases[each] for each in self._phrases]
        self._firsts = frozenset(each.partition(_END)[0] for each in self._phrases)
        self._longest = max(map(len, self._phrases), default=0)

    def __len__(self) -> int:
        return len(self._phrases)

    def find(self, tokens: list[str]) -> str | None:
        if self._firsts.isdisjoint(tokens):
            return None
        text, start = _joined(tokens), 0
        # Repeated characters are checked once.
        seen: set[str] = set()
        for token in tokens:
            if token in self._firsts and (
                (behind := text[start : start + self._longest]) not in seen
            ):
                seen.add(behind)
                at = bisect_right(self._phrases, behind) - 1
                if at >= 0 and behind.startswith(self._phrases[at]):
                    return self._words[at]
            start += len(token) + len(_END)
        return None


# The key is the tuple's identity: to hash 500 words takes longer than to look for them.
_compiled: Final[dict[int, tuple[tuple[str, ...], Words]]] = {}


def _words(words: tuple[str, ...]) -> Words:
    """Compile *words*, once for as long as they are the same object."""
    known = _compiled.get(id(words))
    if known is not None:
        return known[1]
    if len(_compiled) >= _MOST_COMPILED:
        _compiled.pop(next(iter(_compiled)))
    # Kept words are not freed, so their identity remains their own.
    _compiled[id(words)] = words, Words(words)
    return _compiled[id(words)][1]


def _folded(text: str) -> str:
    """Strip *text* of everything that makes no difference between words."""
    if text.isascii():
        return _ASCII_IGNORED.sub("", text.lower())
    text = _IGNORED.sub("", _FILLERS.sub(" ", text))
    text = normalize("NFKD", trimmed(text)).casefold()
    return normalize("NFC", _patterns(text).vowels.sub("", _DIACRITICS.sub("", text)))


def trimmed(text: str) -> str:
    """Take marks from letters that have too many."""
    return _patterns(text).many.sub(lambda found: found[0][:_MOST_MARKS], text)


def _loose_tokens(folded: str) -> list[str]:
    """Words, letters of scripts without blanks, and one blank for all that is between them."""
    if folded.isascii():
        return _ASCII_TOKEN.findall(_ASCII_GAP.sub(" ", folded))
    return _token().findall(_patterns(folded).gap.sub(" ", folded.replace("_", " ")))


def _exact_tokens(folded: str) -> list[str]:
    """Words, letters of scripts without blanks, single symbols, and one blank for several."""
    return _exact_token().findall(_BLANKS.sub(" ", folded))


def _joined(tokens: list[str]) -> str:
    return _END.join(tokens) + _END


# Top-level domains.  These count without a path.
_BARE_NAMES: Final = """
com net org edu gov mil int info biz xyz top icu vip club app dev shop store site online website
tech cloud space blog buzz casino bet poker porn xxx loan bid stream download ac ae af ag ai al
ao aq ar au aw ax az ba bb bd bf bg bh bi bj bm bn bo br bs bt bw bz ca cd cf cg ch ci ck cl cm
cn co cr cu cv cw cx cy cz de dj dk dm dz ec ee eg er eu fi fj fk fm fo fr ga gd ge gf gg gh gi
gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu ie il io iq ir jm jo jp ke kg kh ki km kn kp
kr kw ky kz lb lc li lk lr lt lu lv ly mc mg mh mk mn mo mp mq mr mt mu mv mw mx mz nc nf ng nl
np nr nu nz pe pf pg ph pk pn pr pt pw qa ro ru rw sa sb sc sd sg si sj sk sm sn sr ss st su sv
sx sy sz tc td tf tg th tj tk tl tm tn tr tt tv tw tz ua ug uk uy uz vc vg vi vn vu wf ws ye yt
za zm zw
"""
# These are words as well, or endings of files' names.
_OTHER_NAMES: Final = """
ad am as at be by cc do es et gl id im in is it je la ls ma md me ml mm ms my na ne ni no om pa
pl pm ps py re rs se sh sk so tel to us uz va ve best care chat click cool design email fun game
games group guru life link live lol media mobi money name network news ninja one page party plus
pro pub red rest review rocks run sale school sex social team today tools video wiki win work
world wtf zone
"""
_BARE: Final = frozenset(_BARE_NAMES.split()) | {"рф", "рус", "укр", "бел"}  # noqa: RUF001
_WITH_PATH: Final = frozenset(_OTHER_NAMES.split())
# Ends a name before a dot, or begins one: letters, marks, emoji.
_NAME: Final = r"[^\s!-/:-@\[-`{-~]"
_SLASHED: Final = re.compile(rf"[a-z]://\S|(?<![^\W_])www\.{_NAME}")
# Only one letter before the dot is checked, so a text without an end costs no more.
_DOMAIN: Final = re.compile(rf"(?<={_NAME})\.([^\W\d_]{{2,16}})(?![\w-])(/\S)?")
# Characters that become a dot or a colon.
_MAY_BE_LINK: Final = re.compile(
    "[.:\u2024-\u2026\u2488-\u249b\u2a74\u3002\u33c2\u33c7\u33d8\ufe12\ufe13\ufe19\ufe30\ufe52\ufe55"
    "\uff0e\uff1a\uff61\U0001f100]"
)


def has_link(text: str) -> bool:
    """Tell whether *text* has a link that a reader could open."""
    if _MAY_BE_LINK.search(text) is None:
        return False
    if text.isascii():
        shown = _ASCII_IGNORED.sub("", text.lower())
    else:
        shown = trimmed(_IGNORED.sub("", text))
        shown = normalize("NFKC", shown).casefold().replace("\u3002", ".")
    if _SLASHED.search(shown) is not None:
        return True
    return any(
        found[1] in _BARE or (found[2] and found[1] in _WITH_PATH)
        for found in _DOMAIN.finditer(shown)
    )
