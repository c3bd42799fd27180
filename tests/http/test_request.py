"""`livechat.http.request`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from livechat.http.access_log import AccessLog
from livechat.http.connection import _Stage
from tests.support import HANDSHAKE, Port, World, request

JSON = {"Content_Type": "application/json"}


def post(text: str = "hi") -> bytes:
    return request("POST", "/chat/send/", json.dumps({"message": text}).encode(), **JSON)


def test_a_body_that_says_it_is_too_large(port: Port) -> None:
    """Such a body is refused before it comes, and is not asked for."""
    for length in (port.factory.max_body + 1, 10**20):
        wire = port.connect()
        headers = {"Content_Length": str(length), "Expect": "100-continue"}
        wire.send(request("POST", "/chat/send/", **JSON, **headers))
        assert wire.answer().code() == "body_too_large"
        assert wire.closing
        wire.send(b"x" * 1_000_000)
        assert wire.received() == b""


@pytest.mark.parametrize("target", ["/chat/send/", "/nowhere"])
def test_a_body_that_grows_too_large(port: Port, target: str) -> None:
    """A body in chunks is refused where it exceeds the bound, on any URL."""
    wire = port.connect()
    wire.send(request("POST", target, Content_Length="", Transfer_Encoding="chunked", **JSON))
    chunk = b"x" * 10_000
    for _ in range(40):
        wire.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
    wire.send(b"0\r\n\r\n")
    assert wire.answer().code() == "body_too_large"
    assert port.world.hub.members("r") == 0


def test_a_chunk_that_says_it_is_huge(port: Port) -> None:
    """A chunk may claim any size: what comes of it is bounded."""
    wire = port.connect()
    wire.send(
        request("POST", "/chat/send/", Content_Length="", Transfer_Encoding="chunked", **JSON)
    )
    wire.send(b"FFFFFFFFFFFFFFFF\r\n" + b"x" * (port.factory.max_body + 1))
    assert wire.answer().code() == "body_too_large"


def test_a_body_of_exactly_the_bound_is_read(port: Port) -> None:
    """A body of exactly the bound is read, in one piece or in chunks."""
    body = json.dumps({"message": "hi"}).encode().ljust(port.factory.max_body)
    assert port.ask("POST", "/chat/send/", body, **JSON).status == 200
    wire = port.connect()
    wire.send(
        request("POST", "/chat/send/", Content_Length="", Transfer_Encoding="chunked", **JSON)
    )
    wire.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    assert wire.answer().status == 200


def test_an_absolute_target_is_understood(port: Port) -> None:
    """A target may be a whole URL, as clients of proxies send it."""
    for target in ("https://localhost:10443/healthz", "HTTP://other/healthz?x=https://y/"):
        assert port.ask("GET", target).json()["status"] == "ok"
    for target in ("https://localhost", "https://localhost?x=/nowhere"):
        assert port.ask("GET", target).headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("https://evil.example/healthz", "localhost", 421),
        ("http://evil.example/healthz", "localhost", 421),
        ("https://evil.example", "localhost", 421),
        ("https://evil.example?x", "localhost", 421),
        ("https://evil.example:10443/healthz", "localhost:10443", 421),
        ("https://localhost@evil.example/healthz", "localhost", 400),
        ("https://user:word@localhost/healthz", "localhost", 400),
        ("https://localhost:x/healthz", "localhost", 400),
        ("https:///healthz", "localhost", 400),
        ("https://a%2eb/healthz", "localhost", 400),
        # The target counts, and what Host says besides does not, if it says it as it should.
        ("https://localhost/healthz", "evil.example", 200),
        ("HTTPS://LOCALHOST:443/healthz", "evil.example", 200),
        ("https://[::1]:10443/healthz", "localhost", 200),
        ("https://localhost/healthz", "", 400),
        ("https://localhost/healthz", "a b", 400),
        ("https://localhost/healthz", "a\r\nHost: b", 400),
        ("ftp://localhost/healthz", "localhost", 404),
        ("//localhost/healthz", "localhost", 404),
    ],
)
def test_an_authority_takes_the_place_of_host(
    world: World, target: str, host: str, status: int
) -> None:
    """The authority of a target takes the place of Host (RFC 9112, section 3.2.2)."""
    port = Port(world, names=["localhost"])
    assert port.ask("GET", target, Host=host).status == status


def test_the_origin_and_the_authority_of_a_target(world: World) -> None:
    """The target's authority decides the server's own origin as well."""
    port = Port(world, names=["one.example", "two.example"])
    for origin, status in (("https://two.example", 200), ("https://one.example", 403)):
        answer = port.ask(
            "GET", "https://two.example/chat/history/", Host="one.example", Origin=origin
        )
        assert answer.status == status


def test_a_client_that_leaves_while_it_is_answered(port: Port) -> None:
    """A message whose sender does not wait is stored all the same."""
    port.world.writer.held = True
    wire = port.connect()
    wire.send(post())
    wire.hang_up()
    port.world.write()
    history = port.ask("GET", "/chat/history/").json()["chat_history"]
    assert [each["message"] for each in history] == ["hi"]


def test_a_handshake_is_answered_and_frames_follow(port: Port) -> None:
    """A handshake is answered as RFC 6455, section 1.3, says, and frames follow."""
    wire = port.connect()
    wire.send(request("GET", "/ws/chat/r", **HANDSHAKE))
    answer = wire.answer()
    assert answer.status == 101
    assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert "server" not in answer.headers
    assert "sec-websocket-extensions" not in answer.headers
    wire.says("hi")
    assert wire.heard() == ["hi"]


def test_a_client_that_leaves_while_joining(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that hangs up while it joins is in no room."""
    from twisted.internet.defer import Deferred  # noqa: PLC0415

    entering: Deferred[None] = Deferred()
    monkeypatch.setattr(port.world.backend.messages, "subscribe", lambda room: entering)
    wire = port.connect()
    wire.send(request("GET", "/ws/chat/r/", **HANDSHAKE))
    wire.hang_up()
    entering.callback(None)
    assert port.world.hub.members("r") == 0
    assert len(port.connections) == 0


