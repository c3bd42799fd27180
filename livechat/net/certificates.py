"""
The certificate of the port; a self-signed one is made if there is none.

The made one is for development and first steps: P-256, self-signed, for
``localhost`` and its addresses only, and no certificate authority, so that
trusting it trusts nothing else.
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from livechat.errors import StartError
from livechat.system import files

#: Days that a made certificate is valid: the most that Apple's clients accept.
_VALID_DAYS: Final = 825
#: Seconds before its end from which a certificate is warned about.
EXPIRES_SOON: Final = 14 * 86_400
_NAMES: Final = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
)


class Certificate(Struct, frozen=True):
    """
    A checked certificate: both files can be read and belong together.

    @ivar chain: the PEM file, the server's own certificate first.
    @ivar key: the PEM file of its private key.
    @ivar names: the names it is for, as text.
    @ivar expires: the end of its validity.
    @ivar begins: the beginning of it.
    @ivar fingerprint: the SHA-256 of the server's own certificate, as hexadecimal digits.
    """

    chain: Path
    key: Path
    names: tuple[str, ...]
    expires: datetime
    self_signed: bool
    begins: datetime = datetime.min.replace(tzinfo=UTC)
    fingerprint: str = ""

    def warning(self, now: datetime) -> str | None:
        """Describe why clients refuse it at *now*, or will soon; None if nothing is to be done."""
        days = (self.expires - now) // timedelta(days=1)
        end = f"{self.expires:%Y-%m-%d}"
        if self.expires <= now:
            return f"The certificate {self.chain} expired on {end}."
        if self.begins > now:
            return f"The certificate {self.chain} is valid only from {self.begins:%Y-%m-%d}."
        if (self.expires - now).total_seconds() >= EXPIRES_SOON:
            return None
        left = f"in {days} days" if days > 1 else "within two days"
        return f"The certificate {self.chain} expires on {end}, {left}."


class Shown:
    """
    The certificate that the port shows just now.

    @ivar certificate: to be replaced when it is renewed; None where TLS ends at a proxy.
    """

    def __init__(self, certificate: Certificate | None) -> None:
        self.certificate = certificate

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the certificate; none without one."""
        return () if self.certificate is None else self.certificate.names

    @property
    def self_signed(self) -> bool:
        """True if clients must be told to accept it."""
        return self.certificate is not None and self.certificate.self_signed


def load(chain: Path, key: Path) -> Certificate:
    """
    Look at a certificate and its key.

    @raise StartError: a file cannot be read or used, or the two do not belong together.
    """
    try:
        certificates = x509.load_pem_x509_certificates(_read("--certificate", chain))
    except ValueError:
        raise StartError(f"--certificate: {chain} holds no PEM certificate") from None
    try:
        private = load_pem_private_key(_read("--private-key", key), None)
    except (ValueError, TypeError):
        raise StartError(
            f"--private-key: {key} holds no PEM private key that needs no password"
        ) from None
    certificate = certificates[0]
    if private.public_key() != certificate.public_key():
        raise StartError(f"--private-key: {key} is not the key of {chain}")
    return Certificate(
        chain=chain,
        key=key,
        names=_names(certificate),
        expires=certificate.not_valid_after_utc,
        self_signed=_is_self_signed(certificate),
        begins=certificate.not_valid_before_utc,
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
    )


def load_or_make(directory: Path) -> Certificate:
    """
    The certificate ``livechat.crt`` in *directory*, with ``livechat.key``; made
    if both are missing.

    @raise StartError: it cannot be read or made.
    """
    chain, key = directory / "livechat.crt", directory / "livechat.key"
    if not chain.exists() and not key.exists():
        try:
            _make(chain, key)
        except OSError as reason:
            raise StartError(
                f"no --certificate, and none can be made in {directory}: {reason.strerror}"
            ) from None
    return load(chain, key)


def _make(chain: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "livechat on localhost")])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        # A machine whose clock is a little behind must not refuse it.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_VALID_DAYS - 1))
        .add_extension(x509.SubjectAlternativeName(_NAMES), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), False)
        .sign(private, hashes.SHA256())
    )
    # Permissions do not depend on the umask: write access would allow replacing the key.
    chain.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    # The key first: a crash between the two leaves a key alone, which `load`
    # complains about, rather than a certificate that looks usable.
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    files.write(key, pem, 0o600)
    files.write(chain, certificate.public_bytes(Encoding.PEM), 0o644)


def _read(option: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as reason:
        raise StartError(f"{option}: cannot read {path}: {reason.strerror}") from None


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in found.value)


def _is_self_signed(certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
