"""`livechat.identity.passwords`."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import capturedLogs

from livechat.errors import StartError
from livechat.identity.passwords import LONGEST, Password, find_password


def test_the_first_start_generates_a_password(tmp_path: Path) -> None:
    """The first start makes a password that nobody guesses, in a file of the owner's."""
    path = tmp_path / "admin-password"
    first = find_password(None, None, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(set(first.text)) > 5
    assert len(first.text) == 29
    assert first.source == str(path)
    assert find_password(None, None, path) == first
    path.unlink()
    assert find_password(None, None, path) != first


def test_where_the_password_comes_from(tmp_path: Path) -> None:
    """The environment, then the given file, then the generated one."""
    given, generated = tmp_path / "given", tmp_path / "generated"
    given.write_text("from the file\n")
    given.chmod(0o600)
    assert find_password("from the environment", given, generated).text == "from the environment"
    with capturedLogs() as events:
        assert find_password(None, given, generated) == Password("from the file", str(given))
        assert not events
        given.chmod(0o644)
        find_password(None, given, generated)
    assert "everybody" in events[0]["log_format"]
    assert not generated.exists()


@pytest.mark.parametrize(
    "text", [b"", b"\n", b"7 chars", b"x" * (LONGEST + 1), b"two lines\nof text", b"\xff" * 9]
)
def test_files_without_a_password(tmp_path: Path, text: bytes) -> None:
    """A file that cannot hold a password is refused, and what it holds is not shown."""
    path = tmp_path / "given"
    path.write_bytes(text)
    with pytest.raises(StartError, match="--admin-password-file") as caught:
        find_password(None, path, tmp_path / "generated")
    if text.strip():
        assert text.decode("latin-1") not in str(caught.value)


def test_an_endless_file_is_read_to_its_bound(tmp_path: Path) -> None:
    """No more of it is read than is too long."""
    with pytest.raises(StartError, match="a password is one line"):
        find_password(None, Path("/dev/zero"), tmp_path / "generated")


@pytest.mark.parametrize("text", ["", "short", "\udcff not UTF-8"])
def test_bad_passwords_in_the_environment(tmp_path: Path, text: str) -> None:
    """The same for the environment: an empty variable is no password."""
    with pytest.raises(StartError, match="LIVECHAT_ADMIN_PASSWORD: "):
        find_password(text, None, tmp_path / "generated")


@pytest.mark.parametrize(
    ("hashed", "said"),
    [
        ("$argon2id$nonsense", "not a valid argon2id hash"),
        ("$argon2id$v=19$m=9999999,t=1,p=1$c29tZXNhbHQ$aGFzaGhhc2g", "costs too much"),
    ],
)
def test_bad_hashes_are_refused(tmp_path: Path, hashed: str, said: str) -> None:
    """A hash that cannot be used is none, wherever it is from, before a worker is started."""
    given = tmp_path / "given"
    given.write_text(hashed)
    with pytest.raises(StartError, match=f"^LIVECHAT_ADMIN_PASSWORD: .*{said}"):
        find_password(hashed, None, tmp_path / "generated")
    with pytest.raises(StartError, match=f"^--admin-password-file: .*{said}"):
        find_password(None, given, tmp_path / "generated")
    with pytest.raises(StartError, match=f"^--state: .*{said}"):
        find_password(None, None, given)


def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    """A file that was named must be there; the generated one must be possible."""
    missing: Any = tmp_path / "missing"
    with pytest.raises(StartError, match="cannot read"):
        find_password(None, missing, tmp_path / "generated")
    with pytest.raises(StartError, match="cannot write"):
        find_password(None, None, missing / "generated")


def test_a_bad_generated_file(tmp_path: Path) -> None:
    """If the generated file was spoilt, no option is blamed that nobody gave."""
    (tmp_path / "generated").write_text("short")
    with pytest.raises(StartError, match=r"--state: .*generated: a password"):
        find_password(None, None, tmp_path / "generated")
