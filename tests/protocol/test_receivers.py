"""`livechat.protocol.receivers`."""

from __future__ import annotations

import re

import pytest

from livechat.protocol.receivers import receiver_name, receiver_url, shown_url


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "https://example.org:8443/hooks/42?key=v",
        "https://[2001:db8::1]/",
        "http://localhost:8000/",
        "http://127.0.0.1/x",
        "http://127.9.9.9/x",
        "http://[::1]:8000/",
    ],
)
def test_an_address_of_a_receiver_is_taken_as_it_stands(url: str) -> None:
    """An address is taken as it stands, and has a name that stores and monitors can have."""
    assert receiver_url(url) == url
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{8,63}", receiver_name(url))


@pytest.mark.parametrize(
    "url",
    [
        "", "example.org", "//example.org/", "ftp://example.org/", "https:///x", "https://",
        "http://example.org/", "http://10.0.0.1/", "http://169.254.169.254/latest/",
        "http://localhost.example.org/", "http://0.0.0.0/", "http://2130706433/",
        "https://user:password@example.org/", "https://example.org/#x", "https://example.org:0/",
        "https://example.org:99999/", "https://exa mple.org/", "https://example.org/\r\nX: y",
        "https://bücher.example/", "https://[::1", f"https://example.org/{'x' * 2_000}",
    ],
)  # fmt: skip
def test_bad_addresses_of_receivers_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"must (be|have)"):
        receiver_url(url)


def test_a_name_of_a_receiver_tells_no_secret() -> None:
    """Each address has another name, which tells its host and nothing that may be secret."""
    first, second = (receiver_name(f"https://hooks.example.org/{n}") for n in "ab")
    assert first != second
    assert first.startswith("hooks-example-org-")
    assert len(receiver_name(f"https://{'a' * 60}.{'b' * 60}.example/")) <= 64


def test_a_shown_receiver_has_no_path() -> None:
    """The log has the host, and no path: that of some services is a secret."""
    assert (
        shown_url("https://hooks.example.org:444/T0/geheim?x") == "https://hooks.example.org:444/…"
    )
    assert shown_url("https://hooks.example.org") == "https://hooks.example.org/"
