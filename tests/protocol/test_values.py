"""`livechat.protocol.values`."""

from __future__ import annotations

import pytest

from livechat.errors import ChatError
from livechat.protocol.values import place_of_text


@pytest.mark.parametrize("text", ["k:7", "a-_Z:7", "k:0", f"k:{2**53 - 1}"])
def test_a_place_is_read_back(text: str) -> None:
    """A place is written as it is read."""
    found = place_of_text(text)
    assert f"{found.epoch}:{found.seq}" == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "k",
        "k:",
        ":7",
        "7",
        "k:-1",
        "k:x",
        "k:٣",
        f"k:{2**53}",
        "k" * 65 + ":1",
        "a:b:7",
        "a\n\n:5",
        "é:5",
        "a\0:5",
    ],
)
def test_texts_that_are_no_place_are_refused(text: str) -> None:
    """Text that is no place is refused."""
    with pytest.raises(ChatError):
        place_of_text(text)
