"""`livechat.system.files`."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from livechat.system import files


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """A file is made and replaced whole, with its mode, and leaves nothing else behind."""
    path = tmp_path / "f"
    for text in (b"a", b"bb", b""):
        files.write(path, text, 0o600)
        assert path.read_bytes() == text
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk is full, the old file is still there and no half of a new one is."""
    path = tmp_path / "f"
    files.write(path, b"old", 0o600)

    def full(_: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write(path, b"new", 0o600)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_a_file_is_read_to_its_bound(tmp_path: Path) -> None:
    """A file is read whole, up to so many bytes; an endless one is not read to its end."""
    path = tmp_path / "file"
    path.write_bytes(b"four")
    assert files.read(path, 4) == b"four"
    with pytest.raises(ValueError, match="more than 3 bytes"):
        files.read(path, 3)
    with pytest.raises(ValueError, match="more than 3 bytes"):
        files.read(Path("/dev/zero"), 3)


def test_an_existing_file_stays(tmp_path: Path) -> None:
    """A file that is there stays as it is; only its owner can use one that is made."""
    path = tmp_path / "secret"
    files.make(path, b"first")
    files.make(path, b"second")
    assert path.read_bytes() == b"first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
