"""`livechat.protocol.words`."""

from __future__ import annotations

import pytest

from livechat.errors import ChatError, Kind
from livechat.protocol.names import LONGEST_ROOM_NAME, room_name
from livechat.protocol.words import one_line, room_of_words, title_of

OVERRIDES = "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"


@pytest.mark.parametrize(
    ("words", "room"),
    [
        ("Live Event 2026", "live-event-2026"),
        ("Münchner Treff", "muenchner-treff"),
        ("  MÜNCHNER\ttreff\n", "muenchner-treff"),
        ("Mu\u0308nchner Treff", "muenchner-treff"),
        ("Straße & Fußball!", "strasse-fussball"),
        ("Crème brûlée", "creme-brulee"),
        ("Ærø – Łódź", "aeroe-lodz"),
        ("ＬＩＶＥ", "live"),
        ("a.b~c", "a.b~c"),
        ("_x-", "_x-"),
        ("Lobby", "lobby"),
        ("//evil.example", "evil.example"),
        ("<script>alert(1)</script>", "script-alert-1-script"),
        ("../../etc/passwd", "etc-passwd"),
        (f"a{OVERRIDES}b\0\x07c", "ab-c"),
        ("🎉 Party", "party"),
    ],
)
def test_words_become_a_name_of_a_room(words: str, room: str) -> None:
    """Words for a room become a name that a room can have."""
    assert room_name(room_of_words(words)) == room


@pytest.mark.parametrize(
    "words",
    ["", " ", "..", ".", "- !", "\u202e", "\u200b\u2800", "🎉", "\u0301", "x" * 101, "x" * 10_000,
     "é" * 10_000, "\u200b" * 10_000],
)  # fmt: skip
def test_words_of_which_nothing_is_left_are_refused(words: str) -> None:
    """Words of which nothing is left, or that are too long, name no room."""
    with pytest.raises(ChatError) as caught:
        room_of_words(words)
    assert caught.value.kind is Kind.BAD_ROOM


def test_any_script_names_a_room() -> None:
    """Rooms are called in any script; names of which something is lost are not the same."""
    names = [
        "Москва",
        "Киев",
        "東京",
        "京都",
        "Москва 2026",
        "Киев 2026",
        "2026",
        "हिन्दी",
        "мир",
        "mир",
    ]
    rooms = [room_name(room_of_words(each)) for each in names]
    assert len(set(rooms)) == len(names)
    assert rooms[0] == room_of_words(" МОСКВА\u200b ")
    assert rooms[0].startswith("room-")
    assert rooms[4].startswith("2026-")


@pytest.mark.parametrize("word", ["x", "ﬃ", "ﷺ", "㎉", "⑴", "ß"])
def test_letters_with_long_spellings_are_bounded(word: str) -> None:
    """Letters with long spellings make no name that is too long."""
    assert len(room_name(room_of_words(word * 100))) <= LONGEST_ROOM_NAME


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Münchner  Treff", "Münchner Treff"),
        ("<b>&quot;", "<b>&quot;"),
        (f"a{OVERRIDES}b", "ab"),
        ("a\r\n\x00\x1b[31mb\u2028c", "a [31mb c"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d💻 ❤\ufe0f", "👩\u200d💻 ❤\ufe0f"),
        ("\ufe0f\u200d x", "x"),
        ("x" * 100, "x" * 100),
        ("x" * 101, ""),
        ("\u200b" * 10_000 + "x", ""),
        ("\u200b\u202e ", ""),
        ("\u0301", ""),
    ],
)
def test_a_title_is_one_line(text: str, title: str) -> None:
    """A title is one line, which changes nothing around it; too long a one is none."""
    assert title_of(text) == title


def test_lines_have_their_lengths() -> None:
    """Other lines have other lengths."""
    assert one_line("x" * 101, 200) == "x" * 101
