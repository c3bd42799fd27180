"""`livechat.daemon.services`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from livechat import __version__
from livechat.addresses import Address
from livechat.config import Config
from livechat.daemon.building import build
from livechat.daemon.departure import Departure
from livechat.daemon.services import DRAIN, LOOK_EVERY, OPEN_WITHIN, OrderedService, Port
from livechat.http.connection import _Stage
from livechat.net import certificates, tls_context
from livechat.net.listening import listen
from livechat.net.tls_port import TLSPort
from livechat.rooms.history import Window
from tests import support
from tests.support import HANDSHAKE, SOMEBODY, request, run
from tests.support.certificates import issue
from tests.support.services import config, memory_reactor


class Recording(Service):
    """Remembers when it was started and stopped."""

    def __init__(self, name: str, events: list[str]) -> None:
        self.name = name
        self._events = events
        self.stopped: Deferred[None] = Deferred()

    def startService(self) -> None:
        self._events.append(f"start {self.name}")

    def stopService(self) -> Deferred[None]:
        self._events.append(f"stop {self.name}")
        return self.stopped


class OrderedServiceTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.events: list[str] = []
        self.parent = OrderedService()
        self.children = [Recording(name, self.events) for name in "abc"]
        for child in self.children:
            child.setServiceParent(self.parent)

    def test_order(self) -> None:
        """Children are started in order, and stopped in reverse, one after the other."""
        self.parent.startService()
        assert self.events == ["start a", "start b", "start c"]
        stopping = self.parent.stopService()
        assert self.events[3:] == ["stop c"]
        self.children[2].stopped.callback(None)
        assert self.events[4:] == ["stop b"]
        self.children[1].stopped.errback(ZeroDivisionError())
        assert self.events[5:] == ["stop a"]
        assert not stopping.called
        self.children[0].stopped.callback(None)
        self.successResultOf(stopping)
        assert len(self.flushLoggedErrors(ZeroDivisionError)) == 1


def announced(directory: Path, **options: str) -> str:
    """Return the lines that the daemon logs at its start."""
    return said(build(config(directory, **options), memory_reactor()))


def said(daemon: Any) -> str:
    announcement: Any = daemon.getServiceNamed("announcement")
    storage: Any = daemon.getServiceNamed("storage")
    port: Any = daemon.getServiceNamed("port")
    with capturedLogs() as events:
        announcement.startService()
    for listening in port._listening:
        listening.close()
    storage._backend._database.release()
    return "\n".join(event["log_format"].format(**event) for event in events)


def test_announcement(tmp_path: Path) -> None:
    """The log says where to connect, what the certificate is worth and who may come."""
    text = announced(tmp_path)
    assert "https://localhost:" in text
    assert "/ws/chat/{room}/" in text
    assert f"/admin/ with the password in {tmp_path / 'state' / 'admin-password'}" in text
    first = text.partition("\n")[0]
    for each in (__version__, "wss://", f"state: {tmp_path / 'state'};", "workers: 1.", "SQLite"):
        assert each in first
    assert "self-signed" in text
    assert "Only this machine can connect" in text
    assert str(tmp_path / "state") in text


def test_announcement_of_proxies(tmp_path: Path) -> None:
    """Addresses for proxies are named, and without TLS no certificate is made or spoken of."""
    options = {"prefix": "/chat-app", "listen": ["http:127.0.0.1:0", "unix:chat.sock"]}
    daemon = build(Config.of(options, {}, tmp_path), memory_reactor())
    text = said(daemon)
    assert "livechat" in text
    assert " at /chat-app/, rooms at /chat-app/ws/chat/{room}/" in text
    assert "proxies connect to http:127.0.0.1:" in text
    assert f", unix:{tmp_path}/chat.sock:mode=660;" in text
    assert "certificate" not in text
    assert "--listen opens it to others" in text
    assert not (tmp_path / "certs").exists()
    assert not (tmp_path / "chat.sock").exists()


def test_announcement_to_the_world(tmp_path: Path) -> None:
    """A real certificate and an open interface are announced as such."""
    chain, key = issue(tmp_path)
    text = announced(tmp_path, interface="::", certificate=str(chain), private_key=str(key))
    assert "https://[::]:" in text
    assert "self-signed" not in text
    assert "Only this machine" not in text
    assert "expires on" in text


def test_announcement_of_what_others_may(tmp_path: Path) -> None:
    """A key that others can read, and a state that they can write, are a line each."""
    chain, key = issue(tmp_path)
    key.chmod(0o644)
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    text = announced(tmp_path, certificate=str(chain), private_key=str(key))
    assert text.count(f"the private key {key} ") == 1
    assert text.count(f"can write {tmp_path / 'state'} ") == 1
    key.chmod(0o640)
    (tmp_path / "state").chmod(0o700)
    text = announced(tmp_path, certificate=str(chain), private_key=str(key))
    assert "private key" not in text
    assert "can write" not in text


@pytest.fixture
def stopping(port: support.Port) -> Port:
    """Make the port's service, without sockets."""
    certificate = certificates.load_or_make(Path(port.world.store._path.parent))
    secured = tls_context.context(certificate.chain, certificate.key)
    tls_port = TLSPort(port.world.clock, port.factory, secured)  # type: ignore[arg-type]
    departure = Departure(port.world.clock)
    parts: dict[str, Any] = {
        "hub": port.world.hub, "sockets": port.sockets, "feeds": port.feeds, "departure": departure
    }  # fmt: skip
    service = Port(port.world.clock, [], tls_port, port.factory, **parts)  # type: ignore[arg-type]
    service.startService()
    return service


