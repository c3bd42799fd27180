"""`livechat.backends.sqlite.amending`: groups in the file."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from livechat.errors import ChatError
from livechat.protocol.messages import (
    Amended,
    Draft,
    Edit,
    Edited,
    Gone,
    Message,
    Retracted,
    Retraction,
    Submission,
)
from tests.backends.disk import ANN, Disk, draft, edit, retract, say


def table(disk: Disk, name: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(disk.path)) as db:
        return db.execute(f"SELECT * FROM {name}").fetchall()


@pytest.mark.parametrize("moved", [False, True])
def test_no_row_keeps_a_retracted_message(disk: Disk, moved: bool) -> None:
    """Wherever its rows are, nothing is left of a message that was retracted."""
    store = disk.store()
    store.write([draft("a"), draft("b")])
    store.write([edit(1, "c")])
    if moved:
        store.sweep()
    store.write([retract(1)])
    store.sweep()
    assert table(disk, "journal") == []
    rows = [(row[1], row[3], row[4], row[5]) for row in table(disk, "messages")]
    assert rows == [(1, "", None, 3), (2, "b", "1 Ann", 0), (3, "", None, 3), (4, "", None, 1)]
    assert [row[6] for row in table(disk, "messages")] == [
        None,
        None,
        None,
        '{"refs":[1],"by":"moderator"}',
    ]
    assert table(disk, "rooms")[0][5] == 4


def test_a_message_retracted_in_its_group_is_in_no_file(disk: Disk) -> None:
    """A message retracted within its own group is written to no file at all."""
    store = disk.store()
    group: list[Submission] = [
        draft("private-a"), edit(1, "private-b"), edit(1, "private-c"), draft("d"), retract(1),
        retract(1), edit(4, "e"),
    ]  # fmt: skip
    results = store.write(group)
    assert isinstance(results.pop(5), ChatError)
    assert all(isinstance(each, Message | Amended) for each in results)
    found = store.read("r", 0, 9).entries
    assert [type(each) for each in found] == [Gone, Gone, Gone, Message, Retracted, Edited]
    assert [path for path in disk.directory.iterdir() if b"private" in path.read_bytes()] == []


def test_a_group_of_refusals_writes_nothing(disk: Disk) -> None:
    """A group of refusals writes nothing, and a room without messages gets no row."""
    store = disk.store()
    say(store, "a")
    before = table(disk, "rooms")
    disk.now += 5
    results = store.write([retract(2), Retraction("other", (1,), None, moderates=True)])
    assert all(isinstance(each, ChatError) for each in results)
    assert table(disk, "rooms") == before


def test_a_failed_group_amends_nothing(disk: Disk) -> None:
    """All or nothing: the event and what it tells of."""
    store = disk.store()
    store.write([draft("a")])
    disk.change("CREATE TRIGGER t BEFORE INSERT ON journal BEGIN SELECT raise(FAIL, 'no'); END")
    with pytest.raises(sqlite3.Error):
        store.write([draft("b"), retract(1)])
    disk.change("DROP TRIGGER t")
    (entry,) = store.read("r", 0, 9).entries
    assert isinstance(entry, Message)
    assert entry.message == "a"


def test_a_group_amends_messages_of_many_rooms(disk: Disk) -> None:
    """A group amends messages of many rooms, which are in both tables."""
    store = disk.store()
    rooms = [f"r{number}" for number in range(30)]
    store.write([Draft(room, "a", ANN) for room in rooms])
    store.sweep()
    store.write([Draft(room, "b", ANN) for room in rooms])
    group: list[Submission] = []
    for room in rooms:
        group += [Edit(room, 1, "c", ANN.subject), Edit(room, 2, "d", ANN.subject)]
        group.append(Retraction(room, (1,), ANN.subject))
    assert all(isinstance(each, Amended) for each in store.write(group))
    for room in rooms:
        kinds = [type(each) for each in store.read(room, 0, 9).entries]
        assert kinds == [Gone, Message, Gone, Edited, Retracted]
