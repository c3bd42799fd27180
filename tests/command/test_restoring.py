"""`livechat.command.restoring`."""

from __future__ import annotations

import io
import stat
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from livechat.backends.exports import Room
from livechat.backends.sqlite.moving import RoomsCopy
from livechat.command import restoring
from livechat.command.backup import LARGEST_FILE
from tests.backends.disk import Disk, say
from tests.backends.sqlite.receivers import keep
from tests.command.conftest import Command
from tests.support.furnished import MANY, furnish


@pytest.fixture
def archive(command: Command, tmp_path: Path) -> Path:
    """A backup of rooms that have all that rooms can have."""
    furnish(tmp_path / "state")
    (tmp_path / "state" / "admin-password").write_text("secret")
    ran = command("backup", str(tmp_path / "backup.tar"))
    assert ran.code == 0, ran
    (tmp_path / "state").rename(tmp_path / "before")
    return tmp_path / "backup.tar"


def epochs(state: Path) -> dict[str, tuple[str, int]]:
    """The epoch and the newest number of each room."""
    with closing(RoomsCopy(state / "livechat.sqlite3")) as rooms:
        found = [each for each in rooms.rooms("") if isinstance(each, Room)]
        return {each.name: (each.epoch, each.top) for each in found}


def tar(path: Path, *files: tuple[str, bytes], **more: Any) -> Path:
    with tarfile.open(path, "w") as made:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in more.items():
                setattr(info, key, value)
            made.addfile(info, io.BytesIO(data))
    return path


def test_a_restored_backup_has_other_epochs(
    archive: Path, command: Command, tmp_path: Path
) -> None:
    """All that was in the backup, for its user alone, and each room under another epoch."""
    ran = command("restore", str(archive))
    assert ran.code == 0, ran
    state = tmp_path / "state"
    names = {"livechat.sqlite3", "maps.sqlite3", "admin-password"}
    assert {path.name for path in state.iterdir()} == names
    for name in names:
        assert stat.S_IMODE((state / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    before, after = epochs(tmp_path / "before"), epochs(state)
    assert after["many"][1] == MANY
    assert {name: top for name, (_, top) in after.items()} == {
        name: top for name, (_, top) in before.items()
    }
    assert not {epoch for epoch, _ in after.values()} & {epoch for epoch, _ in before.values()}


def test_restore_with_receivers(command: Command, tmp_path: Path) -> None:
    """Receivers were told since of what waited in the backup: they are told that it is gone."""
    disk = Disk(tmp_path / "state")
    store = disk.store()
    keep(store, "hook")
    say(store, *"abc")
    epoch = store.epoch("r")
    disk.close()
    assert command("backup", str(tmp_path / "backup.tar")).code == 0
    store = disk.store()
    say(store, "told, and lost")
    disk.close()
    (tmp_path / "state").rename(tmp_path / "before")
    assert command("restore", str(tmp_path / "backup.tar")).code == 0
    store = disk.store()
    assert store.held.waiting("hook", "", 9) == []
    assert say(store, "new") == [4]
    (found,) = store.held.waiting("hook", "", 9)
    assert (found.told, found.before) == (3, epoch)
    assert epoch != found.epoch
    disk.close()


def test_a_directory_that_is_not_empty_is_refused(
    archive: Path, command: Command, tmp_path: Path
) -> None:
    """A directory in which something is stays as it is."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "livechat.lock").touch()
    ran = command("restore", str(archive))
    assert (ran.code, "not empty" in ran.err) == (1, True)
    assert [path.name for path in state.iterdir()] == ["livechat.lock"]


def test_one_that_was_killed(archive: Path, command: Command, tmp_path: Path) -> None:
    """Leavings of a restore that was killed before it had moved a file are removed."""
    left = tmp_path / "state" / f"{restoring._DRAFT}x"
    left.mkdir(parents=True)
    (left / "admin-password").write_text("secret")
    assert command("restore", str(archive)).code == 0
    assert not left.exists()


def test_a_restore_that_was_killed_between_two_files(
    archive: Path, command: Command, tmp_path: Path
) -> None:
    """Files that it has moved stay, as others may be among them; the cure is told."""
    state = tmp_path / "state"
    (state / f"{restoring._DRAFT}x").mkdir(parents=True)
    (state / "operators.json").write_text("{}")
    ran = command("restore", str(archive))
    assert (ran.code, ran.out) == (1, "")
    assert "a restore was killed here; remove all" in ran.err
    assert len(list(state.iterdir())) == 2
    (state / "livechat.sqlite3").touch()
    ran = command("restore", str(archive))
    assert "livechat restores into an empty directory" in ran.err


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_an_archive_that_was_cut_off_restores_nothing(
    archive: Path, command: Command, tmp_path: Path, share: float
) -> None:
    """An archive that is not whole restores nothing."""
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(len(whole) * share)])
    ran = command("restore", str(archive))
    assert (ran.code, ran.err.count("\n"), "Traceback" in ran.err) == (1, 1, False), ran
    assert list((tmp_path / "state").iterdir()) == []


DATABASE = "livechat.sqlite3"


@pytest.mark.parametrize(
    ("files", "more"),
    [
        ([("../evil", b"x")], {}),
        ([("/tmp/evil", b"x")], {}),
        ([("a/b", b"x")], {}),
        ([(".hidden", b"x")], {}),
        ([("link", b"")], {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}),
        ([("link", b"")], {"type": tarfile.LNKTYPE, "linkname": DATABASE}),
        ([("device", b"")], {"type": tarfile.CHRTYPE}),
        ([("folder", b"")], {"type": tarfile.DIRTYPE}),
        ([("twice", b"1"), ("twice", b"2")], {}),
        ([("large", b"x" * (LARGEST_FILE + 1))], {}),
        ([("only", b"x")], {}),
        ([("nul", b"x")], {"pax_headers": {"path": "n\0ul"}}),
        ([(DATABASE, b"")], {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}),
        ([(DATABASE, b"no database at all, and longer than its head" * 9)], {}),
    ],
)
def test_a_hostile_archive_restores_nothing(
    files: list[tuple[str, bytes]], more: dict[str, Any], command: Command, tmp_path: Path
) -> None:
    """An archive with anything that no backup has restores nothing, here or elsewhere."""
    ran = command("restore", str(tar(tmp_path / "x.tar", *files, **more)))
    assert (ran.code, ran.err.count("\n"), "Traceback" in ran.err) == (1, 1, False), ran
    assert list((tmp_path / "state").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"x.tar", "state"}


@pytest.mark.parametrize("name", ["text", "nothing", "."])
def test_a_file_that_is_no_archive_is_refused(command: Command, tmp_path: Path, name: str) -> None:
    (tmp_path / "text").write_text("this is no archive" * 99)
    ran = command("restore", str(tmp_path / name))
    assert (ran.code, ran.err.count("\n")) == (1, 1), ran
