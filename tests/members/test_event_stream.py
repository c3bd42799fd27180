"""`livechat.members.event_stream`: a room as server-sent events, over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from zope.interface.verify import verifyObject

from livechat.errors import ChatError, Kind
from livechat.http.connection import _Stage
from livechat.members.backpressure import SOFT_SECONDS
from livechat.members.base import JoinRequest
from livechat.members.event_stream import COMMENT_EVERY
from livechat.protocol.messages import Page, Position
from livechat.rooms.member import IClient
from tests.support import ANN, MAX_UNSENT, Port, Wire, request, run


def feed(port: Port, target: str = "/chat/events/r/", **headers: str) -> Wire:
    wire = port.connect()
    wire.send(request("GET", target, **headers))
    return wire


def say(port: Port, *texts: str) -> None:
    for text in texts:
        assert port.ask("POST", "/chat/send/r/", json.dumps({"message": text}).encode(),
                        Content_Type="application/json").status == 200  # fmt: skip
    port.world.hub.flush()


def events(wire: Wire) -> list[tuple[str, Any]]:
    """Names and frames of what came."""
    return [(name, json.loads(data)) for name, data in wire.events()]


def ids(data: bytes) -> list[str]:
    return [line[4:].decode() for line in data.splitlines() if line.startswith(b"id: ")]


def test_is_a_client(port: Port) -> None:
    """A feed is what a session writes to."""
    assert verifyObject(IClient, port.feeds.feed(JoinRequest("r")))


def test_turned_away_before_it_began(port: Port) -> None:
    """A stream refused before it began is not counted as open; its answer ends at once."""
    feed = port.feeds.feed(JoinRequest("r"))
    run(feed.enter(ANN))
    feed.turn_away(ChatError(Kind.UNAVAILABLE, "Away."))
    written: list[bytes] = []
    over = feed.begin(written.append, lambda: None)
    assert over.called
    assert written == []
    assert len(port.feeds) == 0
    assert port.world.hub.rooms() == {}


def test_events_have_the_place_behind_them_as_id(port: Port) -> None:
    """Messages arrive as they are sent; each event's id is the place behind it."""
    say(port, "before")
    wire = feed(port)
    (name, hello), *_ = events(wire)
    assert (name, hello["type"], hello["seq"]) == ("hello", "hello", 1)
    say(port, "a", "b")
    data = wire.received()
    assert ids(data) == [f"{hello['epoch']}:{seq}" for seq in (2, 3)]
    wire.transport.write(data)
    assert [(name, frame["message"]) for name, frame in events(wire)] == [
        ("message", "a"), ("message", "b"),
    ]  # fmt: skip


def test_headers_keep_proxies_from_caching(port: Port) -> None:
    """No cache or proxy keeps it; it says how soon to be back after a break."""
    wire = feed(port)
    head, _, body = wire.received().partition(b"\r\n\r\n")
    for line in (b"Content-Type: text/event-stream", b"Cache-Control: no-store",
                 b"X-Accel-Buffering: no"):  # fmt: skip
        assert line in head
    assert b"retry: " in body


@pytest.mark.parametrize("by_header", [True, False])
def test_a_named_place_resumes(port: Port, by_header: bool) -> None:
    """A client that names its last place gets the messages since."""
    wire = feed(port)
    (_, hello), *_ = events(wire)
    wire.hang_up()
    say(port, "a", "b")
    place = f"{hello['epoch']}:0"
    again = (
        feed(port, Last_Event_ID=place)
        if by_header
        else feed(port, f"/chat/events/r/?since={place}")
    )
    data = again.received()
    # Until something has come the place is still the same one.
    assert ids(data)[0] == place
    again.transport.write(data)
    names = [name for name, _ in events(again) if name != "joined"]
    assert names == ["hello", "presence", "resumed", "message", "message"]


