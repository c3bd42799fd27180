"""`livechat.backends.sqlite.maps`."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from livechat.backends.maps import MapEntry
from livechat.backends.sqlite.backend import SqliteBackend
from livechat.backends.sqlite.database import Database
from livechat.backends.sqlite.housekeeping import ERASE_AFTER
from livechat.backends.sqlite.maps import MapsFile
from livechat.errors import StartError
from tests.backends.disk import NOW, Disk
from tests.map_contract import REPORT
from tests.support import Lane, RecordingSink, result

ROWS = [("a", "x", b"1", 0), ("a", "y", b'"\0"', int(NOW) + 9), ("b", "x", b"2", 0)]
#: The maps of a file with `ROWS`.
MAPS = {
    "a": {"x": MapEntry(b"1"), "y": MapEntry(b'"\0"', int(NOW) + 9)},
    "b": {"x": MapEntry(b"2")},
}


def opened(disk: Disk) -> MapsFile:
    """The maps as the next start finds them."""
    file = MapsFile(disk.directory)
    file.prepare(disk.store(), NOW)
    return file


def with_former(disk: Disk) -> Database:
    """The rooms' file of a livechat that had the maps in it."""
    disk.store()
    disk.close()
    with closing(sqlite3.connect(disk.path)) as db:
        db.executemany("INSERT INTO maps VALUES (?, ?, ?, ?)", ROWS)
        db.commit()
    return disk.store()


def read(file: MapsFile) -> dict[str, dict[str, MapEntry]]:
    return {name: file.read(name) for name in ("a", "b")}


def test_each_map_keeps_its_keys_over_a_restart(disk: Disk) -> None:
    """Each map has its own keys; they are there after a restart."""
    file = opened(disk)
    file.write("a", {"x": MapEntry(b"1"), "y": MapEntry(b'"\0"', 9)})
    file.write("b", {"x": MapEntry(b"2")})
    file.write("a", {"x": None, "z": MapEntry(b"3"), "none": None})
    for each in (file, opened(disk)):
        assert each.read("a") == {"y": MapEntry(b'"\0"', 9), "z": MapEntry(b"3")}
        assert each.read("b") == {"x": MapEntry(b"2")}
        assert each.read("c") == {}
    file.close()


def test_durable_and_private(disk: Disk) -> None:
    """A commit is on disk when it returns, and nobody else on the machine can read it."""
    file = opened(disk)
    file.probe()
    assert file._connection is not None
    assert file._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert file._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    for path in disk.directory.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    file.close()


def test_a_killed_process_leaves_whole_changes(disk: Disk) -> None:
    """A change is in the file when it was answered, and whole or not at all."""
    disk.store().release()
    child = os.fork()
    if not child:
        file = opened(disk)
        file.write("a", {"x": MapEntry(b"1"), "y": MapEntry(b"1")})
        with file._transaction() as db:
            db.execute("DELETE FROM maps WHERE key = 'x'")
            os._exit(0)
    os.waitpid(child, 0)
    assert opened(disk).read("a").keys() == {"x", "y"}


def files_have(disk: Disk, words: bytes) -> bool:
    return any(words in path.read_bytes() for path in disk.directory.iterdir())


