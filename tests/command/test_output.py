"""`livechat.command.output`."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from livechat.command.output import Output, printable, table, time_here


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07hi", "\ufffd]0;title\ufffdhi"),
        ("\x1b[2J", "\ufffd[2J"),
        ("a\rb", "a\ufffdb"),
        ("a\r\nb\nc", "a ⏎ b ⏎ c"),
        ("\u202eevil", "\ufffdevil"),
        ("\u2028", "\ufffd"),
        ("\x9b31m", "\ufffd31m"),
        ("\ud800", "\ufffd"),
        ("👩\u200d💻 é 漢", "👩\u200d💻 é 漢"),
        ("a\tb", "a b"),
    ],
)
def test_what_terminals_would_obey(text: str, shown: str) -> None:
    """People's words stay text on one line."""
    assert printable(text) == shown


def test_output_is_words_or_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Output is a line of words, or of JSON without a line break."""
    Output(as_json=False).show({"a": 1}, "words")
    Output(as_json=True).show({"a": "é\n"}, "words")
    words, value = capsys.readouterr().out.splitlines()
    assert words == "words"
    assert json.loads(value) == {"a": "é\n"}


def test_a_table_has_aligned_columns() -> None:
    assert table([("A", "BB"), ("long", "x")]) == "A     BB\nlong  x"


@pytest.mark.parametrize(
    ("now", "shown"),
    [
        ("2026-11-28T00:00:07", "00:00:07"),
        ("2026-11-28T23:59:59", "00:00:07"),
        ("2026-11-29T00:00:00", "2026-11-28 00:00:07"),
        ("2026-11-27T23:59:59", "2026-11-28 00:00:07"),
        ("2027-11-28T00:00:07", "2026-11-28 00:00:07"),
    ],
)
def test_a_time_of_another_day_has_its_date(now: str, shown: str) -> None:
    then = datetime(2026, 11, 28, 0, 0, 7).astimezone()
    assert time_here(1_000 * then.timestamp(), datetime.fromisoformat(now).timestamp()) == shown