def test_a_stream_begins_with_presence(port: Port) -> None:
    """A stream begins with the room's presence, since its client cannot ask."""
    feed(port, "/chat/events/r/?name=Ann")
    (_, hello), (name, present), *_ = events(feed(port, "/chat/events/r/?name=Bob"))
    assert (name, present["users"], present["connections"]) == ("presence", 2, 2)
    assert [user["name"] for user in present["members"]] == ["Ann", "Bob"]
    assert present["members"][1] == hello["user"]


@pytest.mark.parametrize(
    ("target", "headers", "status", "code"),
    [
        ("/chat/events/a%20b/", {}, 400, "bad_room"),
        ("/chat/events/r/?since=x", {}, 400, "bad_query"),
        ("/chat/events/r/?since=a:1&since=a:2", {}, 400, "bad_query"),
        ("/chat/events/r/", {"Last_Event_ID": "nonsense"}, 400, "bad_query"),
        ("/chat/events/r/?client=short", {}, 400, "bad_query"),
        ("/chat/events/r/?name=" + "x" * 41, {}, 400, "bad_query"),
        ("/chat/events/r/?name=a%0Ab", {}, 400, "bad_query"),
        ("/chat/events/r/", {"Origin": "https://evil.example"}, 403, "bad_origin"),
    ],
)
def test_a_bad_request_is_refused(
    port: Port, target: str, headers: dict[str, str], status: int, code: str
) -> None:
    """A bad request is answered like any other."""
    answer = port.ask("GET", target, **headers)
    assert (answer.status, answer.code()) == (status, code)
    assert port.world.hub.rooms() == {}


def test_head_enters_no_room(port: Port) -> None:
    """HEAD says what it is, and nobody has entered or left."""
    watcher = feed(port)
    watcher.received()
    answer = port.ask("HEAD", "/chat/events/r/")
    assert answer.headers["content-type"] == "text/event-stream"
    port.world.hub.flush()
    assert watcher.received() == b""
    assert port.world.hub.members("r") == 1


def test_comments_keep_a_quiet_stream_open(port: Port) -> None:
    """A quiet one is kept open by comments, for as long as somebody is there."""
    wire = feed(port)
    wire.received()
    seconds = 0
    while seconds < 2 * _Stage.STREAM.value:
        port.world.clock.advance(COMMENT_EVERY)
        assert wire.received() == b"3\r\n:\n\n\r\n"
        seconds += COMMENT_EVERY
    say(port, "x")
    assert [name for name, _ in events(wire)] == ["message"]


def test_a_client_that_hangs_up_leaves_nothing(port: Port) -> None:
    """A client that hangs up leaves no member, stream or connection behind."""
    feed(port).hang_up()
    assert port.world.hub.rooms() == {}
    assert len(port.feeds) == 0
    assert len(port.connections) == 0


