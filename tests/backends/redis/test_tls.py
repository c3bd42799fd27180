"""`livechat.backends.redis.tls`: a Redis that asks for a certificate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from livechat.backends.redis import connect
from livechat.backends.redis.tls import TLS, TLSFiles
from livechat.backends.retention import Retention
from livechat.errors import StartError
from livechat.protocol.messages import Draft
from tests.backends.redis.authority import certificate, dns, key_bytes, write
from tests.backends.redis.processes import Process
from tests.backends.redis.server import RedisServer
from tests.support.outcomes import publish
from tests.support.ports import free_port


class ClientCertificateTest(TestCase):
    """A Redis that takes nobody without a certificate of its authority."""

    timeout = 30

    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path) -> Iterator[None]:
        self.directory = tmp_path
        self.authority = write(tmp_path / "authority", certificate(None, authority=True))
        self.key = tmp_path / "key"
        self.key.write_bytes(key_bytes())
        self.port = free_port()
        options = (
            *("--tls-port", f"{self.port}", "--tls-auth-clients", "yes"),
            *("--tls-cert-file", f"{write(tmp_path / 'server', certificate(dns('localhost')))}"),
            *("--tls-key-file", f"{self.key}", "--tls-ca-cert-file", f"{self.authority}"),
        )
        with RedisServer(tmp_path / "redis", *options) as self.server:
            yield

    def reach(self, shown: Path | None, key: Path | None = None) -> Process:
        from twisted.internet import reactor  # noqa: PLC0415

        real: Any = reactor
        files = TLSFiles(self.authority, shown, key)
        url = f"rediss://localhost:{self.port}"
        made = Process(connect(url, real, Retention(), files))
        self.addCleanup(made.backend.stop)
        return made

    async def test_a_client_without_a_certificate_is_refused(self) -> None:
        await self.reach(None).troubled("certificate required")

    async def test_a_certificate_of_an_unknown_authority_is_refused(self) -> None:
        """An authority that Redis does not know has signed it."""
        own = write(self.directory / "own", certificate(None, issuer="another", subject="me"))
        await self.reach(own, self.key).troubled("unknown ca")

    async def test_with_its_chain(self) -> None:
        """Redis knows the root alone; the authority between them is shown, too."""
        between = certificate(None, authority=True, subject="between")
        leaf = certificate(None, issuer="between", subject="chat")
        await self.reach(write(self.directory / "leaf", leaf), self.key).troubled("unknown ca")
        process = self.reach(write(self.directory / "chain", leaf, between), self.key)
        await process.usable()
        await process.backend.messages.subscribe("r")
        await publish(process.backend.messages, Draft("r", "hello"))
        assert process.heard() == ["hello"]

    async def test_a_renewed_certificate_is_used(self) -> None:
        """A certificate is replaced in place, with its key in the same file."""
        both = write(self.directory / "both", certificate(None, days=-1))
        both.write_bytes(both.read_bytes() + key_bytes())
        process = self.reach(both)
        await process.troubled("certificate expired")
        write(both, certificate(None))
        both.write_bytes(both.read_bytes() + key_bytes())
        await process.usable()

    async def test_a_half_written_certificate_is_not_used(self) -> None:
        """A half written certificate is reported once; the former one stays in use."""
        shown = write(self.directory / "shown", certificate(None))
        process = self.reach(shown, self.key)
        await process.usable()
        shown.write_text("-----BEGIN CERT")
        with capturedLogs() as events:
            process.backend._connection.drop("a test")
            await process.troubled("a test")
            await process.usable()
        lines = [event["reason"] for event in events if "stays in use" in event["log_format"]]
        assert len(lines) == 1
        assert lines[0].startswith(f"--redis-certificate: {shown} cannot be used: ")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (b"", "--redis-key: .*/key cannot be used"),
        (b"nonsense", "--redis-key: .*/key cannot be used"),
        (key_bytes(password=b"secret"), "--redis-key: .*/key cannot be used: Password was not"),
        (key_bytes(other=True), "--redis-key: .*/key cannot be used: it is not the key of the"),
        (None, "--redis-certificate: .*/shown cannot be used"),
    ],
)
def test_keys_that_cannot_be_used(tmp_path: Path, key: bytes | None, said: str) -> None:
    """An unusable key is found at the start, without asking for a password."""
    shown, path = write(tmp_path / "shown", certificate(None)), None
    if key is not None:
        path = tmp_path / "key"
        path.write_bytes(key)
    with pytest.raises(StartError, match=said):
        TLS(TLSFiles(None, shown, path))


def test_a_file_without_a_certificate_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(key_bytes())
    with pytest.raises(StartError, match=r"--redis-certificate: .*/key cannot be used"):
        TLS(TLSFiles(None, tmp_path / "key"))
