"""`livechat.http.forwarded`."""

from __future__ import annotations

import pytest

from livechat.errors import ChatError, Kind
from livechat.http.forwarded import Forwarded, forwarded


def read(**headers: str | tuple[str, ...]) -> Forwarded:
    return forwarded(
        {
            name.replace("_", "-"): (value,) if isinstance(value, str) else value
            for name, value in headers.items()
        }
    )


@pytest.mark.parametrize(
    ("headers", "host", "scheme"),
    [
        ({}, None, None),
        ({"x_forwarded_host": "chat.example"}, "chat.example", None),
        ({"x_forwarded_host": "Chat.Example:8443"}, "chat.example:8443", None),
        ({"x_forwarded_host": "chat.example:443"}, "chat.example", None),
        ({"x_forwarded_host": "[2001:db8::1]:8443"}, "[2001:db8::1]:8443", None),
        ({"x_forwarded_proto": "HTTPS"}, None, "https"),
        ({"x_forwarded_proto": "wss"}, None, "https"),
        ({"x_forwarded_proto": "ws"}, None, "http"),
        ({"x_forwarded_host": "a:80", "x_forwarded_proto": "http"}, "a", "http"),
        # The last hop's value counts, in one header or in several.
        ({"x_forwarded_host": "evil.example, chat.example"}, "chat.example", None),
        ({"x_forwarded_host": ("evil.example", "a , chat.example")}, "chat.example", None),
        ({"x_forwarded_host": "evil@x, chat.example"}, "chat.example", None),
        ({"x_forwarded_proto": ("ftp", "http, https")}, None, "https"),
        # RFC 7239.
        ({"forwarded": "for=192.0.2.1;host=chat.example;proto=https"}, "chat.example", "https"),
        ({"forwarded": 'Host="chat.example:8443" ; PROTO=http'}, "chat.example:8443", "http"),
        ({"forwarded": 'for="[2001:db8::1]";host="[::1]:1"'}, "[::1]:1", None),
        ({"forwarded": r'host="ch\at.example"'}, "chat.example", None),
        ({"forwarded": "host=evil.example;proto=http, host=chat.example"}, "chat.example", None),
        ({"forwarded": ("host=evil.example", "proto=https")}, None, "https"),
        ({"forwarded": 'for="a, host=evil.example";host=chat.example'}, "chat.example", None),
        # Both say the same.
        (
            {
                "forwarded": 'host="chat.example:443";proto=https',
                "x_forwarded_host": "CHAT.example",
            },
            "chat.example",
            "https",
        ),
    ],
)
def test_what_the_last_hop_says(
    headers: dict[str, str | tuple[str, ...]], host: str | None, scheme: str | None
) -> None:
    assert read(**headers) == Forwarded(host, scheme)


@pytest.mark.parametrize(
    "headers",
    [
        {"x_forwarded_host": ""}, {"x_forwarded_host": "chat.example,"},
        {"x_forwarded_host": ("chat.example", "")}, {"x_forwarded_host": "a b"},
        {"x_forwarded_host": "user@chat.example"}, {"x_forwarded_host": "https://chat.example"},
        {"x_forwarded_host": "chat.example/x"}, {"x_forwarded_host": "chat.example:99999"},
        {"x_forwarded_host": "[::1"}, {"x_forwarded_host": "[::zz]"}, {"x_forwarded_host": "\xe9"},
        {"x_forwarded_host": "*"}, {"x_forwarded_host": "a:b"},
        {"x_forwarded_proto": "ftp"}, {"x_forwarded_proto": ""}, {"x_forwarded_proto": "https;"},
        {"forwarded": ""}, {"forwarded": "junk"}, {"forwarded": "host="}, {"forwarded": "=a"},
        {"forwarded": 'host="a'}, {"forwarded": "host=a;host=b"}, {"forwarded": "host=a;;for=b"},
        {"forwarded": "host=a,"}, {"forwarded": "host = a"}, {"forwarded": "proto=ftp"},
        {"forwarded": "host=user@a"}, {"forwarded": 'host=""'}, {"forwarded": 'host="a b"'},
        {"forwarded": 'host="a"b'}, {"forwarded": 'host="a\\'}, {"forwarded": "host=[::1]"},
        # A quotation mark that a client leaves open swallows no other line.
        {"forwarded": ('for="x', 'host=evil.example"')},
        {"forwarded": ('host="evil.example', "host=chat.example")},
        # The two headers differ.
        {"forwarded": "host=a", "x_forwarded_host": "b"},
        {"forwarded": "proto=http", "x_forwarded_proto": "https"},
        {"forwarded": 'host="a:80"', "x_forwarded_host": "a"},
    ],
)  # fmt: skip
def test_what_cannot_be_understood(headers: dict[str, str | tuple[str, ...]]) -> None:
    with pytest.raises(ChatError) as refused:
        read(**headers)
    assert refused.value.kind is Kind.BAD_HOST


@pytest.mark.parametrize(
    "text", ['host="' + "\\a" * 8_000, ";".join(["a=b"] * 4_000), " " * 16_000, "a=b," * 4_000]
)
def test_long_headers(text: str) -> None:
    """A header as long as a head may be is read in one pass."""
    with pytest.raises(ChatError):
        read(forwarded=text)