def test_a_slow_reader(port: Port) -> None:
    """A slow reader is cut off; other readers notice nothing of it."""
    slow, other = feed(port), feed(port)
    other.received()
    slow.transport.full = True
    # The transport says so when it is written to.
    say(port, "x")
    written = len(slow.received())
    text = "x" * 16_000
    for _ in range(MAX_UNSENT // len(text) + 1):
        say(port, text)
    port.world.clock.advance(SOFT_SECONDS - 1)
    assert not slow.aborted
    port.world.clock.advance(1)
    assert slow.aborted
    assert len(slow.received()) <= written
    heard = [name for name, _ in events(other) if name == "message"]
    assert len(heard) == MAX_UNSENT // len(text) + 2
    assert port.world.hub.members("r") == 1


def test_one_that_reads_again(port: Port) -> None:
    """A paused reader that resumes gets the waiting messages in order."""
    slow = feed(port)
    slow.received()
    slow.transport.full = True
    say(port, "a", "b", "c")
    slow.transport.full = False
    producer: Any = slow.transport.producer
    producer.resumeProducing()
    assert [frame["message"] for name, frame in events(slow) if name == "message"] == [
        "a", "b", "c",
    ]  # fmt: skip
    port.world.clock.advance(SOFT_SECONDS)
    assert not slow.aborted


def test_a_retiring_server_ends_the_answer(port: Port) -> None:
    """A retiring server says when to return, and ends the answer properly."""
    wire = feed(port)
    wire.received()
    for channel in tuple(port.factory.channels):
        channel.retire()
    data = wire.received()
    assert b"event: goaway\n" in data
    assert b"retry: " in data
    assert data.endswith(b"0\r\n\r\n")
    assert wire.closing


def test_another_request_after_it(port: Port) -> None:
    """A client that sends a second request gets no answer before the first one ends."""
    wire = feed(port)
    wire.received()
    wire.send(request("GET", "/healthz"))
    assert wire.received() == b""
    say(port, "x")
    assert [name for name, _ in events(wire)] == ["message"]


def test_listeners_count_as_users(port: Port) -> None:
    """Listeners count as present users."""
    watcher = feed(port, "/chat/events/r/?name=Ann")
    watcher.received()
    one = feed(port, "/chat/events/r/?name=Bob")
    port.world.hub.flush()
    ((name, frame),) = events(watcher)
    assert (name, frame["user"]["name"]) == ("joined", "Bob")
    one.hang_up()
    port.world.hub.flush()
    ((name, frame),) = events(watcher)
    assert (name, frame["user"]["name"]) == ("left", "Bob")


def test_gone_before_it_was_let_in(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that hangs up while it enters a room leaves no member, and no traceback."""
    reading: Deferred[Any] = Deferred()
    monkeypatch.setattr(port.world.backend.messages, "read", lambda *_: reading)
    wire = feed(port)
    wire.hang_up()
    with capturedLogs() as logged:
        reading.callback(Page(Position("e", 0, 1), ()))
    assert logged == []
    assert port.world.hub.rooms() == {}
    assert port.world.chat.presence.who("r").connections == 0
    assert len(port.connections) == 0


@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/chat/events/r/"), ("POST", "/chat/send/r/"), ("GET", "/ws/chat/r/")],
)
def test_too_many_connections(port: Port, method: str, target: str) -> None:
    """A word of the protocol opens no door: nothing is carried out, and the connection ends."""
    full = Port(port.world, most_per_address=1)
    watcher = full.socket()
    wire = full.connect()
    body = b"message=x" if method == "POST" else b""
    form = {"Content_Type": "application/x-www-form-urlencoded"} if body else {}
    wire.send(request(method, target, body, Sec_WebSocket_Protocol="livechat.v1", **form))
    assert wire.answer().code() == "too_many_connections"
    assert wire.closing
    assert watcher.heard() == []
    assert port.world.hub.members("r") == 1


def test_streams_count_for_the_clients_of_a_proxy(port: Port) -> None:
    """Feeds count as their clients' connections, not as the proxy's."""
    proxied = Port(port.world, most_per_address=2, proxies=["192.0.2.1/32"])
    wires = [feed(proxied, X_Forwarded_For="203.0.113.9") for _ in range(3)]
    assert [wire.received()[9:12] for wire in wires] == [b"200", b"200", b"429"]
    assert port.world.hub.members("r") == 2
    assert feed(proxied, X_Forwarded_For="203.0.113.8").received()[9:12] == b"200"


def test_a_reader_of_no_backlog_is_cut_off(port: Port) -> None:
    """A reader that takes nothing of its backlog is cut off, even if nothing else waits for it."""
    for _ in range(3):
        say(port, "x" * 16_000)
    wire = feed(port)
    wire.transport.full = True
    say(port, "x")
    port.world.clock.advance(COMMENT_EVERY)
    assert not wire.aborted
    port.world.clock.advance(COMMENT_EVERY)
    assert wire.aborted
    assert port.world.hub.rooms() == {}


def test_no_forged_events(port: Port) -> None:
    """Line breaks in the address cannot forge events of the stream."""
    forged = "a%0A%0Aevent%3A%20message%0Adata%3A%20x%0A%0A%3A5"
    assert port.ask("GET", f"/chat/events/r/?since={forged}").status == 400
