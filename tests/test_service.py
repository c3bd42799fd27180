"""`livechat.service`."""

from __future__ import annotations

import resource
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from livechat import certificates
from livechat.certificates import Certificate
from livechat.config import Config, Options
from livechat.errors import StartError
from livechat.net import tls
from livechat.service import (
    DRAIN,
    OrderedService,
    Port,
    _allow_files,
    _promises,
    _working_directory,
    build,
    makeService,
)
from tests import support
from tests.test_certificates import issue


def config(directory: Path, **options: str) -> Config:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return Config.of({"port": "0"} | named, {}, directory)


def given(directory: Path, *arguments: str) -> Options:
    """Options as twistd hands them over, with its own --rundir."""
    options = Options()
    twistd: Any = {"rundir": str(directory)}
    options.parent = twistd
    options.parseOptions(arguments)
    return options


def memory_reactor() -> Any:
    return MemoryReactorClock()


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


def test_a_taken_port_is_told_before_anything_is_made(tmp_path: Path) -> None:
    """If the port is taken that is one line, and no file was made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = given(tmp_path, f"--port={taken.getsockname()[1]}")
        with pytest.raises(SystemExit) as caught:
            makeService(options, memory_reactor())
    assert "taken" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--port=x"], "--port"),
        (["--interface=203.0.113.7"], "no address"),
        (["--certificate=missing"], "cannot read"),
        (["--state=/dev/null/x"], "--state"),
    ],
)
def test_one_clear_line(tmp_path: Path, arguments: list[str], expected: str) -> None:
    """Whatever is wrong, the daemon ends with one line that says what."""
    with pytest.raises(SystemExit) as caught:
        makeService(given(tmp_path, "--port=0", *arguments), memory_reactor())
    text = str(caught.value)
    assert text.startswith("livechat: ")
    assert expected in text
    assert "\n" not in text


def test_a_certificate_openssl_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only OpenSSL finds wrong with a certificate is one clear line too."""
    chain, key = issue(tmp_path)
    _, other = issue(tmp_path, name="other.example")
    found = certificates.load(chain, key)
    refused = Certificate(chain, other, found.names, found.expires, self_signed=False)
    monkeypatch.setattr(certificates, "load", lambda *_: refused)
    with pytest.raises(StartError, match=r"--certificate: OpenSSL refuses .*chat\.example\.crt"):
        build(config(tmp_path, certificate=str(chain), private_key=str(key)), memory_reactor())


def test_working_directory(tmp_path: Path) -> None:
    """The --rundir of twistd counts before twistd has gone there; a missing one is told."""
    assert _working_directory(Options()) == Path.cwd()
    assert _working_directory(given(tmp_path)) == tmp_path
    with pytest.raises(StartError, match="--rundir"):
        _working_directory(given(tmp_path / "missing"))


def announced(directory: Path, **options: str) -> str:
    """What the daemon's log says at start."""
    daemon = build(config(directory, **options), memory_reactor())
    announcement: Any = daemon.getServiceNamed("announcement")
    storage: Any = daemon.getServiceNamed("storage")
    port: Any = daemon.getServiceNamed("port")
    with capturedLogs() as events:
        announcement.startService()
    for listening in port._listening:
        listening.close()
    storage._backend._store.release()
    return "\n".join(event["log_format"].format(**event) for event in events)


def test_announcement(tmp_path: Path) -> None:
    """The log says where to connect, what the certificate is worth and who may come."""
    text = announced(tmp_path)
    assert "https://localhost:" in text
    assert "/ws/chat/{room}/" in text
    assert "/admin/; its password is in" in text
    assert "self-signed" in text
    assert "Only this machine can connect" in text
    assert str(tmp_path / "state") in text


def test_announcement_to_the_world(tmp_path: Path) -> None:
    """A real certificate and an open interface are announced as such."""
    chain, key = issue(tmp_path)
    text = announced(tmp_path, interface="::", certificate=str(chain), private_key=str(key))
    assert "https://[::]:" in text
    assert "self-signed" not in text
    assert "Only this machine" not in text
    assert "expires in" in text


