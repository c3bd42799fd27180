"""`livechat.daemon.permissions`."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from livechat.config import Config
from livechat.daemon.permissions import exposed
from livechat.net.certificates import Certificate, load_or_make
from tests.support.jwts import pem, secret_file
from tests.support.services import config


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return load_or_make(tmp_path / "certs")


@pytest.fixture
def settings(tmp_path: Path) -> Config:
    """A state directory as livechat makes it."""
    found = config(tmp_path)
    found.state.mkdir(mode=0o700)
    for name in ("operators.json", "admin-password", "livechat.sqlite3", "maps.sqlite3"):
        (found.state / name).touch(mode=0o600)
    return found


def test_what_livechat_makes(settings: Config, certificate: Certificate) -> None:
    """Files that livechat makes are nobody else's, whatever the umask is."""
    assert exposed(settings, certificate) == []


def test_a_made_certificate_with_a_weak_umask(tmp_path: Path) -> None:
    """A made key is its owner's alone, and others cannot write beside it."""
    before = os.umask(0)
    try:
        made = load_or_make(tmp_path / "certs")
    finally:
        os.umask(before)
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.chain.parent.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("mode", "warned"),
    [(0o600, False), (0o400, False), (0o640, False), (0o440, False),
     (0o644, True), (0o604, True), (0o660, True), (0o602, True)],
)  # fmt: skip
def test_a_key_that_others_can_read_is_exposed(
    settings: Config, certificate: Certificate, mode: int, warned: bool
) -> None:
    """A key's group may read it; nobody else may, and nobody else may write it."""
    certificate.key.chmod(mode)
    lines = exposed(settings, certificate)
    assert len(lines) == warned
    if warned:
        assert str(certificate.key) in lines[0]
        assert f"{mode:04o}" in lines[0]


def test_a_key_behind_a_link(settings: Config, certificate: Certificate, tmp_path: Path) -> None:
    """The file counts, and not the link to it, which everybody may read."""
    link = tmp_path / "privkey.pem"
    link.symlink_to(certificate.key)
    linked = Certificate(
        certificate.chain, link, certificate.names, certificate.expires, self_signed=True
    )
    assert exposed(settings, linked) == []
    certificate.key.chmod(0o644)
    assert len(exposed(settings, linked)) == 1


@pytest.mark.parametrize(
    "name", [".", "operators.json", "admin-password", "livechat.sqlite3", "maps.sqlite3"]
)
@pytest.mark.parametrize("bit", [0o020, 0o002])
def test_trusted_files_that_others_can_write_are_exposed(
    settings: Config, certificate: Certificate, name: str, bit: int
) -> None:
    """Each trusted file that others can write is one line."""
    path = settings.state / name
    path.chmod(path.stat().st_mode | bit)
    (line,) = exposed(settings, certificate)
    assert f"can write {path}" in line


def test_state_that_is_only_read(settings: Config, certificate: Certificate) -> None:
    """A state directory that others can only read is no fault."""
    settings.state.chmod(0o755)
    assert exposed(settings, certificate) == []


def test_files_outside_the_state_are_checked(
    settings: Config, certificate: Certificate, tmp_path: Path
) -> None:
    """The password's file and the authorities of Redis are checked as well."""
    password, authority = tmp_path / "password", tmp_path / "ca.pem"
    password.touch(mode=0o600)
    authority.touch(mode=0o644)
    named = config(tmp_path, admin_password_file=str(password), redis_ca=str(authority))
    assert exposed(named, certificate) == []
    password.chmod(0o620)
    authority.chmod(0o666)
    assert len(exposed(named, certificate)) == 2


def test_the_key_that_redis_asks_for(
    settings: Config, certificate: Certificate, tmp_path: Path
) -> None:
    """A private key is nobody else's, in a file of its own or with its certificate."""
    both, key = tmp_path / "both.pem", tmp_path / "key.pem"
    for path in (both, key):
        path.touch(mode=0o640)
    for more in ({}, {"redis_key": str(key)}):
        named = config(tmp_path, redis_certificate=str(both), **more)
        assert exposed(named, certificate) == []
    both.chmod(0o644)
    assert exposed(named, certificate) == []
    (line,) = exposed(config(tmp_path, redis_certificate=str(both)), certificate)
    assert f"the private key {both}" in line


def test_state_of_another_user(
    settings: Config, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An owner can write what is his, whatever its mode is; root always can."""
    owner = settings.state.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    lines = exposed(settings, certificate)
    assert bool(lines) == (owner != 0)
    assert all(f"belongs to another user ({owner})" in line for line in lines)
    monkeypatch.setattr(os, "geteuid", lambda: 4_711)
    if os.getuid() == 0:
        os.chown(settings.state, 4_712, -1)
        (line,) = exposed(settings, certificate)
        assert "another user (4712)" in line


def test_keys_of_tokens_that_others_can_use_are_exposed(
    settings: Config, certificate: Certificate, tmp_path: Path
) -> None:
    """A secret is nobody else's to read; a public key is nobody else's to write."""
    secret, public = secret_file(tmp_path), tmp_path / "chat.pub"
    public.write_bytes(pem("EC"))
    secret.chmod(0o600)
    public.chmod(0o644)
    found = replace(settings, token_keys=(secret, public, "https://issuer.example/"))
    assert exposed(found, certificate) == []
    secret.chmod(0o644)
    public.chmod(0o666)
    first, second = exposed(found, certificate)
    assert f"the secret of tokens {secret} (mode 0644)" in first
    assert f"can write {public} (mode 0666)" in second


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_local_key_that_its_group_can_read_is_exposed(
    settings: Config, certificate: Certificate, mode: int, warned: bool
) -> None:
    """The local key, which may do everything, is its owner's alone: not even its group reads it."""
    path = settings.state / "local-key"
    path.touch()
    path.chmod(mode)
    lines = exposed(settings, certificate)
    assert [str(path) in line and "acts" not in line for line in lines] == [True] * warned
