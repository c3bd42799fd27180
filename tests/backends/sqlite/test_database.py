"""`livechat.backends.sqlite.database`."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from livechat.backends import nonces
from livechat.backends.retention import Retention
from livechat.backends.sqlite.database import Store
from livechat.errors import StartError
from livechat.protocol.messages import Draft, Message, Repeated, User
from tests.backends.disk import NOW, Disk, say, shown


def test_files_are_private(disk: Disk) -> None:
    """Nobody else on the machine can read what was said."""
    say(disk.store(), "a")
    assert stat.S_IMODE(disk.directory.stat().st_mode) == 0o700
    for path in disk.directory.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


@pytest.mark.parametrize("name", ["a b", "a?b", "a#b", "a%20b", "ü", "/", "a'b"])
def test_any_path(tmp_path: Path, name: str) -> None:
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
    assert store._writer is not None
    assert store._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._writer.execute("PRAGMA synchronous").fetchone() == (2,)


def test_one_process_only(disk: Disk) -> None:
    """A second store of the same directory is refused until the first lets go."""
    first = disk.store()
    second = Store(disk.directory, Retention(0, 0), lambda: NOW, lambda: 0.0)
    with pytest.raises(StartError, match="another livechat"):
        second.prepare()
    first.release()
    second.prepare()
    second.release()


def test_no_directory(tmp_path: Path) -> None:
    """A state directory that cannot be made is refused."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="--state: cannot use"):
        Disk(tmp_path / "file" / "state").store()


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> int:
    """Messages that are moved, so few that a test has them soon."""
    monkeypatch.setattr("livechat.backends.sqlite.database._MANY", 50)
    return 50


def test_moving(disk: Disk, many: int) -> None:
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


def test_moving_that_fails(disk: Disk, many: int) -> None:
    """Where there is no room to move messages, there may be some for a new one."""
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
    steps, start = 0, store.sweep()
    while start is not None:
        steps, start = steps + 1, store.sweep(start)
    assert steps >= 3
    assert disk.rows() == [1998, 1999, 2000]


def test_a_failed_write_leaves_nothing(disk: Disk) -> None:
    """A group that does not fit is not stored at all; the next one goes on without a hole."""
    store = disk.store()
    say(store, "a")
    assert store._writer is not None
    pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
    store._writer.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.write([Draft("r", "x" * 1_000) for _ in range(100)])
    assert shown(store) == [1]
    assert say(store, "b") == [2]
    assert shown(store) == [1, 2]


def test_one_bad_text(disk: Disk) -> None:
    """A text that no database takes fails alone; its neighbours keep their order."""
    written = disk.store().write([Draft("r", "a"), Draft("r", "\ud800"), Draft("r", "b")])
    assert [each.seq for each in written if isinstance(each, Message)] == [1, 2]
    assert isinstance(written[1], UnicodeEncodeError)


def test_a_bad_text_and_a_full_disk(disk: Disk) -> None:
    """If the neighbours of a bad text cannot be written, none of them is."""
    store = disk.store()
    say(store, "a")
    assert store._writer is not None
    pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
    store._writer.execute(f"PRAGMA max_page_count = {pages + 1}")
    long = [Draft("r", "x" * 1_000) for _ in range(50)]
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.write([Draft("r", "b"), Draft("r", "\ud800"), *long])
    assert shown(store) == [1]


def test_only_bad_texts(disk: Disk) -> None:
    """A group of nothing but bad texts writes nothing."""
    store = disk.store()
    assert isinstance(store.write([Draft("r", "\ud800")])[0], UnicodeEncodeError)
    assert store.read("r", 0, 1).position.seq == 0


def test_probe(disk: Disk) -> None:
    """A probe writes, and is seen nowhere."""
    store = disk.store()
    store.probe()
    assert store.read("r", 0, 10).messages == ()


def test_killed(disk: Disk) -> None:
    """What a process had committed when it was killed is there, and nothing else."""
    disk.store().release()
    child = os.fork()
    if not child:
        store = disk.store()
        say(store, "a", "b")
        db = store._writer
        assert db is not None
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE rooms SET top = 99")
        os._exit(0)
    os.waitpid(child, 0)
    store = disk.store()
    assert shown(store) == [1, 2]
    assert say(store, "c") == [3]


def test_nonces_outlive_the_process(disk: Disk) -> None:
    """What was said under a nonce before a restart is not said again after it."""
    draft = Draft("r", "a", User("1", "Ann"), "n")
    (before,) = disk.store().write([draft])
    assert not isinstance(before, Repeated)
    (after,) = disk.store().write([draft])
    assert isinstance(after, Repeated)
    assert isinstance(before, Message)
    assert (after.seq, after.time) == (before.seq, before.time)


def test_a_write_that_fails_uses_no_nonce(disk: Disk) -> None:
    """What was not stored may be sent again under its nonce."""
    store = disk.store()
    draft = Draft("r", "a", None, "n")
    disk.change("ALTER TABLE nonces RENAME TO lost")
    with pytest.raises(sqlite3.Error):
        store.write([draft])
    disk.change("ALTER TABLE lost RENAME TO nonces")
    (stored,) = store.write([draft])
    assert not isinstance(stored, Repeated)


def test_a_nonce_that_its_own_group_forgets(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was known when a group began is known for all of it."""
    monkeypatch.setattr(nonces, "MOST", 2)
    store = disk.store()
    for nonce in ("1", "2"):
        store.write([Draft("r", "a", None, nonce)])
    group = [Draft("r", "a", None, nonce) for nonce in ("3", "1", "4", "4")]
    results = store.write(group)
    assert [isinstance(each, Repeated) for each in results] == [False, True, False, True]
    assert [each.seq for each in results if isinstance(each, Message)] == [3, 1, 4, 4]


def test_nonces_of_strangers(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses that use very many flush their own and nobody else's, over a restart too."""
    monkeypatch.setattr("livechat.backends.nonces.MOST", 20)

    def said(nonce: str, sender: str) -> Draft:
        return Draft("r", "x", None, nonce, sender)

    store = disk.store()
    store.write([said("mine", "192.0.2.1")])
    for start in range(0, 60, 10):
        for sender in ("198.51.100.1", "2001:db8::/64"):
            store.write([said(f"{sender} {n}", sender) for n in range(start, start + 10)])
    for _ in range(2):
        (again,) = store.write([said("mine", "203.0.113.1")])
        assert isinstance(again, Repeated)
        (newest,) = store.write([said("2001:db8::/64 59", "2001:db8::/64")])
        assert isinstance(newest, Repeated)
        store = disk.store()
