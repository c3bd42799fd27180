"""`livechat.http.plain`."""

from __future__ import annotations

import pytest

from livechat.http.plain import Redirects

REDIRECTS = Redirects(lambda: ("chat.example", "*.rooms.example"))


def answer(line: str, *headers: str) -> tuple[int, str | None]:
    """Answer a request; return the status and the location."""
    head = "\r\n".join([line, *headers]).encode("latin-1")
    assert REDIRECTS.begins(head)
    first, *found = REDIRECTS.answer(head).partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert "Connection: close" in found
    assert not [each for each in found if each.startswith("Strict-Transport-Security")]
    where = [each.removeprefix("Location: ") for each in found if each.startswith("Location: ")]
    return int(first.split()[1]), where[0] if where else None


@pytest.mark.parametrize(
    ("line", "host", "expected"),
    [
        ("GET / HTTP/1.1", "localhost", "https://localhost/"),
        ("POST /a?b=c HTTP/1.0", "chat.example:10443", "https://chat.example:10443/a?b=c"),
        ("GET //evil.example/ HTTP/1.1", "localhost", "https://localhost//evil.example/"),
        (
            "GET /\\evil.example HTTP/1.1",
            "a.rooms.example",
            "https://a.rooms.example/\\evil.example",
        ),
        ("GET http://localhost:1/a HTTP/1.1", "evil.example", "https://localhost:1/a"),
        ("GET http://[::1] HTTP/1.1", "evil.example", "https://[::1]/"),
    ],
)
def test_a_redirect_keeps_host_and_path(line: str, host: str, expected: str) -> None:
    """The same host, of those that are the server's, and the same path."""
    assert answer(line, f"Host: {host}", "X: y") == (308, expected)


@pytest.mark.parametrize(
    ("line", "headers", "status"),
    [
        ("GET / HTTP/1.1", ["Host: evil.example"], 421),
        ("GET http://evil.example/ HTTP/1.1", ["Host: localhost"], 421),
        ("GET http://localhost@evil.example/ HTTP/1.1", ["Host: localhost"], 400),
        ("GET http:/// HTTP/1.1", ["Host: localhost"], 400),
        ("GET / HTTP/1.1", [], 400),
        ("GET / HTTP/1.1", ["Host: localhost", "Host: localhost"], 400),
        ("GET / HTTP/1.1", ["Host : localhost"], 400),
        ("GET / HTTP/1.1", ["Host: localhost/evil"], 400),
        ("GET / HTTP/1.1", ["Host: local\xe4host"], 400),
        ("OPTIONS * HTTP/1.1", ["Host: localhost"], 400),
        ("CONNECT localhost:443 HTTP/1.1", ["Host: localhost"], 400),
    ],
)
def test_a_foreign_name_is_not_redirected(line: str, headers: list[str], status: int) -> None:
    """A request by another name is refused, not redirected."""
    assert answer(line, *headers) == (status, None)


@pytest.mark.parametrize(
    "data",
    [b"SSH-2.0-x\r\n", b"GET", b"GET \xff", b"get / HTTP/1.1\r\n", b"EHLO a\r\n", b"A" * 17,
     b"GET / HTTP/2.0\r\n", b"GET / HTTP/1.1\nHost", b"GET / HTTP/1.1\r\nX: \x00", b"GET /\rH"],
)  # fmt: skip
def test_other_protocols_are_known_at_once(data: bytes) -> None:
    """Other protocols are known at once."""
    assert REDIRECTS.begins(data) == (data in {b"GET", b"GET \xff"})


def test_head_of_a_redirect_has_no_body() -> None:
    """An answer to HEAD has no body."""
    assert REDIRECTS.answer(b"HEAD / HTTP/1.1").endswith(b"\r\n\r\n")
