"""`livechat.backends.redis.trust`: whose certificate it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtensionOID
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from livechat.backends.redis import connect
from livechat.backends.redis.tls import TLSFiles
from livechat.backends.redis.trust import MistrustError, check_names
from livechat.backends.retention import Retention
from tests.backends.redis.authority import addresses, certificate, dns, key_bytes, write
from tests.backends.redis.processes import Process
from tests.backends.redis.server import RedisServer
from tests.support.ports import free_port

#: A name that is no text.
GARBAGE = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\x30\x03\x82\x01\xff")


@pytest.mark.parametrize(
    ("names", "host"),
    [
        (dns("localhost"), "localhost"),
        (dns("other", "redis.example"), "redis.example"),
        (dns("*.redis.example"), "a.redis.example"),
        (dns("xn--bcher-kva.example"), "bücher.example"),
        (addresses("127.0.0.1"), "127.0.0.1"),
        (addresses("::1"), "0:0::1"),
    ],
)
def test_the_right_names_are_trusted(names: x509.ExtensionType, host: str) -> None:
    check_names(certificate(names), host)


@pytest.mark.parametrize(
    ("names", "host", "said"),
    [
        (dns("other"), "localhost", "not for localhost"),
        (dns("*.redis.example"), "redis.example", "not for redis.example"),
        (dns("127.0.0.1"), "127.0.0.1", "Invalid DNS pattern"),
        (dns("localhost", "*"), "127.0.0.1", "too few host components"),
        (addresses("127.0.0.1"), "localhost", "not for localhost"),
        (addresses("127.0.0.1"), "::1", "not for ::1"),
        (None, "localhost", "names no host"),
        (x509.SubjectAlternativeName([x509.RFC822Name("a@localhost")]), "localhost", "names no"),
        (None, "127.0.0.1", "names no host"),
    ],
)
def test_other_names_are_not_trusted(
    names: x509.ExtensionType | None, host: str, said: str
) -> None:
    with pytest.raises(MistrustError, match=said):
        check_names(certificate(names), host)


class TrustTest(TestCase):
    """A Redis whose certificates an authority has signed that is trusted."""

    timeout = 30

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> Iterator[None]:
        self.directory = tmp_path
        self.authority = self.write("authority", certificate(None, authority=True))
        self.port = free_port()
        (tmp_path / "key").write_bytes(key_bytes())
        options = (
            *("--tls-port", f"{self.port}", "--tls-auth-clients", "no"),
            *("--tls-cert-file", f"{self.write('first', certificate(dns('localhost')))}"),
            *("--tls-key-file", f"{tmp_path}/key"),
        )
        with RedisServer(tmp_path / "redis", *options) as self.server:
            yield

    def write(self, name: str, made: x509.Certificate) -> Path:
        return write(self.directory / name, made)

    def reach(self, authorities: Path | None) -> Process:
        from twisted.internet import reactor  # noqa: PLC0415

        real: Any = reactor
        url = f"rediss://localhost:{self.port}"
        made = Process(connect(url, real, Retention(), TLSFiles(authorities)))
        self.addCleanup(made.backend.stop)
        return made

    async def test_a_redis_of_another_name_is_not_spoken_to(self) -> None:
        """None but one with the name is spoken to; the log has a line, and no traceback."""
        refused = {
            "names no host": certificate(None),
            "not for localhost": certificate(dns("other")),
            "verify failed": certificate(GARBAGE),
            "expired": certificate(dns("localhost"), days=-1),
        }
        for number, (said, each) in enumerate(refused.items()):
            path = self.write(f"{number}", each)
            assert self.server.ask("CONFIG", "SET", "tls-cert-file", f"{path}") == "OK"
            with capturedLogs() as events:
                process = self.reach(self.authority)
                await process.troubled(said)
                await process.troubled("certificate verify failed: ")
                await process.backend.stop()
            assert len(events) == 1, events
            assert not any("log_failure" in event for event in events)
        path = self.directory / "first"
        assert self.server.ask("CONFIG", "SET", "tls-cert-file", f"{path}") == "OK"
        await self.reach(self.authority).usable()
        await self.reach(None).troubled("nobody vouches for it who is trusted")