def test_a_room_that_cannot_be_entered(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handshake is answered with 503 while the backend is away."""
    from twisted.internet.defer import fail  # noqa: PLC0415

    from livechat.errors import ChatError, Kind  # noqa: PLC0415

    away = ChatError(Kind.UNAVAILABLE, "Away.")
    monkeypatch.setattr(port.world.backend.messages, "subscribe", lambda room: fail(away))
    answer = port.ask("GET", "/ws/chat/r/", **HANDSHAKE)
    assert (answer.status, answer.code()) == (503, "unavailable")


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/ws/chat/a%20b/", {}, 400),
        ("/ws/chat/r/", {"Origin": "https://evil.example"}, 403),
        ("/ws/chat/r/", {"Sec_WebSocket_Version": "8"}, 426),
        ("/ws/chat/r/", {"Host": "a, b"}, 400),
        ("/nowhere", {}, 404),
    ],
)
def test_a_handshake_that_is_refused(
    port: Port, target: str, headers: dict[str, str], status: int
) -> None:
    """The connection of a refused handshake is closed, and takes no further request."""
    wire = port.connect()
    wire.send(request("GET", target, **(HANDSHAKE | headers)) + request("GET", "/healthz"))
    data = wire.received()
    assert data.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"\r\nConnection: close\r\n" in data
    assert data.count(b"HTTP/1.1 ") == 1
    assert wire.closing
    port.world.clock.advance(_Stage.END.value)
    assert wire.aborted


@pytest.mark.parametrize(
    ("line", "status"),
    [
        # HAProxy's check, as it is unless told otherwise.
        ("GET /healthz HTTP/1.0", 200),
        ("HEAD /readyz HTTP/1.0", 200),
        ("OPTIONS /healthz HTTP/1.0", 204),
        ("GET /readyz/?x HTTP/1.0", 200),
        ("GET /healthz HTTP/1.1", 400),
        ("GET /metrics HTTP/1.0", 400),
        ("GET / HTTP/1.0", 400),
        ("GET /nowhere HTTP/1.0", 400),
        ("GET /chat/history/ HTTP/1.0", 400),
        ("GET /healthz HTTP/1.0\r\nHost: evil.example", 421),
        ("GET /healthz HTTP/1.0\r\nHost: a b", 400),
    ],
)
def test_checks_without_a_host(world: World, line: str, status: int) -> None:
    """Monitors of HTTP/1.0 need none, and see only what is for them."""
    wire = Port(world, names=["localhost"]).connect()
    wire.send(f"{line}\r\n\r\n".encode())
    assert wire.answer(line.split(maxsplit=1)[0]).status == status
    wire.hang_up()


def test_http_1_0(port: Port) -> None:
    """An old client is answered and hung up on; it cannot open a WebSocket."""
    wire = port.connect()
    wire.send(request("GET", "/healthz").replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert wire.answer().status == 200
    assert wire.closing
    wire = port.connect()
    wire.send(request("GET", "/ws/chat/r/", **HANDSHAKE).replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert wire.answer().code() == "bad_handshake"


def test_the_access_log_behind_a_proxy(world: World, tmp_path: Path) -> None:
    """Access log lines have the client's address, and not the proxy's."""
    log = AccessLog(tmp_path / "log")
    port = Port(world, access=log, proxies=["192.0.2.1"])
    wire = port.connect("192.0.2.1")
    for client in ("203.0.113.1", "2001:db8::1", ""):
        wire.send(request("GET", "/healthz", X_Forwarded_For=client))
        wire.answer()
    log.close()
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.split()[0].strip('"') for line in lines] == [
        "203.0.113.1", "2001:db8::1", "192.0.2.1",
    ]  # fmt: skip
    wire.hang_up()
