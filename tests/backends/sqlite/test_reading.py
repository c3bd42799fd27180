"""`livechat.backends.sqlite.reading`."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from livechat.backends.sqlite import journal, reading
from livechat.backends.sqlite.database import Database
from livechat.backends.sqlite.journal import Journal
from livechat.backends.sqlite.reading import connect
from livechat.protocol.messages import (
    Amended,
    Draft,
    Message,
    Page,
)
from tests.backends.disk import Disk, draft, edit, retract, say, shown


def test_reading_without_a_writer(disk: Disk) -> None:
    """The history can be read while the file is not open for writing."""
    store = disk.store()
    say(store, "a")
    store.close()
    assert shown(store) == [1]


@pytest.mark.parametrize("name", ["rooms.sqlite3", ".draft", "a ?#%41.sqlite3"])
def test_a_relative_path_is_no_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A file's name is no host, and no query, in the address that SQLite takes."""
    monkeypatch.chdir(tmp_path)
    reading.connect(Path(name), "mode=rwc").execute("CREATE TABLE made (id)").connection.close()
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_expired_but_not_removed(disk: Disk) -> None:
    """Each read finds where the history begins, in few steps, wherever its messages are."""
    store = disk.store(seconds=100)
    for number in range(300):
        say(store, "x")
        disk.now += 1
        if number == 150:
            store._writer.move()
    assert shown(store) == list(range(201, 301))
    steps: list[str] = []
    with store._reader.reading() as db:
        db.set_trace_callback(steps.append)
        since = store.retention.of("r").first_time(store.clock.milliseconds())
        view = store._reader.view(db, "r")
        assert view is not None
        assert view.first_since(1, since) == 201
    assert len(steps) < 12
    disk.now += 99
    assert shown(store) == [300]
    disk.now += 1
    page = store.read("r", 0, 10)
    assert (page.messages, page.position.oldest) == ((), 301)


