"""`livechat.net.whereabouts`."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from livechat.net import whereabouts
from livechat.net.whereabouts import FILE, Whereabouts, reachable


def test_a_private_file_is_written_and_read(tmp_path: Path) -> None:
    """A file that is written is read, and nobody else can read it."""
    found = Whereabouts("::1", 10443, "ab" * 32, embedded=False)
    whereabouts.write(tmp_path, found)
    assert whereabouts.read(tmp_path) == found
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "null", "{}", '{"host":"x","port":"1","fingerprint":""}'])
def test_a_damaged_file_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ValueError, match=r"."):
        whereabouts.read(tmp_path)


@pytest.mark.parametrize(
    ("interface", "host"),
    [
        ("loopback", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "::1"),
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_a_server_on_all_addresses_is_asked_on_loopback(interface: str, host: str) -> None:
    """A server that listens on all addresses is asked on the loopback's."""
    assert reachable(interface) == host
