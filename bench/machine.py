"""Describes the machine, and makes the certificate of all servers."""

from __future__ import annotations

import ipaddress
import os
import platform
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

#: A place for temporary directories on disk; /tmp may be in memory.
ON_DISK = Path("/var/tmp")


def description() -> list[str]:
    """Return lines about the machine."""
    cpus = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    cores = os.cpu_count()
    return [
        f"{datetime.now(UTC):%Y-%m-%d}; {cpus[0] if cpus else platform.machine()}, {cores} cores; "
        f"{platform.system()} {platform.release()}; Python {platform.python_version()}; "
        f"livechat's database on {file_system(ON_DISK)}"
    ]


def file_system(path: Path) -> str:
    """Return the type of the file system that holds *path*."""
    command = ["findmnt", "--noheadings", "--output", "FSTYPE", "--target", str(path)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "an unknown file system"


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """Make a self-signed certificate with an RSA key of 2048 bits; return both files."""
    private = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    hosts = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(hosts, critical=False)
        .sign(private, SHA256())
    )
    chain, key = directory / "certificate.pem", directory / "key.pem"
    chain.write_bytes(certificate.public_bytes(Encoding.PEM))
    key.touch(0o600)
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain, key
