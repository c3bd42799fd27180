"""Bugs: each ends the connection that met it, in order, and is in the log; nobody else notices."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from twisted.logger import LogEvent, capturedLogs

from livechat.errors import ChatError, Kind
from livechat.http.connection import Channel
from livechat.interfaces import IReceiver
from livechat.members.backpressure import SOFT_SECONDS
from livechat.members.base import BaseSession
from livechat.members.event_stream import COMMENT_EVERY, Feed
from livechat.members.pinging import PING_EVERY, PONG_WITHIN
from livechat.members.websocket import Socket
from livechat.net.dispatch import MOST_AT_ONCE
from livechat.rooms.chat import Chat
from livechat.rooms.presence import Presence
from tests.support import HANDSHAKE, MAX_UNSENT, Port, Wire, client_frame, request

HI = client_frame(b'{"message": "hi"}')
Bug = Callable[..., Any]
Logged = Sequence[LogEvent]


def bug(*_: object, **__: object) -> Any:
    raise RuntimeError("a bug")


@pytest.fixture
def logged() -> Iterator[Logged]:
    """The log of the test: bugs, with their tracebacks."""
    with capturedLogs() as events:
        yield events
    assert all("RuntimeError: a bug" in event["log_failure"].getTraceback() for event in events)


def enter(port: Port, protocol: str, room: str = "r") -> Wire:
    """A member that has seen all that it is told at first."""
    wire = port.connect()
    offered = {"Sec_WebSocket_Protocol": protocol} if protocol else {}
    wire.send(request("GET", f"/ws/chat/{room}/", **HANDSHAKE, **offered))
    assert wire.answer().status == 101
    wire.frames()
    return wire


def listen(port: Port) -> Wire:
    wire = port.connect()
    wire.send(request("GET", "/chat/events/r/"))
    assert "hello" in dict(wire.events())
    return wire


def told(wire: Wire) -> None:
    """Check that the client was told, and has left."""
    assert wire.closed() == 4002
    assert wire.closing
    assert not wire.aborted


def ended(wire: Wire) -> None:
    """So has an event stream: the last event says it, and the answer ends as answers do."""
    data = wire.received()
    assert b'"code":"internal"' in data
    assert data.endswith(b"0\r\n\r\n")
    assert wire.closing
    assert not wire.aborted


@pytest.mark.parametrize("protocol", ["", "livechat.v1"])
@pytest.mark.parametrize(
    ("place", "name", "frame"),
    [
        (Chat, "say", HI),
        (BaseSession, "control_received", client_frame(b"", 9)),
        (BaseSession, "control_received", client_frame(b"", 10)),
        (BaseSession, "binary_received", client_frame(b"", 2)),
        (BaseSession, "fragment_received", client_frame(b"{", fin=False) + client_frame(b"}", 0)),
        (Socket, "sendPong", client_frame(b"", 9)),
    ],
)
def test_a_bug_in_a_frame_closes_its_sender(
    port: Port,
    monkeypatch: pytest.MonkeyPatch,
    logged: Logged,
    protocol: str,
    place: type,
    name: str,
    frame: bytes,
) -> None:
    """The frame's sender gets 4002, and is heard no more; others of the turn are."""
    wire, other = enter(port, protocol), enter(port, "")
    with monkeypatch.context() as patch:
        patch.setattr(place, name, bug)
        wire.send(frame + HI)
        wire.send(HI)
    other.says("other")
    assert other.heard() == ["other"]
    told(wire)
    assert len(logged) == 1
    assert port.world.hub.members("r") == 1


