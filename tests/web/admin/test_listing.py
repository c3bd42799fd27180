"""`livechat.web.admin.listing`."""

from __future__ import annotations

import pytest

from livechat.errors import ChatError
from livechat.web.admin.listing import LINES, Lines


def test_a_list_is_cut_into_pages() -> None:
    lines = Lines(range(2 * LINES + 1), {"page": "2", "room": "a b", "other": "x"}, "room")
    assert list(lines.shown) == list(range(LINES, 2 * LINES))
    assert (lines.found, lines.page, lines.pages) == (2 * LINES + 1, 2, 3)
    assert lines.at(3) == "?room=a+b&page=3"
    assert lines.at(1) == "?room=a+b"


def test_behind_the_last_one() -> None:
    """A list that has become shorter shows its last page."""
    assert Lines([1], {"page": "9"}).page == 1
    assert Lines([], {}).pages == 1
    assert Lines([], {}).at(1) == ""


@pytest.mark.parametrize("page", ["0", "-1", "x", "1.5", "9" * 20])
def test_a_page_that_is_none_is_refused(page: str) -> None:
    with pytest.raises(ChatError):
        Lines([], {"page": page})