@pytest.mark.parametrize("length", [20, 1_500, 20_000])
def test_what_was_replaced_is_nowhere(disk: Disk, length: int) -> None:
    """A case keeps words that may be taken back: they are in no file, nor in gaps of pages."""
    file = opened(disk)
    for round_ in range(3):
        for key in range(60):
            secret = b'"<secret%s>"' % (b"x" * (length + 7 * key * (key % 3)))
            file.write("a", {f"{round_}-{key}": MapEntry(secret), f"s{key}": MapEntry(b'"stays"')})
        for key in range(60):
            file.write("a", {f"{round_}-{key}": MapEntry(b'""') if key % 2 else None})
    assert file.unerased
    assert files_have(disk, b"<secret")
    while file.erase():
        pass
    assert not file.unerased
    assert not files_have(disk, b"<secret")
    assert len(file.read("a")) == 60 + 3 * 30
    with closing(sqlite3.connect(file.path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    file.write("a", {"s1": None})
    assert file.unerased
    file.close()


def test_dropped_values_are_erased_in_time(disk: Disk) -> None:
    """An idle backend erases in time, and so does one that stops."""
    clock = Clock()
    file = MapsFile(disk.directory)
    file.prepare(disk.store(), NOW)
    backend = SqliteBackend(disk.store(), clock, Lane(), Lane(), file)
    backend.start(RecordingSink(), lambda: REPORT)
    shared = backend.shared_map("cases", most=9, largest=99)
    result(shared.put("x", b'"<secret>"'))
    result(shared.put("x", b'""'))
    clock.pump([1.0] * int(ERASE_AFTER + 2))
    assert not files_have(disk, b"<secret")
    result(shared.put("x", b'"<secret>"'))
    result(shared.put("x", b'""'))
    stopped = backend.stop()
    clock.advance(60)
    result(stopped)
    assert not files_have(disk, b"<secret")


def test_a_failed_write_lets_the_next_one_be_made(disk: Disk) -> None:
    """The next one is made all the same, and a file that has gone is not made anew."""
    file = opened(disk)
    with pytest.raises(sqlite3.Error):
        file.write("a", {"x": MapEntry(None)})  # type: ignore[arg-type]
    file.write("a", {"y": MapEntry(b"1")})
    assert file.read("a").keys() == {"y"}
    file.close()
    file.path.rename(disk.directory / "away")
    with pytest.raises(sqlite3.Error):
        file.write("a", {"z": MapEntry(b"1")})
    (disk.directory / "away").rename(file.path)
    file.probe()
    file.close()


def test_maps_of_an_older_file_are_taken_over_once(disk: Disk) -> None:
    """The rooms' file of a livechat before hands its maps over, once."""
    store = with_former(disk)
    file = MapsFile(disk.directory)
    file.prepare(store, NOW)
    assert read(file) == MAPS
    assert store.former_maps() == []
    file.write("a", {"x": None})
    file.close()
    assert opened(disk).read("a").keys() == {"y"}


def steps(store: Database, file: MapsFile) -> list[tuple[object, str]]:
    """Between any two of which the start may be killed, and the last."""
    return [
        (store, "former_maps"),
        (os, "open"),
        (sqlite3, "connect"),
        (file, "_make"),
        (Path, "rename"),
        (os, "fsync"),
        (store, "forget_former_maps"),
        (store, "close"),
    ]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", range(8))
def test_killed_while_taking_over(disk: Disk, step: int, after: bool) -> None:
    """Wherever the start was killed, the next one has every row, once."""
    disk.close()
    with_former(disk).release()
    child = os.fork()
    if not child:
        store, file = disk.store(), MapsFile(disk.directory)
        owner, name = steps(store, file)[step]
        setattr(owner, name, dying(getattr(owner, name), after=after))
        file.prepare(store, NOW)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    file = opened(disk)
    assert read(file) == MAPS
    assert disk.store().former_maps() == []
    file.write("a", {"x": None})
    file.close()
    assert opened(disk).read("a").keys() == {"y"}


def dying(call: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    """End the process at once, before *call* or after it."""

    def die(*args: Any, **options: Any) -> None:
        if after:
            call(*args, **options)
        os._exit(0)

    return die


@pytest.mark.parametrize("damage", ["no database", "a page", "cut", "empty", "a page and a log"])
def test_a_broken_file_stops_the_start(disk: Disk, damage: str) -> None:
    """A broken file stops the start in one line, and no byte of it is changed."""
    file = opened(disk)
    file.write("a", {f"{number}": MapEntry(b"x" * 100) for number in range(1_000)})
    if damage == "a page and a log":
        log = Path(f"{file.path}-wal").read_bytes()
        file.close()
        Path(f"{file.path}-wal").write_bytes(log[: len(log) // 2])
    file.close()
    whole = file.path.read_bytes()
    file.path.write_bytes(
        {
            "no database": b"no database" * 1_000,
            "cut": whole[: len(whole) // 2],
            "empty": b"",
        }.get(damage, whole[:8_192] + b"\xff" * 8_192 + whole[16_384:])
    )
    before = {path.name: path.read_bytes() for path in disk.directory.glob("maps.sqlite3*")}
    with pytest.raises(StartError, match=r"maps.sqlite3 is broken .*--without-maps on") as caught:
        opened(disk)
    assert "\n" not in str(caught.value)
    found = {path.name: path.read_bytes() for path in disk.directory.glob("maps.sqlite3*")}
    assert {name: found[name] for name in before if not name.endswith("shm")} == {
        name: content for name, content in before.items() if not name.endswith("shm")
    }


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("PRAGMA application_id = 7", "not livechat's"),
        ("PRAGMA user_version = 2", r"newer livechat \(version 2; this one knows 1\)"),
    ],
)
def test_a_foreign_file_is_refused(disk: Disk, statement: str, said: str) -> None:
    """A foreign file, or one of a newer livechat, is refused and not touched."""
    file = opened(disk)
    with closing(sqlite3.connect(file.path)) as db:
        db.execute(statement)
        db.commit()
    before = file.path.read_bytes()
    with pytest.raises(StartError, match=said):
        opened(disk)
    assert file.path.read_bytes() == before


def test_a_file_that_was_moved_away_begins_empty(disk: Disk) -> None:
    """Without the file maps begin empty; a log that was left behind does not become theirs."""
    file = opened(disk)
    file.write("a", {"x": MapEntry(b"1")})
    log = Path(f"{file.path}-wal").read_bytes()
    file.close()
    file.path.rename(disk.directory / "away")
    Path(f"{file.path}-wal").write_bytes(log)
    assert opened(disk).read("a") == {}
    (aside,) = disk.directory.glob("maps.sqlite3.broken-*-wal")
    assert aside.read_bytes() == log


def test_a_broken_database_of_rooms(disk: Disk) -> None:
    """Rooms begin anew, and maps go on."""
    file = opened(disk)
    file.write("a", {"x": MapEntry(b"1")})
    file.close()
    disk.close()
    disk.path.write_bytes(b"no database" * 1_000)
    store = disk.store()
    assert store.broken is not None
    file.prepare(store, NOW)
    assert file.read("a").keys() == {"x"}
