"""`livechat.addresses`."""

from __future__ import annotations

from pathlib import Path

import pytest

from livechat.addresses import MODE, Address, parse


@pytest.mark.parametrize(
    "text",
    [
        "", "tls", "tls:", "tls:x", "tls:65536", "tls:-1", "tls:10443x", "tls:::10443",
        "tls:[::10443", "tls:[::]", "tls:[::]:", "tls::10443", "tls:localhost:10443",
        "tls:[127.0.0.1]:1",
        "tls:[fe80::1%eth0]:1", "tls:1.2.3.4:1:2", "tls:[loopback]:1", "tls:٣", "tcp:80", "TLS:1",
        "http:", "http://127.0.0.1:80", "https:443", "unix:", "unix", "unix::mode=660",
        "unix:/a\0b", "unix:/a:mode=", "unix:/a:mode=9", "unix:/a:mode=888", "unix:/a:mode=rw",
        "unix:/a:mode=66", "unix:/a:mode=0o660", "unix:/a:mode=1777", "unix:/a:mode=660:mode=660",
        "unix:/a:owner=me", r"unix:/a\b", "unix:/a:group=", "unix:/a:group=a\nb",
        "unix:/a:", "unix:/a:660",
    ],
)  # fmt: skip
def test_texts_that_are_no_address_are_refused(text: str) -> None:
    """Text that is no address is refused with a sentence."""
    with pytest.raises(ValueError, match=r"^must "):
        parse(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tls:10443", Address("tls", "loopback", 10443)),
        ("tls:loopback:0", Address("tls", "loopback", 0)),
        ("tls:[::]:10443", Address("tls", "::", 10443)),
        ("tls:[0:0::1]:10443", Address("tls", "::1", 10443)),
        ("http:8080", Address("http", "loopback", 8080)),
        ("http:192.0.2.1:8080", Address("http", "192.0.2.1", 8080)),
        ("unix:a.sock", Address("unix", path=Path("a.sock"))),
        ("unix:/a:mode=600", Address("unix", path=Path("/a"), mode=0o600)),
        ("unix:/a:mode=0666:group=www-data", Address("unix", "", 0, Path("/a"), 0o666, "www-data")),
        (r"unix:/a\:b\\c", Address("unix", path=Path(r"/a:b\c"), mode=MODE)),
        (r"unix:/a\\:mode=600", Address("unix", path=Path("/a\\"), mode=0o600)),
    ],
)
def test_an_address_is_read_back(text: str, address: Address) -> None:
    """An address is what its text says, and is written so that it is read again."""
    assert parse(text) == address
    assert parse(str(address)) == address


def test_who_can_connect() -> None:
    """Only this machine reaches the loopback and socket files."""
    local = ("tls:1", "http:127.0.0.9:1", "http:[::1]:1", "unix:/a")
    assert all(parse(each).is_local for each in local)
    assert not any(parse(each).is_local for each in ("tls:0.0.0.0:1", "http:[::]:1"))
