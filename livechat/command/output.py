"""Prints results and errors of commands; an error is one line, with the exit code 1."""

from __future__ import annotations

import json
import sys
import time
import unicodedata
from collections.abc import Sequence
from typing import Any, Final

#: Characters that a terminal would take for a command of its own.
_CONTROL: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
#: Format characters that are parts of emoji and of some scripts' words.
_JOINERS: Final = "\u200c\u200d"


class CommandError(Exception):
    """A command cannot do what it should; the text is one line for people."""


def printable(text: str) -> str:
    """*text* on one line, without what would change a terminal."""
    return "".join(
        each if unicodedata.category(each) not in _CONTROL or each in _JOINERS else "\ufffd"
        for each in text.replace("\r\n", "\n").replace("\n", " ⏎ ").replace("\t", " ")
    )


def time_here(milliseconds: float, now: float | None = None) -> str:
    """
    Write a time as clocks here show it, with its date unless that is today's.

    @param now: seconds since 1970; the time by default.
    """
    then = time.localtime(milliseconds / 1000)
    today = time.localtime(now)
    return time.strftime("%H:%M:%S" if then[:3] == today[:3] else "%Y-%m-%d %H:%M:%S", then)


class Output:
    """The standard output, for people or for programs."""

    def __init__(self, *, as_json: bool) -> None:
        """
        @param as_json: one JSON value a line, instead of words.
        """
        self.as_json = as_json

    def show(self, value: Any, text: str) -> None:
        """Print *value* for programs, or *text* for people."""
        self.line(json.dumps(value, ensure_ascii=False) if self.as_json else text)

    @staticmethod
    def line(text: str) -> None:
        """Print a line at once: the reader of a pipe waits for it."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    @staticmethod
    def note(text: str) -> None:
        """Tell people something beside the output."""
        sys.stderr.write(f"livechat: {text}\n")
        sys.stderr.flush()


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)