def test_clock(tmp_path: Path) -> None:
    """The reactor's time is monotonic before anything is built on it."""
    reactor = memory_reactor()
    with pytest.raises(SystemExit):
        makeService(given(tmp_path, "--port=x"), reactor)
    assert reactor.seconds is time.monotonic


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "expected"),
    [
        (1_024, 65_536, 10_000, 10_064),
        (1_024, 4_096, 10_000, 4_096),
        (1_024, 4_096, 0, 4_096),
        (1_024, resource.RLIM_INFINITY, 10_000, 10_064),
        (65_536, 65_536, 10_000, None),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 0, None),
    ],
)
def test_open_files(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, connections: int, expected: int | None
) -> None:
    """The process allows itself the files that its connections need, as far as it may."""
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, values: limits.append(values))
    with capturedLogs() as events:
        _allow_files(connections)
    assert limits == ([] if expected is None else [(expected, hard)])
    too_few = hard != resource.RLIM_INFINITY and connections + 64 > hard
    assert len(events) == too_few


def test_promises(tmp_path: Path) -> None:
    """Browsers are bound to HTTPS only by a certificate that is not self-signed."""
    assert _promises(certificates.load_or_make(tmp_path)) == ()
    ((name, _),) = _promises(certificates.load(*issue(tmp_path)))
    assert name == "Strict-Transport-Security"


@pytest.fixture
def stopping(port: support.Port) -> Port:
    """The port as a service, with nothing to listen on."""
    certificate = certificates.load_or_make(Path(port.world.store._path.parent))
    secured = tls.context(certificate.chain, certificate.key)
    tls_port = tls.TLSPort(port.world.clock, port.factory, secured)  # type: ignore[arg-type]
    service = Port(port.world.clock, [], tls_port, port.factory, port.world.hub)  # type: ignore[arg-type]
    service.startService()
    return service


def test_stopping(port: support.Port, stopping: Port) -> None:
    """Idle connections are closed, members are told, and then the port has stopped."""
    idle, member = port.connect(), port.socket()
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


def test_the_password(tmp_path: Path) -> None:
    """The admin page's password is made at the first start, and what is wrong with it is told."""
    announced(tmp_path)
    made = (tmp_path / "state" / "admin-password").read_text()
    assert f"in {tmp_path / 'state' / 'admin-password'}." in announced(tmp_path)
    assert (tmp_path / "state" / "admin-password").read_text() == made
    (tmp_path / "state" / "admin-password").write_text("short")
    with pytest.raises(StartError, match="8 to 1024 characters"):
        build(config(tmp_path), memory_reactor())


class RenewalTest(SynchronousTestCase):
    """SIGHUP renews the operators' password."""

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    def setUp(self) -> None:
        self.password = self.directory / "state" / "admin-password"
        self.daemon = build(config(self.directory), memory_reactor())
        storage: Any = self.daemon.getServiceNamed("storage")
        port: Any = self.daemon.getServiceNamed("port")
        self.addCleanup(storage._backend._store.release)
        for listening in port._listening:
            self.addCleanup(listening.close)
        self.renewal: Any = self.daemon.getServiceNamed("renewal")
        self.renewal._operators._hashing = support.Lane()
        self.renewal._operators._saving = support.Lane()
        self.renewal._files = support.Lane()

    def renew(self) -> str:
        """What the log says about it."""
        with capturedLogs() as events:
            self.successResultOf(Deferred.fromCoroutine(self.renewal.renew()))
        return "\n".join(event["log_format"].format(**event) for event in events)

    def test_renewing(self) -> None:
        """A new password is taken; one that cannot be used leaves the old one; no bug is lost."""
        assert "is the same as before" in self.renew()
        self.password.write_text("another password")
        assert "is new, and signs all out" in self.renew()
        self.password.write_text("short")
        assert "stays as it was" in self.renew()
        self.patch(self.renewal, "_operators", None)
        assert "could not be renewed" in self.renew()
        assert len(self.flushLoggedErrors(AttributeError)) == 1

    def test_order(self) -> None:
        """It is stopped last, so that no SIGHUP kills a daemon that is stopping."""
        assert next(iter(self.daemon)) is self.renewal

    def test_signal(self) -> None:
        """The signal is taken while the service runs, and what was before is restored."""
        before = signal.getsignal(signal.SIGHUP)
        self.renewal.startService()
        assert signal.getsignal(signal.SIGHUP) == self.renewal._asked
        self.renewal.stopService()
        assert signal.getsignal(signal.SIGHUP) == before
