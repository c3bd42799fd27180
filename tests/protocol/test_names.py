"""`livechat.protocol.names`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from livechat.errors import ChatError, Kind
from livechat.protocol.names import is_room_name, room_name

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "name", ["a", "lobby", "room_name", "A-Z.~_0", "...", "x" * 128, "0", "-", "__proto__"]
)
def test_unreserved_characters_name_a_room(name: str) -> None:
    """Unreserved characters make a room's name, up to 128 of them."""
    assert room_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "x" * 129, "a/b", "a b", "a%20b", "a\n", "\n", "\x00", "é", "ｒｏｏｍ",
        "rооm", "a\u200bb", "a\u202eb", "\ufeffa", "*", "[a-z]", "a:b", "{a}", "a?b", "a#b", "٣",
        "!", "!audit", "%21audit", "！audit", "a!b",
    ],
)  # fmt: skip
def test_other_names_are_refused(name: str) -> None:
    """Everything else is refused."""
    with pytest.raises(ChatError) as caught:
        room_name(name)
    assert caught.value.kind is Kind.BAD_ROOM


def test_the_pages_know_names() -> None:
    """The chat of a page tells what is no room's name as the server does."""
    script = (ROOT / "static" / "chat" / "chat-entrance.js").read_text()
    (found,) = re.findall(r"const ROOM_NAME = /\^(.*)\$/;", script)
    names = [
        "a",
        "a.b~c-_9",
        "x" * 128,
        "x" * 129,
        "",
        ".",
        "..",
        "...",
        "a b",
        "é",
        "a\n",
        "٣",
        "!audit",
    ]
    for name in names:
        assert bool(re.fullmatch(found, name, re.ASCII)) == is_room_name(name), name
