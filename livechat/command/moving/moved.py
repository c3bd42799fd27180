"""
Exports and imports of rooms, as both have them.

    exporting  from a copy of the embedded database, or from Redis step by step; livechat goes on
    importing  into a state directory that no livechat uses, or into a Redis that livechats may use
    in_redis   runs either with the rooms of Redis
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from livechat.backends.exports import ExportError
from livechat.command.output import CommandError
from livechat.errors import StartError
from livechat.protocol.counts import counted

#: Maps that are moved.  Sessions are not: operators sign in again.
MAPS: Final = (
    "accounts",
    "cases",
    "forgets",
    "keys",
    "removals",
    "restrictions",
    "revoked",
    "rooms",
)

Result = TypeVar("Result")


class Moved(Struct, frozen=True):
    """
    The result of an export or import.

    @ivar there: rooms and values that were there already, as the export has them.
    @ivar other: names of rooms and values that were there, and are others; some of them.
    @ivar others: how many there are.
    @ivar unbound: restrictions that hold nobody any more, since guests are known otherwise.
    """

    values: int
    rooms: int
    entries: int
    there: int = 0
    other: tuple[str, ...] = ()
    others: int = 0
    unbound: int = 0


def reported(path: Path, call: Callable[[], Result]) -> Result:
    """
    Return what *call* returns.

    @param path: the file that it is about.
    @raise CommandError: what failed, in a line for people.
    """
    try:
        return call()
    except ExportError as reason:
        raise CommandError(f"{path}: {reason}") from None
    except StartError as reason:
        raise CommandError(str(reason)) from None
    except sqlite3.Error as reason:
        raise CommandError(f"a database cannot be used: {reason}") from None
    except OSError as reason:
        where = reason.filename or path
        raise CommandError(f"{where}: {reason.strerror or reason}") from None


def to_words(file: Path, moved: Moved, done: str) -> str:
    """
    Describe an export or an import to people.

    @param done: "exported" or "imported".
    """
    counts = ", ".join(
        [
            counted(moved.rooms, "room"),
            counted(moved.entries, "entry", "entries"),
            counted(moved.values, "value of maps", "values of maps"),
        ]
    )
    lines = [f"{file}: {counts} {done}"]
    if moved.there:
        there = counted(moved.there, "room or value was", "rooms and values were")
        lines.append(f"{there} there already")
    if moved.unbound:
        unbound = counted(
            moved.unbound,
            "restriction of a guest or an address holds",
            "restrictions of guests and addresses hold",
        )
        lines.append(f"{unbound} nobody any more: without --with-secret guests are known otherwise")
    if moved.others:
        some = ", ".join(moved.other)
        more = ", …" if moved.others > len(moved.other) else ""
        others = counted(
            moved.others,
            "differs there, and was left as it is",
            "differ there, and were left as they are",
        )
        lines.append(f"{others}: {some}{more}")
    return "\n".join(lines)


def to_json(moved: Moved) -> object:
    """Describe an export or an import to programs."""
    return msgspec.to_builtins(moved)
