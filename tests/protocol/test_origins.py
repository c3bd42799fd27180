"""`livechat.protocol.origins`."""

from __future__ import annotations

import pytest

from livechat.protocol.origins import (
    Allowed,
    is_among,
    is_host,
    origin,
    origins,
    unmapped,
    without_port,
)


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
        ("capacitor://localhost", "capacitor://localhost"),
        ("Tauri://LocalHost/", "tauri://localhost"),
        ("http://tauri.localhost", "http://tauri.localhost"),
        ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
        ("moz-extension://0-1-2", "moz-extension://0-1-2"),
        ("capacitor://localhost:80", "capacitor://localhost:80"),
    ],
)
def test_an_origin_has_one_spelling(text: str, expected: str) -> None:
    """An origin is written in one way, whatever way it came."""
    assert origin(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "*", "example.org", "https://", "ftp://example.org", "https://a/b",
        "https://a?b", "https://a#b", "https://u@a", "https://u:p@a", "https://a:b",
        "https://a:99999", "https://a b", "https://exämple.org", "//a", "file:///x",
        "https://a, https://b", "https://a\\b", "https://[::1", "capacitor://",
        "capacitor:localhost",
        "data://x", "blob://x", "javascript://x", "wss://example.org", "about://blank",
        "https://*.example.org", "c*://localhost",
    ],
)  # fmt: skip
def test_texts_that_are_no_origin_are_refused(text: str) -> None:
    """Everything else is none."""
    with pytest.raises(ValueError, match=r".*"):
        origin(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("null", "null"),
        ("https://*.Example.org", "https://*.example.org"),
        ("HTTPS://*.example.org:443/", "https://*.example.org"),
        ("http://*.example.org:8080", "http://*.example.org:8080"),
        ("http://*.localhost:3000", "http://*.localhost:3000"),
        ("tauri://localhost", "tauri://localhost"),
    ],
)
def test_what_may_be_allowed(text: str, expected: str) -> None:
    """Operators allow origins, those below a name, and those of pages without one."""
    assert origins(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "*", "https://*", "https://*.org", "https://*.", "https://*example.org", "https://a.*.org",
        "https://*.*.example.org", "*.example.org", "https://*.example.org/x", "NULL", "null ",
        "capacitor://*.example.org", "https://*.example.org:x", "://*.example.org",
        "https://u@*.example.org", "https://*.u@example.org", "file://*.example.org",
    ],
)  # fmt: skip
def test_what_may_not_be_allowed(text: str) -> None:
    """Everything else is told, such as a whole top-level domain."""
    with pytest.raises(ValueError, match=r"^must "):
        origins(text)


@pytest.mark.parametrize(
    ("found", "allowed"),
    [
        ("https://a.example.org", True), ("https://a.b.example.org", True),
        ("https://a-1.b_2.example.org", True), ("https://example.org", False),
        ("https://evil-example.org", False), ("https://.example.org", False),
        ("https://a..example.org", False), ("https://a.example.org.evil.example", False),
        ("https://a.example.org.", False), ("https://a.exampleXorg", False),
        ("https://a.example.org:8443", False), ("http://a.example.org", False),
        ("https://*.example.org", False), ("https://a.example.org\n", False),
        ("https://a.example.org:8000", False), ("https://a.ports.example:8000", True),
        ("https://a.ports.example", False), ("https://a.ports.example:80000", False),
        ("capacitor://localhost", True), ("capacitor://localhost:1", False),
        ("https://localhost", False), ("null", False), (None, False),
    ],
)  # fmt: skip
def test_a_wildcard_is_one_label_or_more(found: str | None, allowed: bool) -> None:
    """A wildcard is a label or more, and neither the bare domain nor another port or suffix."""
    given = ["https://*.example.org", "https://*.ports.example:8000", "capacitor://localhost"]
    assert (found in Allowed(given)) is allowed
    assert "null" in Allowed([*given, "null"])


@pytest.mark.parametrize(
    ("host", "among"),
    [("chat.example.org", True), ("CHAT.example.org:443", True), ("chat.example.org.", True),
     ("a.example.com", True), ("a.b.example.com", False), ("example.com", False),
     ("evil.org", False), ("chat.example.org.evil.org", False), ("192.0.2.1", True),
     ("[2001:db8::1]:443", True), ("localhost:8443", True)],
)  # fmt: skip
def test_hosts_of_a_server_are_its_names_and_addresses(host: str, among: bool) -> None:
    """A server has its names, those under a wildcard, and all addresses."""
    assert is_among(host, ("chat.example.org", "*.example.com")) is among
    assert is_among(host, ("*",))


@pytest.mark.parametrize("text", ["a", "a-b.example.org:1", "192.0.2.1", "[::1]:443"])
def test_a_host_is_a_name_or_an_address(text: str) -> None:
    """A name or an address, and perhaps a port."""
    assert is_host(text)
    assert ":" not in without_port(text).strip("[]:1")


@pytest.mark.parametrize("text", ["", "a b", "a:123456", "a/b", "a@b", "::1", "a:b", "é", "a\n"])
def test_texts_that_are_no_host_are_refused(text: str) -> None:
    """Everything else is none."""
    assert not is_host(text)


def test_a_mapped_address_is_the_address() -> None:
    """An address of version 4 in version 6 is the same address."""
    assert unmapped("::ffff:192.0.2.1") == unmapped("192.0.2.1") == "192.0.2.1"
    assert unmapped("2001:DB8:0::1") == "2001:db8::1"
    with pytest.raises(ValueError, match="x"):
        unmapped("x")
