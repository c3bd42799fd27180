"""`livechat.web.queries`."""

from __future__ import annotations

import pytest

from livechat.errors import ChatError, Kind
from livechat.rooms.history import Window
from livechat.web.queries import number, window


def test_a_number_is_in_ascii_digits() -> None:
    """A number is in ASCII digits, or left out."""
    assert number({"n": "007"}, "n") == 7
    assert number({}, "n") is None


@pytest.mark.parametrize("text", ["", "-1", "+1", "1_0", " 1", "1.0", "\u0663", "9" * 16])
def test_other_forms_of_numbers_are_refused(text: str) -> None:
    """Other forms of a number, which Python would read, are refused."""
    with pytest.raises(ChatError) as raised:
        number({"n": text}, "n")
    assert raised.value.kind == Kind.BAD_QUERY


def test_a_window_is_on_one_side_of_a_number() -> None:
    """The newest messages are the default; a query names one side of a number, not both."""
    assert window({}, 50) == Window(50)
    assert window({"limit": "3", "after": "9"}, 50) == Window(3, after=9)
    with pytest.raises(ChatError):
        window({"before": "1", "after": "9"}, 50)
