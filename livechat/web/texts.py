"""
The catalogue of texts, for the pages that the server writes.

A language has three files.  ``static/chat/texts-en.js`` and ``texts-en-more.js`` are the chat's:
modules for browsers, with JSON between the outermost braces; the second comes later.
``templates/texts-en.json`` has the texts of the server's pages, which no browser loads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from msgspec import Struct

from livechat.http.negotiation import weights

DEFAULT: Final = "en"
_PREFIX: Final = "texts-"
#: Subtags of a language that are compared: language, script, region.
_SUBTAGS: Final = 3


class Texts(Struct, frozen=True):
    """
    The texts of a language.

    @ivar language: its tag, in lower case.
    """

    language: str
    catalogue: Mapping[str, str]

    @property
    def direction(self) -> str:
        """The value of the attribute ``dir``."""
        return self.catalogue["direction"]

    def __call__(self, key: str, **values: str | int) -> str:
        """Return a text, with *values* in the places of their names."""
        text = self.catalogue[key]
        for name, value in values.items():
            shown = self.number(value) if isinstance(value, int) else value
            text = text.replace(f"{{{name}}}", shown)
        return text

    def has(self, key: str) -> bool:
        """Tell whether there is such a text."""
        return key in self.catalogue

    def number(self, number: int) -> str:
        """12345 as 12,345, or as the language has it."""
        return f"{number:,}".replace(",", self.catalogue["page.thousands"])

    def span(self, seconds: int) -> str:
        """Say a time to wait."""
        if seconds < 100:
            return self("span.seconds", count=seconds)
        if seconds < 6_000:
            return self("span.minutes", count=-(-seconds // 60))
        return self("span.hours", count=-(-seconds // 3_600))


def choose(accepted: str, static: Path, templates: Path) -> Texts:
    """
    The texts for a browser.

    @param accepted: its ``Accept-Language``.
    """
    there = catalogues(static, templates)
    wanted = sorted(weights(accepted).items(), key=lambda each: -each[1])
    for tag, weight in wanted:
        found = _lookup(tag, there) if weight else None
        if found is not None:
            return found
    return there[DEFAULT]


def _lookup(tag: str, there: Mapping[str, Texts]) -> Texts | None:
    """Look for a language by ever shorter tags (RFC 4647, section 3.4)."""
    parts = tag.split("-", _SUBTAGS)[:_SUBTAGS]
    shorter = ("-".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((there[each] for each in shorter if each in there), None)


@cache
def catalogues(static: Path, templates: Path) -> Mapping[str, Texts]:
    """Read all catalogues, by their languages."""
    found = {}
    for path in sorted(templates.glob(f"{_PREFIX}*.json")):
        language = path.stem.removeprefix(_PREFIX)
        chat = static / "chat" / f"{_PREFIX}{language}.js"
        texts = _module(chat) | _module(chat.with_stem(f"{chat.stem}-more"))
        found[language] = Texts(language, texts | json.loads(path.read_text(encoding="utf-8")))
    return found


def _module(path: Path) -> dict[str, str]:
    text = path.read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text[text.index("default {") + 8 : text.rindex("}") + 1])
    return found
