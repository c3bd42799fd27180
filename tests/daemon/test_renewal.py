"""`livechat.daemon.renewal`."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from livechat.daemon.building import build
from livechat.daemon.renewal import find_certificate, operators_password, secure
from livechat.errors import StartError
from livechat.identity.key_ring import KeyRing
from livechat.net import certificates
from livechat.net.certificates import Certificate
from livechat.system.time import Time
from tests import support
from tests.support.certificates import issue
from tests.support.jwts import pem, secret_file
from tests.support.services import config, memory_reactor


def test_a_certificate_openssl_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that only OpenSSL finds wrong is one clear line too."""
    chain, key = issue(tmp_path)
    _, other = issue(tmp_path, name="other.example")
    found = certificates.load(chain, key)
    refused = Certificate(chain, other, found.names, found.expires, self_signed=False)
    monkeypatch.setattr(certificates, "load", lambda *_: refused)
    given = find_certificate(config(tmp_path, certificate=str(chain), private_key=str(key)))
    assert given is not None
    with pytest.raises(StartError, match=r"--certificate: OpenSSL refuses .*chat\.example\.crt"):
        secure(given)


def test_the_first_start_makes_a_password(tmp_path: Path) -> None:
    """The admin page's password is made at the first start, and what is wrong with it is told."""
    operators_password(config(tmp_path))
    made = (tmp_path / "state" / "admin-password").read_text()
    found = operators_password(config(tmp_path))
    assert found.source == str(tmp_path / "state" / "admin-password")
    assert (tmp_path / "state" / "admin-password").read_text() == made
    (tmp_path / "state" / "admin-password").write_text("short")
    with pytest.raises(StartError, match="8 to 1024 characters"):
        operators_password(config(tmp_path))


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
        self.addCleanup(storage._backend._database.release)
        for listening in port._listening:
            self.addCleanup(listening.close)
        self.renewal: Any = self.daemon.getServiceNamed("renewal")
        self.renewal._operators._hashing = support.Lane()
        self.renewal._operators._saving = support.Lane()
        self.renewal._files = support.Lane()

    def renew(self) -> str:
        """Renew, and return the lines of the log."""
        with capturedLogs() as events:
            self.successResultOf(Deferred.fromCoroutine(self.renewal.renew()))
        return "\n".join(event["log_format"].format(**event) for event in events)

    def test_keys_of_tokens_are_read_again(self) -> None:
        """Files are read again; what cannot be used is one line, and those of before go on."""
        path = secret_file(self.directory)
        ring = self.renewal._issuers = KeyRing([path], [], lambda _: fail(OSError()), Time(Clock()))
        assert "Keys of tokens in files: 1." in self.renew()
        path.write_bytes(pem("EC"))
        self.renew()
        assert (ring.fitting(None, "HS256"), len(ring.fitting(None, "ES256"))) == ((), 1)
        path.write_bytes(b"hunter2")
        said = self.renew()
        assert "The keys of tokens stay as they were: --token-keys: cannot use" in said
        assert "hunter2" not in said
        assert len(ring.fitting(None, "ES256")) == 1

    def test_a_new_password_is_taken(self) -> None:
        """A new password is taken; one that cannot be used leaves the old one; no bug is lost."""
        assert "is the same as before" in self.renew()
        self.password.write_text("another password")
        assert "is new, and signs all out" in self.renew()
        self.password.write_text("short")
        assert "stays as it was" in self.renew()
        self.patch(self.renewal, "_operators", None)
        assert "could not be renewed" in self.renew()
        assert len(self.flushLoggedErrors(AttributeError)) == 1

    def test_many_at_once(self) -> None:
        """While one renewal is under way, any number of SIGHUPs make one more."""
        lane = self.renewal._operators._hashing
        lane.held = True
        self.renewal._reactor.callFromThread = lambda f: f()
        for checks in (2, 1):
            for _ in range(300 if checks == 2 else 1):
                self.renewal._asked()
            done = 0
            while lane.busy():
                lane.step()
                done += 1
            assert done == checks

    def test_exposed_files_are_warned_of_again(self) -> None:
        """Exposed files are warned of again until they are mended, by one worker."""
        state = self.directory / "state"
        state.chmod(0o777)
        assert self.renew().count(f"can write {state}") == 1
        self.patch(self.renewal, "_config", dataclasses.replace(self.renewal._config, worker=2))
        assert "can write" not in self.renew()
        state.chmod(0o700)
        self.patch(self.renewal, "_config", dataclasses.replace(self.renewal._config, worker=1))
        assert "can write" not in self.renew()

    def test_renewal_stops_last(self) -> None:
        """Renewal stops last, so that no SIGHUP kills a daemon that is stopping."""
        assert next(iter(self.daemon)) is self.renewal

    def test_the_signal_is_taken_while_the_service_runs(self) -> None:
        """The signal is taken while the service runs, and what was before is restored."""
        before = signal.getsignal(signal.SIGHUP)
        self.renewal.startService()
        assert signal.getsignal(signal.SIGHUP) == self.renewal._asked
        self.renewal.stopService()
        assert signal.getsignal(signal.SIGHUP) == before
