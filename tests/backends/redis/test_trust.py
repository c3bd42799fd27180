"""`livechat.backends.redis.trust`: whose certificate it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from livechat.backends.redis import connect
from livechat.backends.redis.trust import MistrustError, check_names
from livechat.backends.retention import Retention
from tests.backends.redis.processes import Process
from tests.backends.redis.server import RedisServer, free_port

_KEY = ec.generate_private_key(ec.SECP256R1())
_NAMES = ExtensionOID.SUBJECT_ALTERNATIVE_NAME


def dns(*names: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.DNSName(name) for name in names])


def addresses(*names: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.IPAddress(ip_address(name)) for name in names])


def certificate(
    names: x509.ExtensionType | None, *, days: int = 1, authority: bool = False
) -> x509.Certificate:
    """Of the authority, or by it: for localhost, says its subject, but that is not a name."""
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=issuer if authority else subject,
        public_key=_KEY.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(days=2),
        not_valid_after=now + timedelta(days=days),
    )
    if authority:
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if names is not None:
        made = made.add_extension(names, critical=False)
    return made.sign(_KEY, hashes.SHA256())


#: A name that is no text.
GARBAGE = x509.UnrecognizedExtension(_NAMES, b"\x30\x03\x82\x01\xff")


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
def test_the_right_names(names: x509.ExtensionType, host: str) -> None:
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
def test_other_names(names: x509.ExtensionType | None, host: str, said: str) -> None:
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
        (tmp_path / "key").write_bytes(
            _KEY.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        options = (
            *("--tls-port", f"{self.port}", "--tls-auth-clients", "no"),
            *("--tls-cert-file", f"{self.write('first', certificate(dns('localhost')))}"),
            *("--tls-key-file", f"{tmp_path}/key"),
        )
        with RedisServer(tmp_path / "redis", *options) as self.server:
            yield

    def write(self, name: str, made: x509.Certificate) -> Path:
        path = self.directory / name
        path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        return path

    def reach(self, authorities: Path | None) -> Process:
        from twisted.internet import reactor  # noqa: PLC0415

        real: Any = reactor
        url = f"rediss://localhost:{self.port}"
        made = Process(connect(url, real, Retention(), authorities))
        self.addCleanup(made.backend.stop)
        return made

    async def test_certificates(self) -> None:
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
