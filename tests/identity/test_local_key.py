"""`livechat.identity.local_key`."""

from __future__ import annotations

from pathlib import Path

import pytest

from livechat.errors import StartError
from livechat.identity.keys import PREFIX
from livechat.identity.local_key import FILE, local_key, read_local_key


@pytest.mark.parametrize("content", [b"", b"lck_local_short\n", b"\xff" * 53, b"x" * 1_000_000])
def test_no_key_in_the_file(tmp_path: Path, content: bytes) -> None:
    """Nothing is overwritten: another process may have the key."""
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StartError, match=FILE):
        local_key(tmp_path)
    assert (tmp_path / FILE).read_bytes() == content


def test_an_unwritable_state_is_told(tmp_path: Path) -> None:
    """A state directory that is none is one line."""
    (tmp_path / "state").write_text("")
    with pytest.raises(StartError, match="state"):
        local_key(tmp_path / "state")


def test_all_processes_have_one_local_key(tmp_path: Path) -> None:
    """All processes of a state directory have the same, which nobody else can read."""
    state = tmp_path / "state"
    made = local_key(state)
    assert made.startswith(f"{PREFIX}local_")
    assert local_key(state) == read_local_key(state) == made
    assert (state / FILE).stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in state.iterdir()] == [FILE]
    assert local_key(tmp_path / "other") != made


def test_made_by_two_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that comes second takes the first one's."""
    link = Path.hardlink_to

    def late(path: Path, target: Path) -> None:
        monkeypatch.setattr(Path, "hardlink_to", link)
        local_key(tmp_path)
        link(path, target)

    monkeypatch.setattr(Path, "hardlink_to", late)
    assert local_key(tmp_path) == read_local_key(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == [FILE]


def test_a_local_key_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A command says that there is none, or that it may not read it."""
    with pytest.raises(FileNotFoundError):
        read_local_key(tmp_path)
    (tmp_path / FILE).write_text("nothing")
    with pytest.raises(ValueError, match="no key"):
        read_local_key(tmp_path)
