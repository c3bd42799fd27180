"""Requests and members of a port that stops or drains: `livechat.daemon.services.Port`."""

from __future__ import annotations

import json

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from livechat.daemon.services import DRAIN, Port
from livechat.http.connection import _Stage
from livechat.rooms.history import Window
from tests import support
from tests.support import HANDSHAKE, SOMEBODY, request, run


def test_a_stopping_port_tells_its_members(port: support.Port, stopping: Port) -> None:
    """Idle connections are closed, members are told, and then the port has stopped."""
    idle, member = port.connect(), port.socket()
    idle.send(request("GET", "/healthz"))
    assert idle.answer().status == 200
    stopped = stopping.stopService()
    assert idle.closing
    assert member.closed() == 1012
    assert not stopped.called
    idle.hang_up()
    member.hang_up()
    assert stopped.called


def test_stopping_with_peers_that_stay(port: support.Port, stopping: Port) -> None:
    """Connections that do not close in time are cut."""
    idle, member = port.connect(), port.socket()
    stopped = stopping.stopService()
    with capturedLogs() as events:
        port.world.clock.advance(DRAIN)
    assert stopped.called
    assert idle.aborted
    assert member.aborted
    assert len(events) == 1


JOINS = {
    "plain": request("GET", "/ws/chat/r/", **HANDSHAKE),
    "v1": request("GET", "/ws/chat/r/", **HANDSHAKE, Sec_WebSocket_Protocol="livechat.v1"),
    "events": request("GET", "/chat/events/r/"),
}
POST = request("POST", "/chat/send/r/", b'{"message": "hi"}', Content_Type="application/json")


def sent_back(wire: support.Wire, kind: str) -> None:
    """Check that the client was told to come back, in a way that it sees."""
    answer = wire.answer()
    if kind == "v1":
        assert answer.status == 101
        (_, goaway), (opcode, payload) = wire.frames()
        assert json.loads(goaway)["type"] == "goaway"
        assert (opcode, payload[:2]) == (8, (1012).to_bytes(2, "big"))
        wire.send(support.client_frame(payload, 8))
    else:
        assert (answer.status, answer.code()) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["connection"] == "close"
    assert wire.closing


