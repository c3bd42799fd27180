"""
A file of environment variables, read as systemd reads an ``EnvironmentFile``.

It is not a shell's: nothing is expanded, and blanks in a value need no quotes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from livechat.system import files

#: Bytes of a file.
LARGEST: Final = 1 << 20

_BETWEEN: Final = re.compile(r"(?:\s|[#;][^\n]*)*")
_NAME: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)[ \t]*=")
# Characters between quotes: each counts only at the beginning, or behind another.
_QUOTED: Final = re.compile(r"""[ \t]*(?:'([^']*)'|"((?:[^"\\]|\\.)*)")""", re.DOTALL)
_PLAIN: Final = re.compile(r"[ \t]*((?:[^\n\\]|\\.)*)", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED_IN_QUOTES: Final = re.compile(r'\\([\n"\\`$])')


def read(path: Path) -> dict[str, str]:
    """
    Return the variables of a file.

    @raise OSError: it cannot be read.
    @raise ValueError: a line is no assignment, or it is no UTF-8; the text says which.
    """
    return parse(files.read(path, LARGEST).decode())


def parse(text: str) -> dict[str, str]:
    """
    @raise ValueError: a line is no assignment, or ends within quotes.
    """
    found = {}
    at = _after_blanks(text, 0)
    while at < len(text):
        name = _NAME.match(text, at)
        if name is None:
            line = 1 + text.count("\n", 0, at)
            raise ValueError(f"line {line} is not NAME=VALUE")
        value, at = _value(text, name.end())
        found[name[1]] = value
        at = _after_blanks(text, at)
    return found


def _after_blanks(text: str, at: int) -> int:
    between = _BETWEEN.match(text, at)
    return at if between is None else between.end()


def _value(text: str, at: int) -> tuple[str, int]:
    """Return the value that begins *at* a position, and its end."""
    parts = []
    while quoted := _QUOTED.match(text, at):
        single, double = quoted.groups()
        parts.append(single if double is None else _ESCAPED_IN_QUOTES.sub(_unescaped, double))
        at = quoted.end()
    plain = _PLAIN.match(text, at)
    assert plain is not None
    if plain[1][:1] in {"'", '"'}:
        raise ValueError(f"line {1 + text.count(chr(10), 0, at)} has a quote that is not closed")
    parts.append(_ESCAPED.sub(_unescaped, plain[1].rstrip()))
    return "".join(parts), plain.end()


def _unescaped(found: re.Match[str]) -> str:
    """Resolve an escape: a backslash at the end of a line joins it with the next."""
    return "" if found[1] == "\n" else found[1]
