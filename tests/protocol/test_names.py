"""`livechat.protocol.names`."""

from __future__ import annotations

import pytest

from livechat.errors import ChatError, Kind
from livechat.protocol.names import origin, room_name


@pytest.mark.parametrize(
    "name", ["a", "lobby", "room_name", "A-Z.~_0", "...", "x" * 128, "0", "-", "__proto__"]
)
def test_rooms(name: str) -> None:
    """Unreserved characters make a room's name, up to 128 of them."""
    assert room_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "x" * 129, "a/b", "a b", "a%20b", "a\n", "\n", "\x00", "é", "ｒｏｏｍ",
        "rооm", "a\u200bb", "a\u202eb", "\ufeffa", "*", "[a-z]", "a:b", "{a}", "a?b", "a#b", "٣",
    ],
)  # fmt: skip
def test_no_rooms(name: str) -> None:
    """Everything else is refused."""
    with pytest.raises(ChatError) as caught:
        room_name(name)
    assert caught.value.kind is Kind.BAD_ROOM


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.org", "https://example.org"),
        ("https://example.org/", "https://example.org"),
        ("HTTPS://Example.ORG:443", "https://example.org"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://example.org:8443", "https://example.org:8443"),
        ("https://[::1]:10443", "https://[::1]:10443"),
    ],
)
def test_origins(text: str, expected: str) -> None:
    """An origin is written in one way, whatever way it came."""
    assert origin(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "*", "example.org", "https://", "ftp://example.org", "https://a/b",
        "https://a?b", "https://a#b", "https://u@a", "https://u:p@a", "https://a:b",
        "https://a:99999", "https://a b", "https://exämple.org", "//a", "file:///x",
        "https://a, https://b", "https://a\\b", "https://[::1",
    ],
)  # fmt: skip
def test_no_origins(text: str) -> None:
    """Everything else is none."""
    with pytest.raises(ValueError, match=r".*"):
        origin(text)
