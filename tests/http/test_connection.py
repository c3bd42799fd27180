"""`livechat.http.connection`."""

from __future__ import annotations

import json

import pytest

from livechat.http.connection import _Stage
from livechat.rooms.pace import Pace
from tests.http.posts import JSON, post
from tests.support import HANDSHAKE, Browser, Port, Wire, World, client_frame, request


def test_a_connection_takes_requests_in_turn(port: Port) -> None:
    """A connection takes one request after the other."""
    wire = port.connect()
    for number in range(3):
        wire.send(post(str(number)))
        assert wire.answer().json() == {"message": "Message sent!"}
    wire.send(request("GET", "/chat/history/"))
    assert [each["message"] for each in wire.answer().json()["chat_history"]] == ["0", "1", "2"]


def test_pipelined_requests_are_answered_in_order(port: Port) -> None:
    """Requests that come together are answered one by one, in order."""
    wire = port.connect()
    wire.send(post("a") + post("b") + request("GET", "/chat/history/"))
    answers = wire.answers()
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert [each["message"] for each in answers[2].json()["chat_history"]] == ["a", "b"]


def test_a_request_comes_in_any_pieces(port: Port) -> None:
    """A request may come in any pieces."""
    wire = port.connect()
    for byte in post():
        wire.send(bytes([byte]))
    assert wire.answer().status == 200


@pytest.mark.parametrize(
    "target", ["/", "/healthz", "/chat/history/", "/nowhere", "/static/livechat.css"]
)
def test_every_answer_is_safe(port: Port, target: str) -> None:
    """Every answer tells browsers to guess nothing, and names no product."""
    headers = port.ask("GET", target).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "date" in headers
    assert "server" not in headers


def test_refusals_are_like_other_answers(port: Port) -> None:
    """An early refusal has the headers of every answer."""
    strict = Port(port.world, headers=(("Strict-Transport-Security", "max-age=1"),))
    wire = strict.connect()
    wire.send(b"nonsense\r\n\r\n")
    old = request("GET", "/ws/chat/r/", **HANDSHAKE).replace(b"HTTP/1.1", b"HTTP/1.0")
    other = strict.connect()
    other.send(old)
    for answer in (wire.answer(), other.answer()):
        assert answer.status == 400
        assert answer.headers["strict-transport-security"] == "max-age=1"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_client_that_asks_is_told_to_go_on(port: Port) -> None:
    """A client that asks first is told to go on."""
    wire = port.connect()
    body = b'{"message": "hi"}'
    wire.send(request("POST", "/chat/send/", body, Expect="100-continue", **JSON)[: -len(body)])
    assert wire.received() == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.send(body)
    assert wire.answer().status == 200


def test_frames_behind_the_handshake(port: Port) -> None:
    """Frames that come in one piece with the handshake are not lost."""
    frame = client_frame(b'{"message": "early"}')
    assert port.socket(early=frame).heard() == ["early"]
    assert port.socket(early=frame * 50).heard() == ["early"] * 50


