"""`livechat.net.certificates`."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from livechat.errors import StartError
from livechat.net import certificates
from tests.support.certificates import issue


def test_a_made_certificate_is_for_this_machine(tmp_path: Path) -> None:
    """The made certificate is P-256, self-signed, no authority, for this machine only."""
    made = certificates.load_or_make(tmp_path / "certs")
    assert made.self_signed
    assert made.names == ("localhost", "127.0.0.1", "::1")
    certificate = x509.load_pem_x509_certificate(made.chain.read_bytes())
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.value.ca is False
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    assert timedelta(days=300) < made.expires - datetime.now(UTC) < timedelta(days=825)
    assert sorted(path.name for path in made.key.parent.iterdir()) == [
        "livechat.crt", "livechat.key",
    ]  # fmt: skip


def test_the_next_start_takes_the_made_certificate(tmp_path: Path) -> None:
    """The next start takes the same one."""
    first = certificates.load_or_make(tmp_path).chain.read_bytes()
    assert certificates.load_or_make(tmp_path).chain.read_bytes() == first


def test_a_given_certificate_is_described(tmp_path: Path) -> None:
    """A given certificate is looked at: its names, its end, who signed it."""
    given = certificates.load(*issue(tmp_path))
    assert not given.self_signed
    assert given.names == ("chat.example",)
    assert given.expires < datetime.now(UTC) + timedelta(days=6)


def test_certificate_and_key_may_be_one_file(tmp_path: Path) -> None:
    """Certificate and key may be in one file."""
    chain, key = issue(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(key.read_bytes() + chain.read_bytes())
    assert certificates.load(both, both).names == ("chat.example",)


def test_not_somebody_elses_name_for_self_signed(tmp_path: Path) -> None:
    """A certificate that only names itself as issuer is not self-signed."""
    assert not certificates.load(*issue(tmp_path, issuer="chat.example")).self_signed


def test_unusable_files_are_one_line(tmp_path: Path) -> None:
    """Files that are missing, no PEM, locked or of another pair are each one clear line."""
    chain, key = issue(tmp_path)
    _, other = issue(tmp_path, name="other.example")
    _, locked = issue(tmp_path, name="locked.example", password=b"secret")
    junk = tmp_path / "junk"
    junk.write_bytes(b"\x00junk")
    missing = tmp_path / "missing"
    for files, expected in (
        ((missing, key), r"--certificate: cannot read .*missing: No such file"),
        ((tmp_path, key), r"--certificate: cannot read .*: Is a directory"),
        ((junk, key), r"--certificate: .*junk holds no PEM certificate"),
        ((key, key), r"--certificate: .* holds no PEM certificate"),
        ((chain, missing), r"--private-key: cannot read .*missing: No such file"),
        ((chain, junk), r"--private-key: .*junk holds no PEM private key"),
        ((chain, locked), r"--private-key: .* that needs no password"),
        ((chain, other), r"--private-key: .*other.example.key is not the key of"),
    ):
        with pytest.raises(StartError, match=expected) as caught:
            certificates.load(*files)
        assert "\n" not in str(caught.value)


def test_half_a_pair_is_not_overwritten(tmp_path: Path) -> None:
    """If one of the two files is missing nothing is overwritten."""
    made = certificates.load_or_make(tmp_path)
    made.chain.unlink()
    before = made.key.read_bytes()
    with pytest.raises(StartError, match="cannot read"):
        certificates.load_or_make(tmp_path)
    assert made.key.read_bytes() == before


def test_nowhere_to_make_it(tmp_path: Path) -> None:
    """A directory that cannot be written to is one clear line."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="none can be made in"):
        certificates.load_or_make(tmp_path / "file" / "certs")


@pytest.mark.parametrize(
    ("begins", "expires", "said"),
    [
        ("2020-01-01", "2030-01-01", None),
        ("2020-01-01", "2026-01-16", None),
        ("2020-01-01", "2026-01-10", "expires on 2026-01-10, in 8 days."),
        ("2020-01-01", "2026-01-02", "expires on 2026-01-02, within two days."),
        ("2018-01-14", "2019-01-14", "expired on 2019-01-14."),
        ("2026-02-01", "2030-01-01", "is valid only from 2026-02-01."),
    ],
)
def test_a_certificate_that_ends_is_warned_of(begins: str, expires: str, said: str | None) -> None:
    """A certificate that has ended, ends soon or has not begun gets a warning with the date."""
    certificate = certificates.Certificate(
        Path("x.crt"),
        Path("x.key"),
        ("chat.example",),
        datetime.fromisoformat(f"{expires}T00:00:00+00:00"),
        self_signed=False,
        begins=datetime.fromisoformat(f"{begins}T00:00:00+00:00"),
    )
    warning = certificate.warning(datetime(2026, 1, 1, 12, tzinfo=UTC))
    assert warning == (said and f"The certificate x.crt {said}")
