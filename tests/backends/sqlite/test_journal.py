"""`livechat.backends.sqlite.journal`: real files."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path

import pytest

from livechat.backends.sqlite import journal
from livechat.backends.sqlite.database import Database
from livechat.backends.sqlite.journal import Journal
from livechat.backends.sqlite.quarantine import Broken
from livechat.protocol.messages import (
    Draft,
    Edit,
    Page,
    Retraction,
    Submission,
    User,
)
from tests.backends.disk import Disk, FailingConnection, say, shown

ANN = User("1", "Ann")
OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"


def draft(text: str, room: str = "r") -> Draft:
    return Draft(room, text, ANN)


def edit(ref: int, text: str) -> Edit:
    return Edit("r", ref, text, ANN.subject)


def retract(*refs: int) -> Retraction:
    return Retraction("r", refs, None, moderates=True)


def everything(store: Database) -> dict[str, Page]:
    return {room: store.read(room, 0, 1_000) for room in ("r", "other", "new")}


def of_the_file(disk: Disk) -> Journal:
    """The journal as the file has it."""
    found = Journal()
    with closing(sqlite3.connect(disk.path)) as db:
        found.opened(db)
    return found


def same(one: Journal, other: Journal) -> bool:
    """Tell whether two have the same in memory."""
    rooms = [
        {name: (room, room.since(0, 10_000)) for name, room in each.rooms.items()}
        for each in (one, other)
    ]
    sizes = [(each.entries, each.fullness) for each in (one, other)]
    return rooms[0] == rooms[1] and sizes[0] == sizes[1]


#: Groups of a talk in which everything happens, before and after a move.
TALK: Sequence[Sequence[Submission]] = (
    [draft("a"), draft("b"), draft("c", "other")],
    [edit(1, "d"), draft("e"), Draft("r", "f", ANN, "nonce")],
    [retract(2), edit(1, "g")],
)


def talk(store: Database) -> None:
    for group in TALK:
        store.write(group)


def test_a_group_of_messages_is_one_row(disk: Disk) -> None:
    """Plain messages touch no other table but for rooms that are new."""
    store = disk.store()
    say(store, "a", "b")
    disk.change("CREATE TRIGGER t BEFORE UPDATE ON rooms BEGIN SELECT raise(FAIL, 'no'); END")
    store.write([draft("c"), draft("d", "other")])
    with closing(sqlite3.connect(disk.path)) as db:
        lines = db.execute("SELECT entries FROM journal ORDER BY id").fetchall()
        assert db.execute("SELECT name, top FROM rooms").fetchall() == [("r", 0), ("other", 0)]
        assert db.execute("SELECT count(*) FROM messages").fetchone() == (0,)
    now = int(1000 * disk.now)
    assert lines == [
        (f'[[1,1,{now},"a",null,0,null],[1,2,{now},"b",null,0,null]]',),
        (f'[[1,3,{now},"c","1 Ann",0,null],[2,1,{now},"d","1 Ann",0,null]]',),
    ]


def test_memory_is_what_the_file_has(disk: Disk) -> None:
    """Entries read as they were written, taken back and moved, and after a restart."""
    store = disk.store(messages=4)
    for _ in range(3):
        for group in TALK:
            store.write(group)
            assert same(store._journal, of_the_file(disk))
        store._writer.move()
        assert same(store._journal, of_the_file(disk))
    talk(store)
    before = everything(store)
    store = disk.store(messages=4)
    assert everything(store) == before
    talk(store)
    assert same(store._journal, of_the_file(disk))


@pytest.mark.parametrize(
    ("texts", "rows"), [(["x"] * 60, 50), (["x" * 2_000] * 60, 20), (["\n" * 2_000] * 60, 10)]
)
def test_memory_is_bounded(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, texts: list[str], rows: int
) -> None:
    """The journal is moved when it has many entries, or many bytes."""
    monkeypatch.setattr(journal, "ENTRIES", 50)
    monkeypatch.setattr(journal, "BYTES", 40_000)
    store = disk.store()
    for text in texts:
        say(store, text)
        assert store._journal.entries <= rows
    assert disk.rows() == list(range(1, 61))


def test_a_disk_without_room_to_move(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are stored for a while, but not for ever; a move is not tried at each of them."""
    monkeypatch.setattr(journal, "ENTRIES", 16)
    store = disk.store()
    moves: list[int] = []
    move = Journal.move

    def count(self: Journal, db: sqlite3.Connection) -> None:
        moves.append(self.entries)
        move(self, db)

    monkeypatch.setattr(Journal, "move", count)
    say(store, "x")
    disk.change("CREATE TRIGGER t BEFORE INSERT ON messages BEGIN SELECT raise(FAIL, 'no'); END")
    for _ in range(63):
        say(store, "x")
    with pytest.raises(sqlite3.Error, match="no"):
        say(store, "x")
    assert len(moves) <= 26
    assert shown(store) == list(range(1, 65))
    disk.change("DROP TRIGGER t")
    assert say(store, "y") == [65]
    assert store._journal.entries == 1


def in_a_child(disk: Disk, kill_at: int, does: Callable[[Database], object]) -> bool:
    """Have a process do it that is killed at a statement; tell whether it was."""
    disk.close()
    child = os.fork()
    if not child:
        code = 1
        with suppress(BaseException):
            store = disk.store(messages=8)
            store.probe()
            left = kill_at

            def step(_: str) -> None:
                nonlocal left
                left -= 1
                if left < 0:
                    os._exit(9)

            assert store._connection is not None
            store._connection.set_trace_callback(step)
            does(store)
            code = 0
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, 9}
    return code == 9


