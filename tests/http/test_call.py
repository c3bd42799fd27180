"""`livechat.http.call`."""

from __future__ import annotations

import pytest

from livechat.errors import ChatError, Kind
from livechat.http import call as module
from livechat.http.call import Call, fields
from livechat.http.origins import Asked
from livechat.limits.rates import Rate
from livechat.limits.source import Source


def call(query: str = "", body: bytes = b"", **headers: str) -> Call:
    given = {name.replace("_", "-"): (value,) for name, value in headers.items()}
    return Call("GET", "/", query, given, body, Source("192.0.2.1", Rate.of(0)))


def test_fields_of_a_form_are_decoded() -> None:
    """A form's fields are decoded."""
    assert fields("a=1&b=%C3%A9+x&c=") == {"a": "1", "b": "é x", "c": ""}
    assert fields("") == {}


@pytest.mark.parametrize(
    "text",
    ["a=1&a=2", "a=%ff", "&".join(f"f{n}=" for n in range(101))],
    ids=["repeated", "not UTF-8", "too many"],
)
def test_fields_that_are_ambiguous_are_refused(text: str) -> None:
    """A repeated field, one that is no UTF-8, and very many are refused."""
    with pytest.raises(ValueError, match=r".+"):
        fields(text)


def test_taken_apart_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The query, the form and a header's tokens are read once, however often they are asked for."""
    asked = call("a=1", b"b=2", content_type=module.FORM, upgrade="h2c, WebSocket")
    assert (asked.query, asked.form, asked.media_type) == ({"a": "1"}, {"b": "2"}, module.FORM)
    assert asked.tokens("upgrade") == ("h2c", "WebSocket")
    assert asked.lists("upgrade", "websocket")
    assert not asked.lists("connection", "upgrade")
    monkeypatch.setattr(module, "fields", None)
    assert (asked.query, asked.form) == ({"a": "1"}, {"b": "2"})
    assert asked.tokens("upgrade") is asked.tokens("upgrade")


@pytest.mark.parametrize(
    ("query", "body", "media", "kind"),
    [
        ("a=1&a=2", b"", "", Kind.BAD_QUERY),
        ("", b"a=%ff", module.FORM, Kind.BAD_FORM),
        ("", b"\xff", module.FORM, Kind.BAD_FORM),
        ("", b"{}", "application/json", Kind.UNSUPPORTED_MEDIA_TYPE),
    ],
)
def test_an_unreadable_query_is_refused_at_each_access(
    query: str, body: bytes, media: str, kind: Kind
) -> None:
    """An unreadable query or form is refused at each access."""
    asked = call(query, body, content_type=media)
    for _ in range(2):
        with pytest.raises(ChatError) as raised:
            _ = asked.query, asked.form
        assert raised.value.kind == kind


def test_a_repeated_header_is_refused() -> None:
    """A header that must not be repeated is refused where it is."""
    asked = Call("GET", "/", "", {"x": ("1", "2")}, b"", Source("192.0.2.1", Rate.of(0)))
    assert asked.joined("x") == "1, 2"
    with pytest.raises(ChatError):
        asked.header("X")


@pytest.mark.parametrize(
    ("given", "token"),
    [
        ((), None),
        (("Bearer x.y-z",), "x.y-z"),
        (("bearer  x",), "x"),
        (("BEARER x ",), "x"),
        (("Bearer ",), None),
        (("Bearer",), None),
        (("Basic x",), None),
        (("x",), None),
    ],
)
def test_a_token_stands_behind_its_scheme(given: tuple[str, ...], token: str | None) -> None:
    """The token is the text behind the scheme."""
    headers = {"authorization": given} if given else {}
    asked = Call("GET", "/", "", headers, b"", Source("192.0.2.1", Rate.of(0)))
    assert asked.bearer == token


def test_two_tokens_are_refused() -> None:
    """A request with two tokens is refused."""
    headers = {"authorization": ("Bearer a", "Bearer b")}
    asked = Call("GET", "/", "", headers, b"", Source("192.0.2.1", Rate.of(0)))
    with pytest.raises(ChatError) as refused:
        _ = asked.bearer
    assert refused.value.kind is Kind.BAD_REQUEST


@pytest.mark.parametrize(
    ("address", "host", "headers", "proxied", "local", "direct"),
    [
        ("127.0.0.1", "localhost:1", (), False, True, True),
        ("::1", "[::1]:1", (), False, True, True),
        # A proxy on this machine is trusted; what it passes on says so.
        ("127.0.0.1", "localhost", (), True, False, True),
        ("127.0.0.1", "localhost", ("x-forwarded-for",), True, False, False),
        ("127.0.0.1", "localhost", ("forwarded",), False, False, False),
        ("127.0.0.1", "localhost", ("via",), False, False, False),
        ("127.0.0.1", "chat.example", (), False, False, False),
        ("192.0.2.1", "localhost", (), False, False, False),
    ],
)
def test_requests_of_this_machine(
    address: str, host: str, headers: tuple[str, ...], proxied: bool, local: bool, direct: bool
) -> None:
    """A client on this machine that means this machine, and nobody that a proxy stands for."""
    source = Source(address, Rate.of(0))
    given = dict.fromkeys(headers, ("x",))
    asked = Call("GET", "/", "", given, b"", source, proxied=proxied, asked=Asked(host))
    assert (asked.is_local, asked.is_direct) == (local, direct)


@pytest.mark.parametrize(
    ("address", "host", "direct"),
    [("127.0.0.1", "localhost", True), ("192.0.2.1", "localhost", False), ("::1", "x.org", False)],
)
def test_requests_over_a_socket_file(address: str, host: str, direct: bool) -> None:
    """A command says whom it is from as a proxy does, and is known by nothing but its key."""
    said = {"x-forwarded-for": (address,), "x-forwarded-proto": ("https",)}
    source = Source(address, Rate.of(0))
    asked = Call("GET", "/", "", said, b"", source, proxied=True, by_file=True, asked=Asked(host))
    assert (asked.is_local, asked.is_direct) == (False, direct)
