"""`livechat.command.backup`."""

from __future__ import annotations

import io
import sqlite3
import stat
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from livechat.command import backup
from livechat.net import whereabouts
from livechat.net.whereabouts import Whereabouts
from tests.backends.disk import Disk, say, shown
from tests.command.conftest import Command
from tests.support.archives import unpack


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory, as a killed livechat leaves it: the newest rows are in the logs."""
    made = tmp_path / "state"
    made.mkdir(mode=0o700)
    for name in backup.DATABASES:
        with closing(sqlite3.connect(made / name)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("CREATE TABLE said (text TEXT)")
            database.execute("INSERT INTO said VALUES ('hi')")
            database.commit()
            # Copies of now: closing the last connection would empty the log.
            left = {path: path.read_bytes() for path in made.glob(f"{name}*")}
        for path, data in left.items():
            path.write_bytes(data)
    (made / "admin-password").write_text("secret")
    (made / "livechat.lock").touch()
    (made / ".operators.json.draft").touch()
    (made / "livechat.sqlite3.broken-2026").touch()
    (made / "large").write_bytes(b"x" * (backup.LARGEST_FILE + 1))
    (made / "link").symlink_to("/etc/passwd")
    (made / "folder").mkdir()
    return made


def said(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as opened:
        return [text for (text,) in opened.execute("SELECT text FROM said")]


def left_over(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name.startswith("."))


def test_a_backup_has_databases_and_small_files(
    state: Path, command: Command, tmp_path: Path
) -> None:
    """The databases with all that was stored, and the small files; nothing of the moment."""
    target = tmp_path / "backup.tar"
    ran = command("backup", str(target))
    assert ran.code == 0, ran
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    restored = tmp_path / "restored"
    with tarfile.open(target) as archive:
        unpack(archive, restored)
    names = {path.name for path in restored.iterdir()}
    assert names == {*backup.DATABASES, "admin-password"}
    for name in backup.DATABASES:
        assert said(restored / name) == ["hi"]
        assert stat.S_IMODE((restored / name).stat().st_mode) == 0o600
    assert left_over(tmp_path) == []


def test_a_backup_goes_to_a_pipe_and_to_no_terminal(
    state: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same archive goes to a file of somebody else, but to no terminal."""
    poured = io.BytesIO()
    backup.pour(state, poured, {})
    poured.seek(0)
    with tarfile.open(fileobj=poured) as archive:
        assert {*archive.getnames()} == {*backup.DATABASES, "admin-password"}
    assert left_over(state) == [".operators.json.draft"]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert "no" in command("backup", "-").err
    assert command("backup", "-").code == 1


def test_reader_of_the_standard_output_hangs_up(state: Path) -> None:
    """Nothing is left in the state directory."""

    class Gone(io.BytesIO):
        def write(self, _: object) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        backup.pour(state, Gone(), {})
    assert left_over(state) == [".operators.json.draft"]


def test_one_of_before_stays_until_the_new_one_is_whole(
    state: Path, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup that fails leaves the file of before, and nothing beside it."""
    target = tmp_path / "backup.tar"
    target.write_text("of before")
    for path in state.glob("maps.sqlite3*"):
        path.unlink()
    (state / "maps.sqlite3").write_text("this is no database, and longer than a header" * 9)
    ran = command("backup", str(target))
    assert (ran.code, ran.out) == (1, "")
    assert "a database cannot be copied" in ran.err
    assert target.read_text() == "of before"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "copy", full)
    assert "No space left" in command("backup", str(target)).err
    assert target.read_text() == "of before"
    assert left_over(tmp_path) == []


def test_a_backup_has_the_messages_of_the_journal(tmp_path: Path, command: Command) -> None:
    """A backup of a store that is used has what is in its journal; a start from it finds that."""
    disk = Disk(tmp_path / "state")
    store = disk.store()
    say(store, "a", "b")
    store.sweep()
    say(store, "c")
    assert command("backup", str(tmp_path / "b.tar")).code == 0
    say(store, "d")
    disk.close()
    with tarfile.open(tmp_path / "b.tar") as archive:
        unpack(archive, tmp_path / "restored")
    restored = Disk(tmp_path / "restored")
    store = restored.store()
    assert shown(store) == [1, 2, 3]
    assert say(store, "e") == [4]
    restored.close()


def test_a_broken_database(state: Path, command: Command, tmp_path: Path) -> None:
    """A copy that could not be restored is no backup."""
    with closing(sqlite3.connect(state / "livechat.sqlite3")) as database:
        database.execute("PRAGMA journal_mode = DELETE")
        database.executemany("INSERT INTO said VALUES (?)", [("x" * 900,)] * 100)
        database.commit()
    data = bytearray((state / "livechat.sqlite3").read_bytes())
    data[4_096 * 3 : 4_096 * 4] = b"\xff" * 4_096
    (state / "livechat.sqlite3").write_bytes(data)
    ran = command("backup", str(tmp_path / "b.tar"))
    assert (ran.code, ran.out) == (1, "")
    assert "is broken" in ran.err or "cannot be copied" in ran.err
    assert not (tmp_path / "b.tar").exists()


def test_places_that_cannot_be(state: Path, command: Command, tmp_path: Path) -> None:
    assert "of no use" in command("backup", str(state / "b.tar")).err
    assert "No such file" in command("backup", str(tmp_path / "none" / "b.tar")).err
    (state / "livechat.sqlite3").unlink()
    assert "is no state directory" in command("backup", str(tmp_path / "b.tar")).err
    assert "is no state directory" in command("backup", "--state=/nowhere", "b.tar").err


@pytest.mark.parametrize("variable", ["LIVECHAT_REDIS", "REDIS_URL", "LIVECHAT_BACKEND"])
def test_a_backup_of_rooms_in_redis_is_refused(
    state: Path, command: Command, tmp_path: Path, variable: str
) -> None:
    """The command says what to do instead, and makes nothing."""
    target = tmp_path / "b.tar"
    ran = command("backup", str(target), **{variable: "redis://x"})
    assert ran.code == 1
    assert "BGSAVE" in ran.err
    whereabouts.write(state, Whereabouts("127.0.0.1", 1, "", embedded=False))
    assert "BGSAVE" in command("backup", str(target)).err
    assert not target.exists()
