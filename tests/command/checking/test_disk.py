"""`livechat.command.checking.disk`."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from livechat.backends.retention import Retention
from livechat.backends.sqlite.database import Database
from livechat.command.checking import disk
from tests.command.checking.looking import config, wrong


@pytest.fixture(autouse=True)
def _on_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "file_system", lambda _: "ext4")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    return path


def room(monkeypatch: pytest.MonkeyPatch, free: int, size: int, files: int = 1) -> None:
    """Have `os.statvfs` report a disk with *free* bytes and *files* inodes left."""
    found = SimpleNamespace(f_bavail=free, f_frsize=1, f_blocks=size, f_files=9, f_favail=files)
    monkeypatch.setattr(os, "statvfs", lambda _: found)


GB = 10**9


@pytest.mark.parametrize(
    ("free", "size", "files", "expected"),
    [
        (50 * GB, 100 * GB, 1, []),
        (2 * GB, 100 * GB, 1, ["warn"]),
        (GB // 4, GB, 1, ["warn"]),
        (GB // 100, GB, 1, ["FAIL"]),
        (50 * GB, 100 * GB, 0, ["FAIL"]),
    ],
)
def test_a_disk_that_is_nearly_full_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    free: int, size: int, files: int, expected: list[str],
) -> None:  # fmt: skip
    """A disk that is nearly full is told, and so is one that takes no more files."""
    room(monkeypatch, free, size, files)
    assert [state for _, state in wrong(disk.disk(config(tmp_path)))] == expected


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("ext4", [], []), ("nfs4", [], ["warn"]), ("cifs", [], ["warn"]), ("tmpfs", [], ["warn"]),
        ("tmpfs", ["--redis=redis://h"], []), ("nfs4", ["--redis=redis://h"], ["warn"]),
    ],
)  # fmt: skip
def test_a_state_that_a_boot_empties_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, given: list[str],
    expected: list[str],
) -> None:  # fmt: skip
    """A state that a boot empties, or that others may write at the same time, is told."""
    monkeypatch.setattr(disk, "file_system", lambda _: kind)
    room(monkeypatch, 50 * GB, 100 * GB)
    assert [state for _, state in wrong(disk.disk(config(tmp_path, *given)))] == expected


MOUNTS = """\
22 1 0:21 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:22 / /srv rw - xfs /dev/sdb1 rw
24 23 0:23 / /srv/a\\040b rw master:2 - nfs4 host:/x rw
25 22 0:24 / /srvx rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "ext4"), ("/srv", "xfs"), ("/srv/c", "xfs"), ("/srv/a b/c", "nfs4"), ("/srvy", "ext4")],
)
def test_a_path_is_on_the_deepest_mount_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, kind: str
) -> None:
    """A path is on the file system of the deepest mount above it."""
    monkeypatch.undo()
    (tmp_path / "mounts").write_text(MOUNTS)
    assert disk.file_system(Path(path), tmp_path / "mounts") == kind
    assert disk.file_system(Path(path), tmp_path / "none") == ""


def test_each_file_open_to_others_is_told(state: Path) -> None:
    """A private directory is well; each file that others can use is told, with a cure."""
    given = config(state.parent)
    assert wrong(disk.files(given, None)) == []
    (state / "local-key").touch(mode=0o644)
    state.chmod(0o777)
    assert wrong(disk.files(given, None)) == [("files", "FAIL")] * 2


def test_a_state_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wrong(disk.files(config(tmp_path), None)) == []
    assert wrong(disk.files(config(tmp_path, "--state=/dev/null/x"), None)) == [("files", "FAIL")]
    (tmp_path / "file").touch()
    assert wrong(disk.files(config(tmp_path, "--state=file"), None)) == [("files", "FAIL")]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("-", []), ("log", []), ("none/log", [("files", "FAIL")]), ("state", [("files", "FAIL")])],
)
def test_an_access_log_that_cannot_be_opened_is_told(
    state: Path, path: str, expected: list[tuple[str, str]]
) -> None:
    """A log in a directory that is not there, or that is a directory, cannot be opened."""
    given = config(state.parent, f"--access-log={path}")
    assert wrong(disk.files(given, None)) == expected


@pytest.fixture
def made(state: Path) -> Path:
    """A state directory with livechat's own databases."""
    database = Database(state, Retention(0, 0, 0), time.time, time.monotonic)
    database.prepare()
    database.release()
    return state


def damaged(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        size = file.tell()
        for at in range(4096, size, 4096):
            file.seek(at)
            file.write(b"\xff" * 100)


def no_database(path: Path) -> None:
    path.write_bytes(b"this is no database" * 1_000)


def test_whole_databases_are_well(made: Path) -> None:
    found = list(disk.databases(config(made.parent)))
    assert [each.state for each in found] == ["ok"] * len(found)
    assert len(found) >= 1


@pytest.mark.parametrize("spoil", [damaged, no_database])
@pytest.mark.parametrize("name", ["livechat.sqlite3", "maps.sqlite3"])
def test_broken_databases_are_told_with_their_cure(
    made: Path, name: str, spoil: Callable[[Path], None]
) -> None:
    """A broken database is told before a start fails: with the loss, and the way to restore."""
    if not (made / name).exists():
        with closing(sqlite3.connect(made / name)) as other:
            other.execute("CREATE TABLE x (y)")
            other.commit()
    spoil(made / name)
    (found,) = [each for each in disk.databases(config(made.parent)) if each.state != "ok"]
    assert found.state == "FAIL"
    assert "livechat restore" in found.cure
    lost = "rooms begin anew" if name == "livechat.sqlite3" else "operators and keys"
    assert lost in found.cure


def test_maps_that_are_left_out_are_not_looked_at(made: Path) -> None:
    """Maps that are not to be used are not looked at; with Redis neither are the rooms."""
    no_database(made / "maps.sqlite3")
    no_database(made / "livechat.sqlite3")
    without = disk.databases(config(made.parent, "--without-maps=on"))
    assert wrong(without) == [("database", "FAIL")]
    assert wrong(disk.databases(config(made.parent, "--redis=redis://h"))) == []


def test_a_file_that_keeps_its_size(state: Path) -> None:
    """A file of an earlier version, which does not shrink, is told with its cure."""
    with closing(sqlite3.connect(state / "livechat.sqlite3")) as old:
        old.execute("CREATE TABLE x (y)")
        old.commit()
    (found,) = disk.databases(config(state.parent))
    assert found.state == "warn"
    assert "VACUUM" in found.cure


def test_a_large_database(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large database is opened, and not read as a whole."""
    monkeypatch.setattr(disk, "LARGEST_READ", 10)
    found = list(disk.databases(config(made.parent)))
    assert all("can be read" in each.text for each in found)


def test_a_file_from_the_future_is_told(state: Path) -> None:
    """A file from the future shows that the clock was set back."""
    given = config(state.parent)
    assert disk.clock(given).state == "ok"
    (state / "operators.json").touch()
    os.utime(state / "operators.json", (time.time() + 3_600,) * 2)
    assert wrong([disk.clock(given)]) == [("clock", "FAIL")]
    assert disk.clock(given, time.time() + 3_600).state == "ok"
