"""`livechat.command.checking.trust`."""

from __future__ import annotations

from pathlib import Path

import pytest

from livechat.command.checking import trust
from livechat.net.certificates import load_or_make
from tests.command.checking.looking import config, wrong
from tests.support.certificates import issue


def given(tmp_path: Path, *options: str, name: str = "chat.example", days: int = 90) -> list[str]:
    chain, key = issue(tmp_path, name=name, days=days)
    return [f"--certificate={chain}", f"--private-key={key}", *options]


@pytest.mark.parametrize(
    ("days", "expected"),
    [(90, []), (5, [("certificate", "warn")]), (-1, [("certificate", "FAIL")])],
)
def test_the_end_of_a_certificate_is_told(
    tmp_path: Path, days: int, expected: list[tuple[str, str]]
) -> None:
    """A certificate that has expired, or will soon, is told."""
    _, found = trust.certificate(config(tmp_path, *given(tmp_path, days=days)))
    assert wrong(found) == expected


def test_broken_certificates_have_their_cures(tmp_path: Path) -> None:
    """A broken file has its cure: a named one what it must hold, a made one is made again."""
    (tmp_path / "x.pem").write_text("nonsense")
    _, found = trust.certificate(config(tmp_path, "--certificate=x.pem"))
    assert wrong(found) == [("certificate", "FAIL")]
    assert "whole chain" in found[0].cure
    load_or_make(tmp_path / "certs")
    (tmp_path / "certs" / "livechat.key").unlink()
    _, found = trust.certificate(config(tmp_path))
    assert wrong(found) == [("certificate", "FAIL")]
    assert "another one is made" in found[0].cure


def test_no_certificate_is_checked_behind_a_proxy(tmp_path: Path) -> None:
    """Behind a proxy that ends TLS no certificate is checked."""
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "livechat.crt").write_text("nonsense")
    found, told = trust.certificate(config(tmp_path, "--listen=http:127.0.0.1:8080"))
    assert (found, wrong(told)) == (None, [])


def test_a_self_signed_certificate_is_well_on_loopback(tmp_path: Path) -> None:
    """A self-signed certificate is well on loopback, and a warning on other interfaces."""
    load_or_make(tmp_path / "certs")
    _, found = trust.certificate(config(tmp_path))
    assert wrong(found) == []
    _, found = trust.certificate(config(tmp_path, "--interface=0.0.0.0"))
    assert wrong(found) == [("certificate", "warn")]
    assert "certbot" in found[-1].cure


@pytest.mark.parametrize(
    ("host", "name", "expected"),
    [
        ("chat.example", "chat.example", []), ("CHAT.example", "chat.example", []),
        ("a.chat.example", "*.chat.example", []), ("*", "chat.example", []),
        ("other.example", "chat.example", [("certificate", "warn")]),
        ("b.a.chat.example", "*.chat.example", [("certificate", "warn")]),
    ],
)  # fmt: skip
def test_a_name_that_the_certificate_lacks_is_told(
    tmp_path: Path, host: str, name: str, expected: list[tuple[str, str]]
) -> None:
    """A name that --host gives, and the certificate has not, keeps browsers out."""
    options = given(tmp_path, f"--host={host}", name=name)
    assert wrong(trust.certificate(config(tmp_path, *options))[1]) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], []),
        (["--trust-proxy=10.0.0.0/8"], []),
        (["--trust-proxy=0.0.0.0/0"], ["FAIL"]),
        (["--trust-proxy=::/0"], ["FAIL"]),
        (["--host=*"], ["warn"]),
        (["--metrics=open"], []),
        (["--metrics=open", "--interface=0.0.0.0"], ["warn"]),
        (["--origin=https://site.example"], []),
        (["--origin=http://localhost:8000"], []),
        (["--origin=http://127.0.0.1:8000"], []),
        (["--origin=http://site.example"], ["warn"]),
        (["--rate=0"], []),
        (["--rate=0", "--max-connections=0", "--interface=::"], ["warn"]),
    ],
)
def test_files_open_to_others_are_told(
    tmp_path: Path, options: list[str], expected: list[str]
) -> None:
    """Files that others should not read or write are told."""
    found = wrong(trust.believed(config(tmp_path, *options)))
    assert found == [("exposure", each) for each in expected]


def test_a_missing_password_is_well(tmp_path: Path) -> None:
    """A missing password is well, as the start makes one; the check makes nothing."""
    assert trust.password(config(tmp_path)).state == "ok"
    assert not (tmp_path / "state").exists()
    short, good = tmp_path / "short", tmp_path / "good"
    short.write_text("x\n")
    good.write_text("a good long password\n")
    assert wrong([trust.password(config(tmp_path, "--admin-password-file=short"))])
    assert wrong([trust.password(config(tmp_path, "--admin-password-file=none"))])
    assert trust.password(config(tmp_path, "--admin-password-file=good")).state == "ok"
    assert wrong([trust.password(config(tmp_path, LIVECHAT_ADMIN_PASSWORD="x"))])


def test_unusable_token_keys_are_told(tmp_path: Path) -> None:
    """A file that cannot be read, and one that is no key; addresses in tests of the command."""
    (tmp_path / "short").write_text("a secret")
    (tmp_path / "secret").write_text("a secret of more than thirty-two bytes")
    options = [f"--token-keys={each}" for each in ("none", "short", "secret")]
    assert wrong(trust.token_keys(config(tmp_path, *options))) == [("token keys", "FAIL")] * 2


def test_pages_without_an_origin(tmp_path: Path) -> None:
    """The origin "null" is a warning: pages of any site have it."""
    found = list(trust.believed(config(tmp_path, "--origin=null")))
    assert wrong(found) == [("exposure", "warn")]
    assert "any site" in found[0].text
    assert not list(trust.believed(config(tmp_path, "--origin=https://*.example.org")))