def test_a_bug_in_a_later_turn_closes_its_sender(
    port: Port, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    """A connection that was held up gets 4002 too."""
    wire, other = enter(port, ""), enter(port, "")
    for each in (wire, other):
        each.send(HI * 2 * MOST_AT_ONCE)
    monkeypatch.setattr(wire.protocol, "go_on", bug)
    assert len(other.heard()) == 3 * MOST_AT_ONCE
    told(wire)
    assert len(logged) == 1


@pytest.mark.parametrize("at_once", [True, False])
def test_a_bug_in_an_answer_closes_its_client(
    port: Port, monkeypatch: pytest.MonkeyPatch, logged: Logged, at_once: bool
) -> None:
    """A client that cannot be told of its stored message has to ask again."""
    port.world.writer.held = not at_once
    wire = enter(port, "livechat.v1")
    monkeypatch.setattr(Socket, "write_soon", bug)
    wire.send(client_frame(b'{"message": "hi", "nonce": "n"}'))
    port.world.write()
    told(wire)
    assert len(logged) == 1


def test_a_bug_in_a_refusal_closes_its_client(
    port: Port, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    """Nor does who cannot be told that something failed wait for it."""
    wire = enter(port, "")
    receivers: list[IReceiver] = []
    monkeypatch.setattr(
        port.world.backend.messages, "publish", lambda _, receiver: receivers.append(receiver)
    )
    wire.send(HI)
    monkeypatch.setattr(Socket, "write_soon", bug)
    receivers[0].not_stored(ChatError(Kind.UNAVAILABLE, "Away."))
    told(wire)
    assert len(logged) == 1


def test_a_bug_in_a_delivery_closes_its_member(
    port: Port, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    """A member that cannot be written to gets 4002, or the end of its stream."""
    plain, v1, feed, other = (
        enter(port, ""), enter(port, "livechat.v1"), listen(port), enter(port, ""),
    )  # fmt: skip
    write = Socket._write

    def some(self: Socket, frames: bytes) -> None:
        if self not in (plain.protocol, v1.protocol):
            write(self, frames)
        elif b"said" in frames:
            bug()

    def feeds(self: Feed, frames: bytes, before: Bug = Feed._write) -> None:
        bug() if b"said" in frames else before(self, frames)

    monkeypatch.setattr(Socket, "_write", some)
    monkeypatch.setattr(Feed, "_write", feeds)
    other.says("said")
    assert other.heard() == ["said"]
    told(plain)
    told(v1)
    ended(feed)
    assert len(logged) == 3
    assert port.world.hub.members("r") == 1


def test_in_both_ways_to_say_it(
    port: Port, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    """A client that cannot even be told is cut."""
    wire = enter(port, "")
    monkeypatch.setattr(Socket, "sendCloseFrame", bug)
    monkeypatch.setattr(Chat, "say", bug)
    wire.send(HI)
    assert wire.aborted
    assert len(logged) == 2


def test_a_bug_in_a_ping_closes_its_member(
    port: Port, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    """Others get theirs, and who gets none is closed."""
    wire, other = enter(port, ""), enter(port, "")
    monkeypatch.setattr(wire.protocol, "pinged", bug)
    port.world.clock.advance(PING_EVERY)
    assert [opcode for opcode, _ in other.frames()] == [9]
    told(wire)
    assert len(logged) == 1


def test_a_bug_in_a_comment_ends_its_stream(
    port: Port, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    """So do event streams."""
    feed, other = listen(port), listen(port)
    first, second = port.feeds._open
    push: Any = first._push
    mine = first if push.__self__.channel is feed.channel else second
    comment = Feed.comment
    monkeypatch.setattr(Feed, "comment", lambda one: bug() if one is mine else comment(one))
    port.world.clock.advance(COMMENT_EVERY)
    assert b":\n\n" in other.received()
    ended(feed)
    assert len(logged) == 1


def test_a_bug_in_a_deadline_spares_the_others(
    port: Port, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    """A deadline that cannot be told of keeps nobody, and no other deadline."""
    one, two = enter(port, ""), enter(port, "")
    silent = Socket.silent
    monkeypatch.setattr(
        Socket, "silent", lambda socket: bug() if socket is one.protocol else silent(socket)
    )
    port.world.clock.advance(PING_EVERY)
    port.world.clock.advance(PONG_WITHIN)
    assert (one.closed(), two.closed()) == (4002, 4001)
    assert len(logged) == 1


def test_a_bug_in_slowness_cuts_its_member(
    port: Port, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    """Nor does one that does not read stay for ever."""
    wire = enter(port, "")
    wire.protocol.pauseProducing()
    wire.protocol.write(b"x" * (MAX_UNSENT + 1))
    with monkeypatch.context() as patch:
        patch.setattr(wire.protocol, "too_slow", bug)
        port.world.clock.advance(SOFT_SECONDS)
    told(wire)
    assert len(logged) == 1


@pytest.mark.parametrize("kind", ["socket", "feed"])
def test_a_bug_in_going_on_is_told(
    port: Port, monkeypatch: pytest.MonkeyPatch, logged: Logged, kind: str
) -> None:
    """A reader that catches up, and then meets a bug, is told."""
    wire = enter(port, "") if kind == "socket" else listen(port)
    wire.transport.full = True
    wire.send(client_frame(b"{") if kind == "socket" else b"")
    wire.frames() if kind == "socket" else None
    monkeypatch.setattr(type(port.backpressure), "check", bug)
    wire.transport.full = False
    wire.resume()
    monkeypatch.undo()
    told(wire) if kind == "socket" else ended(wire)
    assert len(logged) == 1


def test_a_bug_in_leaving_counts_the_member_out(
    port: Port, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    """A member that cannot leave in order is counted out all the same."""
    wires = [enter(port, ""), enter(port, "livechat.v1"), listen(port)]
    with monkeypatch.context() as patch:
        patch.setattr(Presence, "leave", bug)
        for wire in wires:
            wire.hang_up()
    assert len(logged) == len(wires)
    assert len(port.connections) == 0
    assert port.sockets.sockets == set()
    assert port.factory.channels == set()
    assert len(port.feeds) == 0


@pytest.mark.parametrize("protocol", ["", "livechat.v1"])
def test_a_bug_in_entering_is_answered(
    port: Port, monkeypatch: pytest.MonkeyPatch, logged: Logged, protocol: str
) -> None:
    """A handshake that meets a bug is answered: by a status, or a code where none is seen."""
    with monkeypatch.context() as patch:
        patch.setattr(Presence, "enter", bug)
        wire = port.connect()
        offered = {"Sec_WebSocket_Protocol": protocol} if protocol else {}
        wire.send(request("GET", "/ws/chat/r/", **HANDSHAKE, **offered))
    answer = wire.answer()
    if protocol:
        assert answer.status == 101
        told(wire)
    else:
        assert (answer.status, answer.code()) == (500, "internal")
    assert len(logged) == 1
    assert port.world.hub.rooms() == {}


@pytest.mark.parametrize("name", ["headerReceived", "allHeadersReceived", "source_by"])
def test_a_bug_in_a_request_is_answered(
    port: Port, monkeypatch: pytest.MonkeyPatch, logged: Logged, name: str
) -> None:
    """A failure before an answer has begun is 500, and the connection closes."""
    wire = port.connect()
    with monkeypatch.context() as patch:
        patch.setattr(Channel, name, bug)
        wire.send(request("GET", "/healthz") * 2)
    answer = wire.answer()
    assert (answer.status, answer.code()) == (500, "internal")
    assert wire.closing
    assert len(logged) == 1
    assert json.loads(answer.body)["detail"] == "Something went wrong on the server."