def test_page_of_long_texts(disk: Disk) -> None:
    """A read holds its view of the file for one page only."""
    store = disk.store()
    store.write([Draft("r", "x" * 1_000) for _ in range(200)])
    page = store.read("r", 0, 200)
    assert len(page.messages) == -(-reading.PAGE_CHARACTERS // 1_000)


#: Actions of the writer between two steps of a reader.
MEANWHILE: dict[str, Callable[[Database], object]] = {
    "append": lambda store: store.write([draft("x")]),
    "move": lambda store: store._writer.move(),
    "amend the journal": lambda store: store.write([retract(7), edit(8, "z")]),
    "amend the file": lambda store: store.write([retract(3), edit(4, "z")]),
    "remove": lambda store: store.sweep(),
    "many": lambda store: say(store, *("x" for _ in range(30))),
}


@pytest.mark.parametrize("first", MEANWHILE)
@pytest.mark.parametrize("second", ["append", "move", "amend the file"])
@pytest.mark.parametrize("moved", [False, True])
def test_reads_are_of_one_moment(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, first: str, second: str, moved: bool
) -> None:
    """Readers see no mixture, whatever happens between a look at memory and one at the file."""
    monkeypatch.setattr(reading, "sleep", lambda _: None)
    store = disk.store(messages=20)
    say(store, *"abcdef")
    store.write([draft("mine"), draft("mine too")])
    store._writer.move()
    store.write([edit(8, "y"), draft("g"), draft("h")])
    if moved:
        store._writer.move()
    find = Journal.find
    moments: list[Page] = []

    def then(self: Journal, room: str) -> Any:
        """Look, and let the writer go on before the file is looked at, once."""
        found = find(self, room)
        monkeypatch.setattr(Journal, "find", find)
        for each in (lambda _: None, MEANWHILE[first], MEANWHILE[second]):
            each(store)
            moments.append(store.read("r", after, 99))
        return found

    for after in (0, 7):
        monkeypatch.setattr(Journal, "find", then)
        assert store.read("r", after, 99) in moments
        monkeypatch.setattr(Journal, "find", then)
        assert store.newest(["r"])["r"].seq in {each.position.seq for each in moments}


def test_a_commit_that_memory_does_not_have_yet(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that finds an event in the file waits for it; for ever, it does not."""
    store = disk.store()
    store.write([draft("a"), draft("b"), edit(1, "c"), draft("d")])
    paused = 0

    def pause(_: float) -> None:
        nonlocal paused
        paused += 1
        if paused == 3:
            committed(store._journal)

    committed = Journal.committed
    monkeypatch.setattr(reading, "sleep", pause)
    monkeypatch.setattr(Journal, "committed", lambda _: None)
    store.write([retract(1)])
    page = store.read("r", 0, 99)
    assert paused == 3
    assert page.position.event == page.position.seq == 5
    store.write([edit(2, "z")])
    with pytest.raises(sqlite3.OperationalError, match="differs from the file's"):
        store.read("r", 0, 99)


def test_readers_beside_a_writer(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers in other threads find no hole, no old words, and never less than before."""
    monkeypatch.setattr(journal, "ENTRIES", 40)
    store = disk.store(messages=200)
    say(store, "0")
    told: dict[str, int] = {}
    faults: list[object] = []
    done = threading.Event()

    def read() -> None:
        newest = 0
        while not done.is_set():
            # Texts that were taken back before this read.
            before = dict(told)
            page = store.read("r", 0, 1_000)
            position = page.position
            numbers = [entry.seq for entry in page.entries]
            if numbers != list(range(position.oldest, position.seq + 1)):
                faults.append((position, numbers))
            if position.seq < newest or any(each.message in before for each in page.messages):
                faults.append(page)
            newest = position.seq

    readers = [threading.Thread(target=read) for _ in range(2)]
    for each in readers:
        each.start()
    for number in range(120):
        (said, *_, amended) = store.write(
            [draft(f"<{number}>"), draft("b"), edit(max(1, 3 * number - 3), f"e{number}")]
            if number % 3
            else [draft(f"<{number}>"), draft("b"), draft("c")]
        )
        assert isinstance(said, Message)
        if number % 7 == 0:
            store.write([retract(said.seq)])
            told[said.message] = said.seq
        if isinstance(amended, Amended):
            told |= {each.message: each.seq for each in amended.before if each.message != "b"}
    done.set()
    for each in readers:
        each.join()
    assert faults == []


def test_connections_are_kept(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads one after the other open the file once; two at a time twice; none holds its view."""
    store = disk.store()
    store.write([Draft("r", "x" * 1_000) for _ in range(200)])
    store._writer.move()
    opened: list[sqlite3.Connection] = []

    def noted(*given: Any) -> sqlite3.Connection:
        opened.append(connect(*given))
        return opened[-1]

    monkeypatch.setattr(reading, "connect", noted)
    for _ in range(3):
        # A page that ends before its statement does.
        assert len(store.read("r", 0, 200).entries) == 66
    assert len(opened) == 1
    with store._reader.reading() as one, store._reader.reading() as other:
        assert one is not other
    assert shown(store)
    assert len(opened) == 2
    assert [each.in_transaction for each in opened] == [False, False]
    say(store, "a")
    writer = store._connection or store._open()
    busy, left, _ = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert (busy, left) == (0, 0)


def closed(db: sqlite3.Connection) -> bool:
    try:
        db.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return True
    return False


def test_a_failed_write_ends_connections(disk: Disk) -> None:
    """The file may be another one when it is opened anew, so no read stays with the old one."""
    store = disk.store()
    say(store, "a")
    with store._reader.reading() as kept:
        pass
    with pytest.raises(OSError, match="no"), store._transaction():
        raise OSError("no")
    assert closed(kept)


def test_close_ends_connections(disk: Disk) -> None:
    """No connection outlives a failed read, or the end of the file: those that read then, too."""
    store = disk.store()
    say(store, "a")
    with pytest.raises(OSError, match="no"), store._reader.reading() as failed:
        raise OSError("no")
    assert closed(failed)
    with store._reader.reading() as kept:
        pass
    assert not closed(kept)
    with store._reader.reading() as first, store._reader.reading() as second:
        store.close()
        assert not closed(first)
    assert closed(first)
    assert closed(second)
    assert shown(store) == [1]
