"""`livechat.backends.sqlite.held`: real files."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from livechat.backends import outbox
from livechat.backends.sqlite import held
from livechat.protocol.messages import Draft, Edit, Gone
from livechat.protocol.names import EVENTS_ROOM
from tests.backends.disk import ANN, NOW, Disk, draft, retract, say, shown
from tests.backends.sqlite.receivers import advance, keep, sweep, waits


def test_rewind_in_steps(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """All rooms are rewound, those in the journal too, each to its first entry since then."""
    monkeypatch.setattr(held, "REWIND_STEP", 3)
    store = disk.store()
    keep(store, "a")
    for number in range(10):
        say(store, "a", room=f"r{number}")
        store.sweep()
        disk.now += 1
        say(store, "b", room=f"r{number}")
    advance(store, {f"r{number}": 2 for number in range(10)})
    count, at, steps = 0, 0, 0
    while at is not None:
        rooms, go_on = store.waiting.rewind("a", int(1_000 * (NOW + 7)), at)
        count, steps = count + rooms, steps + 1
        if go_on is None:
            break
        at = go_on
    assert (count, steps) == (4, 4)
    assert [waits(store, f"r{number}") for number in range(5, 10)] == [
        [], [2], [1, 2], [1, 2], [1, 2],
    ]  # fmt: skip


def test_rewound_entries_are_held(disk: Disk) -> None:
    """Entries beyond the history stay once they are to be told again."""
    store = disk.store(messages=3)
    keep(store, "a")
    say(store, *"abc")
    advance(store, {"r": 3})
    assert store.waiting.rewind("a", 0, 0) == (1, None)
    say(store, *"def")
    sweep(store)
    assert shown(store) == [4, 5, 6]
    assert waits(store) == [1, 2, 3, 4, 5, 6]


def erase(store: object, room: str = "r", subject: str | None = None) -> int:
    count, at, rounds = 0, 1, 0
    while at:
        emptied, at = store.waiting.erase(room, subject, 0, at)  # type: ignore[attr-defined]
        count += emptied
        rounds += 1
        assert rounds < 100
    return count


def test_erase_in_steps(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many held messages are emptied, and nothing that the history shows."""
    monkeypatch.setattr(held, "ERASE_STEP", 7)
    store = disk.store(messages=5)
    keep(store, "a")
    for number in range(40):
        store.write([draft(f"hers {number}"), Draft("r", "other")])
    assert erase(store, subject=ANN.subject) == 38
    entries = store.held.pages("a", {"r": 1_000})["r"].entries
    assert [type(each) is Gone for each in entries] == [True, False] * 37 + [
        True, False, False, False, False, False,
    ]  # fmt: skip
    assert len(store.read("r", 0, 99).messages) == 5
    assert erase(store, subject=ANN.subject) == 0


def test_erased_words_leave_the_disk(disk: Disk) -> None:
    """The words of held messages, and of what became of them, are in no file any more."""
    store = disk.store(messages=2)
    keep(store, "a")
    store.write([draft("the first wording")])
    store.write([Edit("r", 1, "the second wording", ANN.subject)])
    say(store, *"abcd", room=EVENTS_ROOM)
    say(store, *"abcd")
    sweep(store)
    assert erase(store, subject=ANN.subject) == 1
    assert erase(store, EVENTS_ROOM) == 4
    assert store.unerased
    while store.unerased:
        store.erase()
    for path in (disk.path, Path(f"{disk.path}-wal")):
        assert b"wording" not in path.read_bytes()
    assert len(waits(store, EVENTS_ROOM)) == 4


def test_edits_of_messages_that_are_there_no_more(disk: Disk) -> None:
    """An edit that waits alone may be anybody's: its words go with the first who is forgotten."""
    store = disk.store(messages=1)
    keep(store, "a")
    store.write([draft("secret")])
    advance(store, {"r": 1})
    store.write([Edit("r", 1, "secret", ANN.subject)])
    say(store, "x")
    sweep(store)
    assert disk.rows() == [2, 3]
    erase(store, subject=ANN.subject)
    entries = store.held.pages("a", {"r": 9})["r"].entries
    assert isinstance(entries[0], Gone)


def test_cleared_while_it_waits(disk: Disk) -> None:
    """Retracted entries show to no receiver, moved or not."""
    store = disk.store()
    keep(store, "a")
    say(store, "secret")
    store.sweep()
    say(store, "secret")
    store.write([retract(1, 2)])
    entries = store.held.pages("a", {"r": 9})["r"].entries
    assert [type(each) for each in entries[:2]] == [Gone, Gone]


def test_pages_and_moves(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page goes on from the file into the journal, and long texts cut it short."""
    monkeypatch.setattr(outbox, "PAGES_CHARACTERS", 65_536)
    store = disk.store(messages=1)
    keep(store, "a")
    say(store, *["x" * 30_000] * 3)
    store.sweep()
    say(store, *["y" * 30_000] * 3)
    found: list[int] = []
    while page := waits(store):
        assert len(page) <= 3
        found += page
        advance(store, {"r": page[-1]})
    assert found == [1, 2, 3, 4, 5, 6]


def test_many_rooms_at_once(disk: Disk) -> None:
    """One call reads many rooms, each to its limit: new ones, moved ones, and such as are none."""
    store = disk.store()
    keep(store, "a")
    for room in "rst":
        say(store, *"abc", room=room)
    store.sweep()
    say(store, "d", room="s")
    advance(store, {"t": 2})
    found = store.held.pages("a", {"s": 9, "r": 2, "t": 9, "none": 9})
    assert {room: [each.seq for each in page.entries] for room, page in found.items()} == {
        "s": [1, 2, 3, 4], "r": [1, 2], "t": [3], "none": [],
    }  # fmt: skip
    assert all(page.position.epoch == store.epoch(room) for room, page in found.items())
    assert [found[room].position.seq for room in ("s", "r", "t", "none")] == [4, 3, 3, 0]
    assert store.held.pages("a", {}) == {}


def test_file_stays_open(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Receivers are told by one opening of the file; a failure, or its end, closes that."""
    store = disk.store()
    opened: list[sqlite3.Connection] = []
    usual = store._reader.open

    def reopened() -> sqlite3.Connection:
        opened.append(usual())
        return opened[-1]

    monkeypatch.setattr(store._reader, "open", reopened)
    keep(store, "a")
    for number in range(1, 4):
        say(store, "x")
        assert waits(store) == [*range(1, number + 1)]
    assert len(opened) == 1
    monkeypatch.setattr(store._reader, "views", lambda *_: opened[0].execute("SELECT nothing"))
    with pytest.raises(sqlite3.OperationalError):
        waits(store)
    monkeypatch.undo()
    monkeypatch.setattr(store._reader, "open", reopened)
    assert waits(store) == [1, 2, 3]
    assert len(opened) == 2
    store.close()
    for db in opened:
        with pytest.raises(sqlite3.ProgrammingError):
            db.execute("SELECT 1")
    assert waits(store) == [1, 2, 3]