@pytest.mark.parametrize(
    ("name", "does"),
    [
        ("move", lambda store: store._writer.move()),
        ("group", lambda store: store.write([draft("x"), draft("y", "new")])),
        ("amendments", lambda store: store.write([retract(4, 8), edit(9, "z")])),
    ],
)
def test_killed_at_each_statement(
    disk: Disk, name: str, does: Callable[[Database], object]
) -> None:
    """Before, in the middle or after: all of it was done, or nothing."""
    store = disk.store(messages=8)
    talk(store)
    store._writer.move()
    talk(store)
    before = everything(store)
    statements = 0
    while in_a_child(disk, statements, does):
        statements += 1
        store = disk.store(messages=8)
        assert everything(store) == before, f"{name} was killed at statement {statements}"
    assert statements > 3
    store = disk.store(messages=8)
    if name == "move":
        assert everything(store) == before
        assert store._journal.entries == 0
    else:
        assert everything(store) != before
    assert same(store._journal, of_the_file(disk))


def test_failed_at_each_statement(disk: Disk) -> None:
    """Nothing is lost or invented; the next group goes on without a hole."""
    store = disk.store()
    talk(store)
    groups: list[list[Submission]] = [
        [draft("x"), draft("y", "new")],
        [retract(1, 3), edit(4, "z"), draft("w", "newer")],
    ]
    for does in [lambda g=g: store.write(g) for g in groups] + [store._writer.move]:
        before = everything(store)
        for at in range(100):
            store.probe()
            assert store._connection is not None
            store._connection = FailingConnection(store._connection, at)  # type: ignore[assignment]
            try:
                does()
            except sqlite3.Error:
                assert everything(store) == before
                store.probe()
                assert everything(store) == before
                assert same(store._journal, of_the_file(disk))
            else:
                break
        store.close()
        assert at > 3
        assert same(store._journal, of_the_file(disk))
    numbers = [each.seq for each in store.read("r", 0, 99).entries]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE journal SET entries = '[[1,1'", "does not decode"),
        ("UPDATE journal SET entries = '[[1,1,1,7]]'", "does not decode"),
        ("UPDATE journal SET entries = CAST(x'5b5b312c312c312c22ff225d5d' AS TEXT)", "does not"),
        ("UPDATE journal SET entries = '[[1,1,1,\"x\",null,9]]'", "does not decode"),
        ('UPDATE journal SET entries = \'[[1,1,1,"x","nobody"]]\'', "does not decode"),
        ("UPDATE journal SET floors = '{\"r\":1}'", "does not decode"),
        ("UPDATE journal SET entries = '[[1,2,1,\"x\"]]'", "other entries of r"),
        ("UPDATE journal SET entries = '[[7,1,1,\"x\"]]'", "rooms that there are not"),
        ("DELETE FROM rooms", "rooms that there are not"),
    ],
)
def test_a_damaged_journal_moves_the_file_aside(disk: Disk, change: str, said: str) -> None:
    """A journal that is not what was written is damage: the file is moved aside, whole."""
    say(disk.store(), "a")
    disk.close()
    disk.change(change)
    content = disk.path.read_bytes()
    store = disk.store()
    assert store.broken is not None
    aside, reason = store.broken
    assert said in reason
    assert aside.read_bytes() == content
    assert shown(store) == []
    assert say(store, "b") == [1]


def test_damage_while_it_runs(disk: Disk) -> None:
    """A journal that was damaged since is not written to, and what is known can be read."""
    store = disk.store()
    say(store, "a")
    disk.change("UPDATE journal SET entries = '?'")
    store._connection = FailingConnection(store._connection, 0)  # type: ignore[arg-type, assignment]
    with pytest.raises(sqlite3.OperationalError):
        store.probe()
    for _ in range(2):
        with pytest.raises(Broken):
            say(store, "b")
    assert shown(store) == [1]


def test_floors_outlive_a_restart(disk: Disk) -> None:
    """Messages that a smaller limit has hidden do not come back, moved or not."""
    store = disk.store()
    say(store, *"abcde")
    limits = {"r": (2, 0)}
    store.retention.retain(lambda room: limits.get(room, (0, 0)))
    say(store, "f")
    assert shown(store) == [5, 6]
    store = disk.store()
    assert shown(store) == [5, 6]
    store._writer.move()
    assert shown(store) == shown(disk.store()) == [5, 6]


def test_the_newest_time_is_in_the_journal(disk: Disk) -> None:
    """A start that knows no other time compares the clock with it."""
    say(disk.store(), "a")
    disk.now += 40 * 86_400
    assert not disk.store().clock.trusted


def test_the_documented_query_finds_all_messages(disk: Disk) -> None:
    """The query in the documents finds all messages, wherever they are."""
    store = disk.store()
    say(store, "a", room="lobby")
    store._writer.move()
    say(store, "b", room="lobby")
    say(store, "c", room="other")
    (line,) = re.findall(r'sqlite3 state/livechat\.sqlite3 "(SELECT[^"]+)"', OPERATIONS.read_text())
    with closing(sqlite3.connect(disk.path)) as db:
        found = db.execute(line).fetchall()
    assert [row[-1] for row in found] == ["a", "b"]
