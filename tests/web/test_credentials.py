"""`livechat.web.credentials`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from livechat.errors import ChatError, Kind
from livechat.http.access_log import AccessLog
from livechat.http.call import Call
from livechat.http.origins import Asked, Origins
from livechat.limits.rates import Rate
from livechat.limits.source import Source
from livechat.web.credentials import CredentialFinder
from tests.support import HANDSHAKE, Port, World, request, run

OWN, ALLOWED, FOREIGN = "https://localhost:10443", "https://app.example", "https://evil.example"


def find(
    world: World, named: str | None = "chat", /, **headers: str | tuple[str, ...]
) -> str | None:
    """Find the token of a request with these headers; underscores are dashes."""
    origins = Origins(frozenset({ALLOWED, "null"}), lambda: ("localhost",), world.time)
    given = {
        name.replace("_", "-"): (value,) if isinstance(value, str) else value
        for name, value in headers.items()
    }
    source = Source("192.0.2.1", Rate.of(0))
    call = Call("GET", "/", "token=q", given, b"", source, asked=Asked("localhost:10443"))
    return CredentialFinder(origins, named).find(call)


def test_the_header_counts_before_subprotocol_and_cookie(world: World) -> None:
    """The header counts first, then the subprotocol, then the cookie; never the query."""
    given: dict[str, Any] = {
        "authorization": "Bearer h",
        "sec_websocket_protocol": "livechat.v1, livechat.token.s",
        "cookie": "a=b; chat=c",
        "origin": ALLOWED,
    }
    for expected in ("h", "s", "c"):
        assert find(world, **given) == expected
        del given[next(iter(given))]
    assert find(world, **given) is None
    assert find(world) is None


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"origin": OWN}, True),
        ({"origin": ALLOWED}, True),
        ({"origin": ALLOWED, "sec_fetch_site": "cross-site"}, True),
        ({"sec_fetch_site": "same-origin"}, True),
        ({}, False),
        ({"origin": FOREIGN}, False),
        ({"origin": FOREIGN, "sec_fetch_site": "same-origin"}, False),
        ({"origin": "null"}, False),
        ({"origin": "null", "sec_fetch_site": "same-origin"}, False),
        ({"origin": (ALLOWED, OWN)}, False),
        ({"origin": ""}, False),
        ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"sec_fetch_site": ("same-origin", "same-origin")}, False),
    ],
)
def test_a_cookie_counts_on_allowed_pages_only(
    world: World, headers: dict[str, Any], found: bool
) -> None:
    """A cookie counts only where a page sent the request that may use it."""
    assert find(world, cookie="chat=c", **headers) == ("c" if found else None)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (("chat=c",), "c"), (('x; chat="c" ;y=z',), "c"), (("a=b", "chat=c"), "c"),
        (("chat=",), None), (("chat",), None), (("Chat=c; chats=c; xchat=c",), None),
        (("a=chat=c",), None), (("",), None), (("chat=a=b",), "a=b"),
    ],
)  # fmt: skip
def test_a_cookie_is_found_by_its_name(
    world: World, lines: tuple[str, ...], found: str | None
) -> None:
    """A cookie is found by its name among others."""
    assert find(world, origin=OWN, cookie=lines) == found


def test_without_the_option_no_cookie_counts(world: World) -> None:
    """No cookie counts unless the operator named one."""
    assert find(world, None, cookie="chat=c; None=d", origin=OWN) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": ("Bearer a", "Bearer b")},
        {"sec_websocket_protocol": "livechat.token.a,livechat.token.b"},
        {"origin": OWN, "cookie": "chat=a; chat=b"},
    ],
)
def test_a_request_with_two_tokens_is_refused(world: World, headers: dict[str, Any]) -> None:
    """A request with two tokens is refused."""
    with pytest.raises(ChatError) as caught:
        find(world, **headers)
    assert caught.value.kind is Kind.BAD_REQUEST


def test_an_empty_token_is_ignored(world: World) -> None:
    """An empty token is ignored."""
    given = {"authorization": "Bearer ", "sec_websocket_protocol": "livechat.token."}
    assert find(world, **given, origin=OWN, cookie="chat=c") == "c"


@pytest.mark.parametrize("spoken", ["livechat.v1", "livechat.plain"])
def test_the_token_is_never_echoed(port: Port, spoken: str) -> None:
    """The chosen subprotocol is echoed, and the token never."""
    token = run(port.world.tokens.mint("42", name="Ann")).token
    wire = port.connect()
    offered = {"Sec_WebSocket_Protocol": f"livechat.token.{token}, {spoken}"}
    wire.send(request("GET", "/ws/chat/r/?history=9", **HANDSHAKE, **offered))
    answer = wire.answer("GET")
    assert (answer.status, answer.headers["sec-websocket-protocol"]) == (101, spoken)
    assert token not in str(answer)
    port.ask("POST", "/chat/send/r/", b'{"message":"x"}', Content_Type="application/json")
    heard = [data.decode() for _, data in wire.frames()]
    if spoken == "livechat.plain":
        assert heard == ['{"message":"x"}']
    else:
        assert '"user":{"id":"42","name":"Ann","verified":true}' in heard[0]


def test_both_subprotocols(port: Port) -> None:
    """The richer one of two subprotocols is chosen, in any order."""
    wire = port.connect()
    offered = {"Sec_WebSocket_Protocol": "livechat.plain, livechat.v1"}
    wire.send(request("GET", "/ws/chat/r/", **HANDSHAKE, **offered))
    assert wire.answer("GET").headers["sec-websocket-protocol"] == "livechat.v1"


def test_a_token_in_the_query(port: Port, tmp_path: Path) -> None:
    """A token in a query is ignored, and is in no log."""
    token = run(port.world.tokens.mint("42", name="Ann")).token
    access = AccessLog(tmp_path / "access.log")
    logged = Port(port.world, access=access)
    for query in (f"token={token}", f"access_token={token}", token, f"Bearer%20{token}"):
        body = {"Content_Type": "application/json"}
        path = f"/chat/send/r/?{query}"
        assert logged.ask("POST", path, b'{"message":"x"}', **body).status == 200
    items = logged.ask("GET", "/chat/history/r/").json()["chat_history"]
    access.close()
    assert not any("user" in each for each in items)
    written = (tmp_path / "access.log").read_text()
    assert len(written.splitlines()) == 5
    assert not any(part in written for part in token.split("."))


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer " + "x" * 65_536},
        {"Sec_WebSocket_Protocol": "livechat.token." + "x" * 65_536, **HANDSHAKE},
    ],
    ids=["header", "subprotocol"],
)
def test_a_huge_token_is_refused(port: Port, headers: dict[str, str]) -> None:
    """A token of 64 KB makes the head too long."""
    assert port.ask("GET", "/ws/chat/r/", **headers).status in (400, 431)
