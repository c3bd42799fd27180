"""`livechat.command.moving.moved`."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from livechat.backends.exports import ExportError
from livechat.command.moving.moved import Moved, reported, to_json, to_words
from livechat.command.output import CommandError
from livechat.errors import StartError

PATH = Path("/x")


def test_numbers_of_moved_rooms_are_in_words() -> None:
    assert to_words(PATH, Moved(1, 2, 3), "exported") == (
        "/x: 2 rooms, 3 entries, 1 value of maps exported"
    )
    assert to_words(PATH, Moved(2, 1, 1), "exported") == (
        "/x: 1 room, 1 entry, 2 values of maps exported"
    )
    said = to_words(PATH, Moved(0, 0, 0, 4, ("a", "rooms b"), 5, 6), "imported")
    assert "4 rooms and values were there already" in said
    assert "6 restrictions" in said
    assert "5 differ there, and were left as they are: a, rooms b, …" in said
    said = to_words(PATH, Moved(0, 0, 0, 1, ("a",), 1, 1), "imported")
    assert "1 room or value was there already" in said
    assert "1 restriction of a guest or an address holds nobody" in said
    assert "1 differs there, and was left as it is: a" in said


def test_numbers_of_moved_rooms_are_in_json() -> None:
    assert to_json(Moved(1, 2, 3)) == {
        "values": 1, "rooms": 2, "entries": 3, "there": 0, "other": (), "others": 0, "unbound": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (ExportError("line 1: no"), "/x: line 1: no"),
        (StartError("--state: no"), "--state: no"),
        (sqlite3.OperationalError("no"), "a database cannot be used: no"),
        (FileNotFoundError(2, "No such file", "/y"), "/y: No such file"),
        (OSError("no"), "/x: no"),
    ],
)
def test_failures_to_move_are_told(reason: Exception, said: str) -> None:
    def fail() -> None:
        raise reason

    with pytest.raises(CommandError, match=f"^{said}$"):
        reported(PATH, fail)