def test_frames_while_joining(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames that come while the room is entered wait, and so does what is said there."""
    from twisted.internet.defer import Deferred  # noqa: PLC0415

    entering: Deferred[None] = Deferred()
    monkeypatch.setattr(port.world.backend.messages, "subscribe", lambda room: entering)
    wire = port.connect()
    wire.send(request("GET", "/ws/chat/r/", **HANDSHAKE))
    wire.send(client_frame(b'{"message": "early"}'))
    assert wire.received() == b""
    port.world.backend.messages._subscribed["r"] = "e"
    port.world.chat.send(port.world.caller("a"), "r", "meanwhile")
    entering.callback(None)
    assert wire.answer().status == 101
    assert wire.heard() == ["meanwhile", "early"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upgrade": ""}, 426),
        ({"Upgrade": "h2c"}, 426),
        ({"Connection": ""}, 400),
        ({"Connection": "close"}, 400),
        ({"Sec_WebSocket_Version": "8"}, 426),
        ({"Sec_WebSocket_Version": ""}, 426),
        ({"Sec_WebSocket_Key": ""}, 400),
        ({"Sec_WebSocket_Key": "short=="}, 400),
        ({"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: x"}, 400),
        ({"Content_Length": "1"}, 400),
        ({"Host": ""}, 400),
    ],
)
def test_bad_handshakes_are_refused_with_a_problem(
    port: Port, headers: dict[str, str], status: int
) -> None:
    """A malformed handshake is answered with a problem that says why."""
    body = b"x" if "Content_Length" in headers else b""
    answer = port.ask("GET", "/ws/chat/r/", body, **(HANDSHAKE | headers))
    assert answer.status == status
    assert answer.code()


@pytest.mark.parametrize("target", ["/chat/send/", "/", "*"])
@pytest.mark.parametrize(
    "method", ["TRACE", "PUT", "DELETE", "PATCH", "GEt", "A" * 9_000, "CONNECT"], ids=len
)
def test_any_odd_method_is_refused(port: Port, method: str, target: str) -> None:
    """No method, however odd, is more than a 405 or a 400."""
    assert port.ask(method, target).status in {400, 404, 405}


def test_a_stream_ends_with_its_connection(port: Port, browser: Browser) -> None:
    """A client that hangs up leaves no timer, session or connection of its stream."""
    before = len(port.world.clock.getDelayedCalls())
    resting, unread = browser.events("/admin/events"), browser.events("/admin/events")
    unread.transport.full = True
    port.world.clock.advance(1)
    for wire in (resting, unread):
        wire.hang_up()
    port.world.clock.advance(1)
    assert len(port.world.clock.getDelayedCalls()) == before
    assert port.world.operators.sessions._open == {}
    assert len(port.connections) == 0


def test_a_stream_is_not_a_slow_answer(port: Port, browser: Browser) -> None:
    """A stream goes on for longer than an answer may take; then it ends in good order."""
    wire = browser.events("/admin/events")
    for _ in range(4):
        port.world.clock.advance(_Stage.ANSWER.value + 1)
        assert not wire.closing
        assert wire.events()
    port.world.clock.advance(_Stage.ANSWER.value)
    assert wire.received().endswith(b"0\r\n\r\n")
    wire.send(request("GET", "/healthz"))
    assert wire.answer().status == 200


def test_streams_end_when_the_server_does(port: Port, browser: Browser) -> None:
    """A retiring connection does not wait for its stream, read or unread."""
    wire, unread = browser.events("/admin/events"), browser.events("/admin/events")
    unread.transport.full = True
    port.world.clock.advance(1)
    wire.received()
    for channel in tuple(port.factory.channels):
        channel.retire()
    assert wire.received().endswith(b"0\r\n\r\n")
    assert wire.closing
    assert not unread.closing
    port.world.clock.advance(_Stage.STREAM.value)
    assert unread.aborted


def test_a_request_behind_a_stream(port: Port, browser: Browser) -> None:
    """A request behind a stream is answered when the stream has ended."""
    wire = browser.events("/admin/events")
    wire.send(request("GET", "/healthz"))
    assert wire.events()
    port.world.clock.advance(_Stage.STREAM.value - 1)
    assert b'{"status":"ok",' in wire.received()


def test_clients_of_a_proxy_have_rates_of_their_own(world: World) -> None:
    """Each client of a trusted proxy has a rate of its own, and the proxy has none."""
    port = Port(make_limited(world), proxies=["192.0.2.0/24"])
    wire = port.connect("192.0.2.1")

    def send(client: str, wire: Wire) -> int:
        body = json.dumps({"message": "x"}).encode()
        wire.send(request("POST", "/chat/send/", body, X_Forwarded_For=client, **JSON))
        return wire.answer().status

    rate = 4
    for client in ("203.0.113.1", "203.0.113.2"):
        assert [send(client, wire) for _ in range(rate + 1)] == [200] * rate + [429]
    # An untrusted peer counts as itself, whatever it forwards.
    other = port.connect("198.51.100.1")
    statuses = [send(f"203.0.113.{number}", other) for number in range(10, 10 + rate + 1)]
    assert statuses == [200] * rate + [429]
    for each in port.wires:
        each.hang_up()


def make_limited(world: World) -> World:
    """Make a port that allows two messages a second from an address."""
    world.chat._pace = Pace(world.time, per_ip=2)
    return world


def test_members_behind_a_proxy(world: World) -> None:
    """Members are counted by their own addresses, and the proxy's is not."""
    port = Port(world, most_per_address=2, proxies=["192.0.2.1"])

    def enter(client: str) -> tuple[Wire, int]:
        wire = port.connect("192.0.2.1")
        wire.send(request("GET", "/ws/chat/r/", X_Forwarded_For=client, **HANDSHAKE))
        return wire, wire.answer("GET").status

    one, two, three = (enter("203.0.113.1") for _ in range(3))
    assert [status for _, status in (one, two, three)] == [101, 101, 429]
    assert enter("203.0.113.2")[1] == 101
    one[0].hang_up()
    assert enter("203.0.113.1")[1] == 101
    assert len(port.connections) == 3 + 1
    for each in port.wires:
        each.hang_up()
    assert len(port.connections) == 0
    assert port.connections._by_address == {}


def test_clients_by_the_proxy_protocol(world: World) -> None:
    """The address of the PROXY protocol counts, and may be one too many."""
    port = Port(world, most_per_address=1, proxies=["192.0.2.1"])
    wires = [port.connect("192.0.2.1") for _ in range(3)]
    for wire, address in zip(wires, ("203.0.113.1", "203.0.113.1", "203.0.113.2"), strict=True):
        wire.protocol.comes_from(address)
        wire.send(request("GET", "/healthz", X_Forwarded_For="9.9.9.9"))
    assert [wire.answer().status for wire in wires] == [200, 429, 200]
    assert wires[0].protocol.source.address == "203.0.113.1"
    assert port.connections._by_address == {"203.0.113.1": 1, "203.0.113.2": 1}
    for wire in wires:
        wire.hang_up()
    assert port.connections._by_address == {}
    assert (port.connections._open, port.connections._excess) == (0, 0)
