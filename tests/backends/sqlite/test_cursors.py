"""`livechat.backends.sqlite.cursors`: real files."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any, cast

import pytest

from livechat.backends.sqlite import cursors
from livechat.errors import ChatError
from livechat.protocol.messages import Draft
from tests.backends.disk import Disk, FailingConnection, say
from tests.backends.sqlite.receivers import advance, keep, sweep, waits


@pytest.fixture(autouse=True)
def _steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursors, "KEEP_STEP", 10)
    for name in ("_BEGIN", "_FORGET"):
        monkeypatch.setattr(cursors, name, getattr(cursors, name).replace("20000", "10"))


def rows(disk: Disk, table: str = "cursors") -> int:
    with closing(sqlite3.connect(disk.path)) as db:
        count: int = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return count


def many(disk: Disk, rooms: int = 35) -> Any:
    """A store with so many rooms, some of them in the journal."""
    store = disk.store()
    for number in range(rooms):
        say(store, "a", "b", room=f"r{number}")
        if number == rooms // 2:
            store.sweep()
    return store


def test_a_new_receiver_gets_its_cursors_in_steps(disk: Disk) -> None:
    """A new receiver gets a cursor in each room, a few at a time, wherever its entries are."""
    store = many(disk)
    assert keep(store, "a", "b") > 6
    assert rows(disk) == 70
    say(store, "new", room="later")
    for receiver in "ab":
        found = store.held.waiting(receiver, "", 1_000)
        assert [(each.room, each.told, each.top) for each in found] == [("later", 0, 1)]
    assert keep(store, "b") > 3
    assert (rows(disk), rows(disk, "receivers")) == (35, 1)
    assert keep(store, "b") == 1


def test_killed_between_steps(disk: Disk) -> None:
    """A receiver that got half of its cursors is a new one; what was made is made again."""
    store = many(disk)
    for _ in range(3):
        assert store.cursors.keep(["a"])
    assert rows(disk) == 30
    with pytest.raises(ChatError):
        store.cursors.id_of("a")
    store = disk.store()
    assert store.cursors.receivers == {}
    say(store, "c", room="r3")
    keep(store, "a")
    assert (rows(disk), rows(disk, "receivers")) == (35, 1)
    assert waits(store, "r3") == []


def test_another_receiver_in_between(disk: Disk) -> None:
    """A receiver that is not wanted any more while it gets its cursors leaves nothing behind."""
    store = many(disk)
    assert store.cursors.keep(["a"])
    keep(store, "b")
    assert (rows(disk), rows(disk, "receivers")) == (35, 1)


def test_an_unwritten_step_is_made_again(disk: Disk) -> None:
    """A step that was not written is made again."""
    store = many(disk)
    assert store.cursors.keep(["a"])
    store._connection = cast("Any", FailingConnection(store._connection, 3))
    with pytest.raises(sqlite3.OperationalError):
        store.cursors.keep(["a"])
    keep(store, "a")
    assert (rows(disk), rows(disk, "receivers")) == (35, 1)
    say(store, "c", room="r3")
    assert waits(store, "r3") == [3]


def test_cursors_that_are_not_written(disk: Disk) -> None:
    """A cursor that could not be stored stays where it was; messages are durable afterwards."""
    store = disk.store()
    keep(store, "a")
    say(store, "a", "b")
    store._connection = cast("Any", FailingConnection(store._connection, 3))  # type: ignore[arg-type]
    with pytest.raises(sqlite3.OperationalError):
        advance(store, {"r": 1})
    assert waits(store) == [1, 2]
    advance(store, {"r": 1})
    assert waits(store) == [2]
    db = store._connection
    assert db is not None
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_storing_writes_no_cursor(disk: Disk) -> None:
    """A message costs the file not one more statement with a receiver than without."""
    counts = []
    for receivers in ((), ("a",)):
        store = disk.store()
        keep(store, *receivers)
        say(store, "a")
        statements: list[str] = []
        db = store._connection
        assert db is not None
        db.set_trace_callback(statements.append)
        say(store, "b", "c")
        counts.append(len(statements))
    assert counts[0] == counts[1] > 2


def test_rooms_that_wait_are_found_without_the_others(disk: Disk) -> None:
    """A look for what waits does not go through all rooms; what has been told is not marked."""
    store = disk.store()
    keep(store, "a")
    for start in range(0, 4_000, 1_000):
        names = [f"r{number}" for number in range(start, start + 1_000)]
        store.write([Draft(name, "x") for name in names])
        if start != 3_000:
            advance(store, dict.fromkeys(names, 1))
        store.sweep()
    advance(store, {f"r{number}": 1 for number in range(3_001, 4_000)})
    assert [each.room for each in store.held.waiting("a", "", 9)] == ["r3000"]
    with closing(sqlite3.connect(disk.path)) as db:
        assert db.execute("SELECT name FROM rooms WHERE waits").fetchall() == [("r3000",)]
        db.execute("UPDATE rooms SET top = top + 1 WHERE NOT waits")
        db.commit()
    assert [each.room for each in store.held.waiting("a", "", 9)] == ["r3000"]


def test_sweeps_pass_rooms_that_hold(disk: Disk) -> None:
    """Rooms of which nothing can be removed yet are not looked at again and again."""
    store = disk.store(messages=1)
    keep(store, "a")
    names = [f"r{number}" for number in range(450)]
    for _ in range(3):
        store.write([Draft(name, "x") for name in names])
    store.sweep()
    assert sweep(store) == 1
    assert disk.rows("r0") == [1, 2, 3]
    advance(store, dict.fromkeys(names[:400], 3))
    assert sweep(store) >= 2
    assert [disk.rows(name) for name in ("r0", "r399", "r400")] == [[3], [3], [1, 2, 3]]
    keep(store)
    sweep(store)
    assert disk.rows("r400") == [3]


def test_a_restart_knows_receivers_and_what_waits(disk: Disk) -> None:
    """A restart knows the receivers again, and what waits for them, moved or not."""
    store = disk.store(messages=1)
    keep(store, "a")
    say(store, *"abc")
    store.sweep()
    say(store, *"def")
    advance(store, {"r": 1})
    store = disk.store(messages=1)
    assert store.cursors.receivers == {"a": 1}
    (found,) = store.held.waiting("a", "", 9)
    assert (found.told, found.top, found.since) == (1, 6, int(1_000 * disk.now))
    assert waits(store) == [2, 3, 4, 5, 6]
