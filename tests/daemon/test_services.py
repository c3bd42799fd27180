"""`livechat.daemon.services`."""

from __future__ import annotations

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
from livechat.daemon.services import LOOK_EVERY, OPEN_WITHIN, OrderedService, Port
from livechat.net.listening import listen
from tests import support
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

    def test_children_stop_in_reverse(self) -> None:
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


def test_the_announcement_says_where_to_connect(tmp_path: Path) -> None:
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