def test_stopping(port: support.Port, stopping: Port) -> None:
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


def test_draining(port: support.Port, stopping: Port) -> None:
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


class Usable:
    """A store that is there sooner or later."""

    def __init__(self) -> None:
        self.there = False

    def __call__(self) -> bool:
        return self.there


Opening = tuple[Port, Usable, list[Any]]


@pytest.fixture
def opening(port: support.Port) -> Opening:
    """A port that waits for its store, with a socket; what it accepts at."""
    usable, accepted = Usable(), list[Any]()
    parts: dict[str, Any] = {
        "hub": port.world.hub, "sockets": port.sockets, "feeds": port.feeds,
        "departure": Departure(port.world.clock), "usable": usable,
    }  # fmt: skip
    accept: Any = accepted.append
    clock: Any = port.world.clock
    service = Port(clock, listen([Address("tls", "127.0.0.1")]), accept, port.factory, **parts)
    service.startService()
    return service, usable, accepted


def test_a_store_that_is_almost_there(port: support.Port, opening: Opening) -> None:
    """Connections wait at the socket, and are not refused, while it connects."""
    service, usable, accepted = opening
    port.world.clock.advance(OPEN_WITHIN / 2)
    assert (accepted, service.is_open) == ([], False)
    usable.there = True
    port.world.clock.advance(LOOK_EVERY)
    assert service.is_open
    assert [each.socket.fileno() for each in accepted] == [-1]


def test_a_store_that_is_away(port: support.Port, opening: Opening) -> None:
    """After a while clients are accepted and told that the store is away."""
    _, _, accepted = opening
    port.world.clock.pump([LOOK_EVERY] * (1 + round(OPEN_WITHIN / LOOK_EVERY)))
    assert len(accepted) == 1


def test_stopping_while_it_waits(port: support.Port, opening: Opening) -> None:
    """A port that was never open is closed."""
    service, usable, accepted = opening
    (listening,) = service._listening
    stopped = service.stopService()
    assert stopped.called
    usable.there = True
    port.world.clock.advance(OPEN_WITHIN)
    assert accepted == []
    assert listening.socket.fileno() == -1
