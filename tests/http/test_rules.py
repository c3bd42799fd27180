"""`livechat.http.rules`."""

from __future__ import annotations

import pytest

from livechat.http.call import Call
from livechat.http.endpoint import Endpoint
from livechat.http.response import Response, json
from tests.support import Port

FORM = {"Content_Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("host", ["", "a@b", "localhost,evil", "a b", "a/b", "[::1", "é", "a:b"])
def test_bad_hosts_are_refused(port: Port, host: str) -> None:
    """A request without a valid Host is refused."""
    answer = port.ask("GET", "/healthz", Host=host)
    assert (answer.status, answer.code()) == (400, "bad_host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "192.0.2.1:10443", "[::1]:10443"])
def test_valid_hosts_are_accepted(port: Port, host: str) -> None:
    """A name or an address, with or without a port, is a Host."""
    assert port.ask("GET", "/healthz", Host=host).status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("chat.example", 200), ("CHAT.example.:8443", 200), ("a.wild.example", 200),
        ("wild.example", 421), ("a.b.wild.example", 421), ("evil.example", 421),
        ("chat.example.evil", 421), ("192.0.2.7", 200), ("[2001:db8::1]:1", 200),
        ("localhost", 200), ("localhost.evil.example", 421), ("127.0.0.1.evil", 421),
        ("1", 421), ("*", 400), ("*.wild.example", 400),
    ],
)  # fmt: skip
def test_only_names_of_the_server_are_answered(port: Port, host: str, status: int) -> None:
    """Only requests to one of the server's names, or to an address, are answered."""
    named = Port(port.world, names=["Chat.example", "*.wild.example"])
    answer = named.ask("GET", "/healthz", Host=host)
    assert answer.status == status
    if status == 421:
        assert answer.code() == "misdirected"
        assert named.ask("GET", "/ws/chat/r/", Host=host).status == 421


def test_two_hosts_are_refused(port: Port) -> None:
    """Two Host headers are refused, even if they say the same."""
    assert port.ask("GET", "/healthz", host="localhost").code() == "bad_host"


FOREIGN = [
    "https://evil.example", "null", "http://localhost:10443", "https://localhost",
    "https://localhost:10444", "https://localhost.evil:10443", "https://evil@localhost:10443",
    "garbage", "https://localhost:10443, https://evil.example", "file://",
]  # fmt: skip


@pytest.mark.parametrize("origin", FOREIGN)
def test_foreign_origins_get_nothing(port: Port, origin: str) -> None:
    """Pages of other origins get nothing, whatever they ask and however they send it."""
    for media in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
        answer = port.ask(
            "POST", "/chat/send/", b'{"message": "x"}', Content_Type=media, Origin=origin
        )
        assert (answer.status, answer.code()) == (403, "bad_origin")
        assert "access-control-allow-origin" not in answer.headers
        assert "access-control-allow-credentials" not in answer.headers
    assert port.ask("GET", "/chat/history/", Origin=origin).status == 403
    assert port.ask("GET", "/ws/chat/r/", Origin=origin).status == 403
    preflight = {"Origin": origin, "Access_Control_Request_Method": "POST"}
    assert port.ask("OPTIONS", "/chat/send/", **preflight).status == 403
    assert port.ask("GET", "/chat/history/").json() == {"chat_history": []}


def test_two_origins_are_refused(port: Port) -> None:
    """Two Origin headers are refused, even if both are the own one."""
    own = "https://localhost:10443"
    assert port.ask("GET", "/chat/history/", Origin=own, origin=own).status == 403


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:10443", "https://localhost:10443"),
        ("Example.org", "https://example.org"),
        ("example.org:443", "https://example.org"),
    ],
)
def test_the_own_origin_may_send(port: Port, host: str, origin: str) -> None:
    """Pages of the server itself may send, with its origin in any spelling."""
    answer = port.ask("POST", "/chat/send/", b"message=x", Host=host, Origin=origin, **FORM)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-credentials" not in answer.headers


def test_an_allowed_origin_may_read_the_answer(port: Port) -> None:
    """Pages of an allowed origin may ask, and may read the answer and its headers."""
    allowed = "https://app.example"
    shared = Port(port.world, origins=[allowed])
    answer = shared.ask("POST", "/chat/send/", b"message=x", Origin=allowed, **FORM)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == allowed
    assert answer.headers["vary"] == "Origin"
    assert "Livechat-Seq" in answer.headers["access-control-expose-headers"]
    assert "Livechat-Case" in answer.headers["access-control-expose-headers"]
    assert answer.headers["access-control-allow-credentials"] == "true"
    refused = shared.ask("POST", "/chat/send/", b"x", Origin=allowed, **FORM)
    assert refused.status == 400
    assert refused.headers["access-control-allow-origin"] == allowed


def test_a_preflight_is_answered(port: Port) -> None:
    """A browser that asks first whether its page may send is told so."""
    shared = Port(port.world, origins=["https://app.example"])
    answer = shared.ask(
        "OPTIONS",
        "/chat/send/r/",
        Origin="https://app.example",
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="content-type",
    )
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == (
        "Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
    )
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert int(answer.headers["access-control-max-age"]) > 0


def test_cross_site_without_origin(port: Port) -> None:
    """A cross-site request that hides its origin may read, as a link may, but not send."""
    cross = {"Sec_Fetch_Site": "cross-site"}
    answer = port.ask("POST", "/chat/send/", b"message=x", **FORM, **cross)
    assert (answer.status, answer.code()) == (403, "bad_origin")
    assert port.ask("GET", "/chat/history/", **cross).status == 200


def test_endpoints_are_closed_to_foreign_pages(port: Port) -> None:
    """An endpoint that says nothing of origins is closed to pages of other sites."""

    async def answer(call: Call) -> Response:
        return json({})

    port.tree.put("/x", Endpoint({"POST": answer}))
    assert port.ask("POST", "/x", Origin="https://evil.example").status == 403
    assert port.ask("POST", "/x").status == 200


def test_health_is_for_everybody(port: Port) -> None:
    """An endpoint without an audience of pages ignores origins."""
    assert port.ask("GET", "/healthz", Origin="https://evil.example").status == 200


def test_headers_for_every_answer(port: Port) -> None:
    """The server's own headers are on answers and refusals alike."""
    strict = Port(port.world, headers=(("Strict-Transport-Security", "max-age=1"),))
    for path in ("/healthz", "/nowhere"):
        assert strict.ask("GET", path).headers["strict-transport-security"] == "max-age=1"
