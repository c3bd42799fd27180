"""`livechat.backends.sqlite.database`."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from livechat.backends.retention import Retention
from livechat.backends.sqlite.database import Database
from livechat.errors import StartError
from tests.backends.disk import NOW, Disk, say, shown


def test_files_are_private(disk: Disk) -> None:
    """Files cannot be read by other users of the machine."""
    say(disk.store(), "a")
    assert stat.S_IMODE(disk.directory.stat().st_mode) == 0o700
    for path in disk.directory.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


@pytest.mark.parametrize("name", ["a b", "a?b", "a#b", "a%20b", "ü", "/", "a'b"])
def test_the_directory_may_have_any_path(tmp_path: Path, name: str) -> None:
    """The directory may be called anything, and its path may begin with two slashes."""
    directory = Path(f"/{tmp_path}") / name.strip("/")
    disk = Disk(directory)
    assert say(disk.store(), "a") == [1]
    assert disk.rows() == [1]
    disk.close()
    assert (directory / "livechat.sqlite3").exists()


def test_durable_settings(disk: Disk) -> None:
    """A commit is on disk when it returns: write-ahead log, fully synchronous."""
    store = disk.store()
    say(store, "a")
    assert store._connection is not None
    assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_one_process_only(disk: Disk) -> None:
    """A second store of the same directory is refused until the first lets go."""
    first = disk.store()
    second = Database(disk.directory, Retention(0, 0), lambda: NOW, lambda: 0.0)
    with pytest.raises(StartError, match="another livechat"):
        second.prepare()
    first.release()
    second.prepare()
    second.release()


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A state directory that cannot be made is refused."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="--state: cannot use"):
        Disk(tmp_path / "file" / "state").store()


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> int:
    """Messages that are moved, so few that a test has them soon."""
    monkeypatch.setattr("livechat.backends.sqlite.journal.ENTRIES", 50)
    return 50


def test_a_history_is_whole_wherever_its_messages_are(disk: Disk, many: int) -> None:
    """Wherever messages are in the file, a history has them all, in order."""
    store = disk.store()
    for number in range(3 * many):
        say(store, f"a{number}")
        say(store, f"b{number}", room="other")
        for room in ("r", "other"):
            assert shown(store, room=room) == list(range(1, number + 2))
    page = store.read("other", many - 5, 10)
    assert [message.message for message in page.messages] == [
        f"b{number}" for number in range(many - 5, many + 5)
    ]
    assert say(disk.store(), "c") == [3 * many + 1]
    store.sweep()
    assert shown(disk.store()) == list(range(1, 3 * many + 2))


def test_a_move_that_fails_leaves_room_for_a_message(disk: Disk, many: int) -> None:
    """A disk too full for moving messages may still take a new one."""
    store = disk.store()
    say(store, *("x" for _ in range(many)))
    disk.change("CREATE TRIGGER t BEFORE INSERT ON messages BEGIN SELECT raise(FAIL, 'no'); END")
    assert say(store, "y") == [many + 1]
    disk.change("DROP TRIGGER t")
    assert say(store, "z") == [many + 2]
    assert shown(store) == list(range(1, many + 3))


def test_reads_are_exact_and_rows_go_later(disk: Disk, many: int) -> None:
    """A read never shows what is over the limit; the file holds only a little more."""
    store = disk.store(messages=10)
    for number in range(400):
        say(store, str(number))
        assert len(shown(store)) == min(number + 1, 10)
        assert len(disk.rows()) <= 10 + many
    store.sweep()
    assert len(disk.rows()) == 10


def test_a_group_larger_than_the_limit(disk: Disk) -> None:
    """A group may bring more than a history keeps."""
    store = disk.store(messages=5)
    say(store, *("x" for _ in range(900)))
    assert shown(store) == [896, 897, 898, 899, 900]
    say(store, *("x" for _ in range(900)))
    say(store, "x")
    assert shown(store) == [1797, 1798, 1799, 1800, 1801]
    store.sweep()
    assert len(disk.rows()) < 1_000


def test_a_limit_that_was_lowered(disk: Disk) -> None:
    """Rooms nobody writes to are brought below a lower limit, a step at a time."""
    unlimited = disk.store()
    say(unlimited, *("x" for _ in range(2_000)))
    unlimited.sweep()
    store = disk.store(messages=3)
    assert shown(store) == [1998, 1999, 2000]
    assert not store.sweep()
    assert store.walking
    store.walk()
    assert not store.walking
    steps = 0
    while store.sweep(first=not steps):
        steps += 1
    assert steps >= 2
    assert disk.rows() == [1998, 1999, 2000]


def test_a_probe_writes_and_is_not_seen(disk: Disk) -> None:
    """A probe writes, and is seen nowhere."""
    store = disk.store()
    store.probe()
    assert store.read("r", 0, 10).messages == ()


def test_a_killed_process_leaves_what_it_committed(disk: Disk) -> None:
    """A killed process leaves what it had committed, and nothing else."""
    disk.store().release()
    child = os.fork()
    if not child:
        store = disk.store()
        say(store, "a", "b")
        db = store._connection
        assert db is not None
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE rooms SET top = 99")
        os._exit(0)
    os.waitpid(child, 0)
    store = disk.store()
    assert shown(store) == [1, 2]
    assert say(store, "c") == [3]
