"""`livechat.daemon.renewal`."""

from __future__ import annotations

from pathlib import Path

import pytest

from livechat.daemon.renewal import find_certificate, operators_password, secure
from livechat.errors import StartError
from livechat.net import certificates
from livechat.net.certificates import Certificate
from tests.net.test_certificates import issue
from tests.test_service import config


def test_a_certificate_openssl_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only OpenSSL finds wrong with a certificate is one clear line too."""
    chain, key = issue(tmp_path)
    _, other = issue(tmp_path, name="other.example")
    found = certificates.load(chain, key)
    refused = Certificate(chain, other, found.names, found.expires, self_signed=False)
    monkeypatch.setattr(certificates, "load", lambda *_: refused)
    with pytest.raises(StartError, match=r"--certificate: OpenSSL refuses .*chat\.example\.crt"):
        secure(find_certificate(config(tmp_path, certificate=str(chain), private_key=str(key))))


def test_the_password(tmp_path: Path) -> None:
    """The admin page's password is made at the first start, and what is wrong with it is told."""
    operators_password(config(tmp_path))
    made = (tmp_path / "state" / "admin-password").read_text()
    found = operators_password(config(tmp_path))
    assert found.source == str(tmp_path / "state" / "admin-password")
    assert (tmp_path / "state" / "admin-password").read_text() == made
    (tmp_path / "state" / "admin-password").write_text("short")
    with pytest.raises(StartError, match="8 to 1024 characters"):
        operators_password(config(tmp_path))
