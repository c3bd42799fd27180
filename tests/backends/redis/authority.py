"""Certificates, and an authority that signs them; all have one key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_KEY = ec.generate_private_key(ec.SECP256R1())


def dns(*names: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.DNSName(name) for name in names])


def addresses(*names: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.IPAddress(ip_address(name)) for name in names])


def certificate(
    names: x509.ExtensionType | None,
    *,
    days: int = 1,
    authority: bool = False,
    subject: str = "localhost",
    issuer: str = "an authority",
) -> x509.Certificate:
    """
    Make a certificate for localhost by its subject, which does not count as a name.

    @param authority: it may sign others; without a subject of its own it is the root.
    """
    if authority and subject == "localhost":
        subject = issuer
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(
        issuer_name=_name(issuer),
        subject_name=_name(subject),
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


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def write(path: Path, *made: x509.Certificate) -> Path:
    path.write_bytes(b"".join(each.public_bytes(serialization.Encoding.PEM) for each in made))
    return path


def key_bytes(*, password: bytes = b"", other: bool = False) -> bytes:
    """
    The key as PEM.

    @param password: with which it is encrypted; empty: it is not.
    @param other: it is another one.
    """
    key = ec.generate_private_key(ec.SECP256R1()) if other else _KEY
    how: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        how = serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
