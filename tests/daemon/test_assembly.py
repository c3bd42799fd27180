"""`livechat.daemon.assembly`."""

from __future__ import annotations

from pathlib import Path

from livechat.daemon.assembly import _promises
from livechat.http.origins import Asked
from livechat.net import certificates
from livechat.net.certificates import Shown
from tests.support.certificates import issue
from tests.support.services import config


def test_only_a_trusted_certificate_promises_https(tmp_path: Path) -> None:
    """Browsers are bound to HTTPS only by a certificate that is not self-signed."""
    given, none = config(tmp_path), Shown(None)
    mine = Shown(certificates.load_or_make(tmp_path))
    real = Shown(certificates.load(*issue(tmp_path)))
    assert _promises(given, mine, None) == ()
    ((name, _),) = _promises(given, real, None)
    assert name == "Strict-Transport-Security"
    assert _promises(given, real, Asked("chat.example"))
    # Behind a proxy that ends TLS its word counts, with any certificate of ours.
    for shown in (none, mine, real):
        assert _promises(given, shown, Asked("chat.example", ended=True))
        assert not _promises(given, shown, Asked("chat.example", "http", ended=True))
    # Below a path the host's name belongs to other applications too.
    assert not _promises(config(tmp_path, prefix="/chat"), real, None)