@pytest.mark.parametrize("kind", JOINS)
def test_joining_while_it_stops(
    port: support.Port, stopping: Port, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A client that enters its room after the goodbyes is told all the same."""
    joining: Deferred[None] = Deferred()
    monkeypatch.setattr(port.world.backend.messages, "subscribe", lambda room: joining)
    wire = port.connect()
    wire.send(JOINS[kind])
    stopped = stopping.stopService()
    joining.callback(None)
    sent_back(wire, kind)
    assert port.world.hub.rooms() == {}
    wire.hang_up()
    assert stopped.called


@pytest.mark.parametrize("kind", [*JOINS, "send", "ask"])
@pytest.mark.parametrize("before", [0, 10])
def test_asking_while_it_stops(port: support.Port, stopping: Port, kind: str, before: int) -> None:
    """A request that is whole only then is told to come back, and not carried out."""
    data = (JOINS | {"send": POST, "ask": request("GET", "/healthz")})[kind]
    wire = port.connect()
    wire.send(data[:before])
    stopped = stopping.stopService()
    assert not wire.closing
    wire.send(data[before:])
    sent_back(wire, kind)
    assert run(port.world.chat.history(SOMEBODY, "r", Window())).last == 0
    wire.hang_up()
    assert stopped.called


def test_saying_nothing_while_it_stops(port: support.Port, stopping: Port) -> None:
    """A connection that says nothing, or not enough, is waited for a moment only."""
    silent, halting, halfway = port.connect(), port.connect(), port.connect()
    halting.send(b"GET")
    halfway.send(POST[:-5])
    stopping.stopService()
    port.world.clock.advance(_Stage.LAST.value)
    assert silent.received() == b""
    assert silent.closing
    sent_back(halting, "ask")
    sent_back(halfway, "send")


def test_sending_while_it_stops(port: support.Port, stopping: Port) -> None:
    """A message on its way is stored and answered, and then the connection closes."""
    port.world.writer.held = True
    waiting, coming = port.connect(), port.connect()
    waiting.send(POST)
    coming.send(POST[:-5])
    stopped = stopping.stopService()
    coming.send(POST[-5:])
    for wire in (waiting, coming):
        port.world.write()
        answer = wire.answer()
        assert answer.status == 200
        assert answer.headers["connection"] == "close"
        assert wire.closing
        wire.hang_up()
    assert stopped.called


def test_an_operators_stream_while_it_stops(
    port: support.Port, stopping: Port, browser: support.Browser
) -> None:
    """An event stream that begins only then ends at once."""
    wire = port.connect()
    data = request("GET", "/admin/events", **browser.headers())
    wire.send(data[:-2])
    stopped = stopping.stopService()
    wire.send(data[-2:])
    sent_back(wire, "events")
    wire.hang_up()
    assert stopped.called


def test_draining_members_are_told_one_by_one(port: support.Port, stopping: Port) -> None:
    """Members are told one by one, and go on until it is their turn; requests are at once."""
    world = port.world
    stopping._departure.drain = 10.0
    idle, feed = port.connect(), port.connect()
    idle.send(request("GET", "/healthz"))
    assert idle.answer().status == 200
    members = []
    for _ in range(4):
        wire = port.connect()
        wire.send(JOINS["v1"])
        assert wire.answer("GET").status == 101
        members.append(wire)
    feed.send(JOINS["events"])
    feed.events()
    for wire in members:
        wire.frames()
    stopped = stopping.stopService()
    assert idle.closing
    idle.hang_up()
    told: list[float] = []
    waiting = [*members, feed]
    for _ in range(20):
        for wire in tuple(waiting):
            if wire is feed and wire.closing:
                assert ("goaway", '{"type":"goaway","retry_ms":50}') in wire.events()
            elif wire is not feed and 8 in dict(frames := wire.frames()):
                # Frames on the members that left before come first.
                (_, goaway), (_, payload) = frames[-2:]
                assert json.loads(goaway) == {"type": "goaway", "retry_ms": 50}
                assert payload[:2] == (1012).to_bytes(2, "big")
            else:
                continue
            told.append(world.clock.seconds())
            waiting.remove(wire)
            wire.hang_up()
        world.clock.advance(0.5)
    began = told[0]
    assert [each - began for each in told] == [0, 2, 4, 6, 8]
    assert stopped.called


@pytest.mark.parametrize("kind", [*JOINS, "send", "ask"])
@pytest.mark.parametrize("before", [0, 10])
@pytest.mark.parametrize("others", [0, 2])
def test_asking_while_it_drains(
    port: support.Port, stopping: Port, kind: str, before: int, others: int
) -> None:
    """Clients that come during a drain are served, and told to come back in the end."""
    data = (JOINS | {"send": POST, "ask": request("GET", "/healthz")})[kind]
    stopping._departure.drain = 10.0
    members = [port.socket() for _ in range(others)]
    wire = port.connect()
    wire.send(data[:before])
    stopped = stopping.stopService()
    port.world.clock.advance(0.9)
    wire.send(data[before:])
    if kind == "send":
        port.world.write()
    if kind == "events":
        assert wire.events()[0][0] == "hello"
    else:
        assert wire.answer("GET").status == (101 if kind in JOINS else 200)
    port.world.clock.pump([0.1, 4.1] if others else [0.1])
    assert not stopped.called
    for each in (*members, wire):
        each.hang_up()
    assert stopped.called


def test_a_member_that_leaves_before_its_turn(port: support.Port, stopping: Port) -> None:
    """A member that left is told nothing; no goodbye fails."""
    stopping._departure.drain = 10.0
    members = [port.socket() for _ in range(4)]
    stopped = stopping.stopService()
    for wire in members:
        wire.hang_up()
    with capturedLogs() as events:
        port.world.clock.pump([0.5] * 20)
    assert stopped.called
    assert events == []
