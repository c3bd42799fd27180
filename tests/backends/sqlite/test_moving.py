"""`livechat.backends.sqlite.moving`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import Raw

from livechat.backends.exports import ADDED, OTHER, THERE, Outcome, Room, Said, Value
from livechat.backends.sqlite.moving import RoomsCopy, StateDirectory, begin_anew, values_of
from livechat.errors import StartError
from livechat.protocol.names import AUDIT_ROOM
from tests.backends.disk import NOW, Disk, say
from tests.backends.sqlite.receivers import advance, keep, waits
from tests.support.furnished import ANN, BO, MANY, MAPS, furnish

ROOM = Room("new", "brought", 3, 2, 50, 3)
ENTRIES = [Said(2, 40, "hi", ANN), Said(3, 50, "", None, 3)]


@pytest.fixture
def furnished(tmp_path: Path) -> Path:
    furnish(tmp_path / "state")
    return tmp_path / "state"


@pytest.fixture
def target(tmp_path: Path) -> Iterator[StateDirectory]:
    with closing(StateDirectory(tmp_path / "target", lambda: NOW, lambda: NOW)) as opened:
        yield opened


def rooms(path: Path, after: str = "") -> dict[str, tuple[Room, list[Said]]]:
    with closing(RoomsCopy(path / "livechat.sqlite3")) as copied:
        found: dict[str, tuple[Room, list[Said]]] = {}
        for line in copied.rooms(after):
            if isinstance(line, Room):
                found[line.name] = line, []
            else:
                found[[*found][-1]][1].append(line)
        return found


def test_all_rooms_are_exported_in_order(furnished: Path) -> None:
    """All rooms in order, with those of which nothing is kept, and what is in the journal."""
    found = rooms(furnished)
    assert [*found] == ["!audit", "a", "gone", "late", "many"]
    for room, entries in found.values():
        assert [each.seq for each in entries] == list(range(room.oldest, room.top + 1))
    assert found["gone"][0].oldest == 3
    assert len(found["many"][1]) == MANY
    room, entries = found["a"]
    assert (room.top, room.event, room.time) == (7, 6, entries[-1].time)
    assert [each.text for each in entries] == [
        "hi!!",
        "",
        "anybody's",
        "",
        "hi!!",
        "",
        "the last\none",
    ]
    assert entries[0].user == ANN
    assert found["late"][1][0].user == BO


def test_an_export_goes_on_after_a_room(furnished: Path) -> None:
    assert [*rooms(furnished, "a")] == ["gone", "late", "many"]
    assert rooms(furnished, "many") == {}


def test_values_are_exported(furnished: Path) -> None:
    found = list(values_of(furnished / "maps.sqlite3"))
    assert [(each.map, each.key) for each in found] == sorted(
        (name, key) for name, entries in MAPS.items() for key in entries
    )
    assert Value("rooms", "b", Raw(b'{"closed":true}'), 1_900_000_000) in found


def test_a_room_is_imported_as_it_was(target: StateDirectory, tmp_path: Path) -> None:
    """A room is there as it was, under its epoch, and goes on from there."""
    assert target.add_room(ROOM, iter([ENTRIES[:1], ENTRIES[1:]]), anew=False) == ADDED
    target.close()
    assert rooms(tmp_path / "target") == {"new": (ROOM, ENTRIES)}
    store = Disk(tmp_path / "target").store()
    page = store.read("new", 0, 10)
    assert [each.seq for each in page.entries] == [2, 3]
    assert page.position.epoch == "brought"
    assert say(store, "next", room="new") == [4]
    store.close()
    store.release()


def test_a_room_is_imported_under_another_epoch(target: StateDirectory, tmp_path: Path) -> None:
    assert target.add_room(ROOM, [ENTRIES], anew=True) == ADDED
    target.close()
    ((room, entries),) = rooms(tmp_path / "target").values()
    assert room.epoch != "brought"
    assert entries == ENTRIES


def test_a_room_that_is_there_stays(target: StateDirectory) -> None:
    """A room that is there stays, also if it is another of that name."""
    assert target.add_room(ROOM, [ENTRIES], anew=False) == ADDED
    target.close()
    # As the next command finds it.
    again = StateDirectory(target.directory, lambda: NOW, lambda: NOW)
    with closing(again):
        assert again.add_room(ROOM, [], anew=False) == THERE
        for other in (Room("new", "else", 3, 2, 50), Room("new", "brought", 4, 2, 50)):
            assert again.add_room(other, [ENTRIES], anew=False) == OTHER


def test_a_file_cut_within_a_room_leaves_nothing_of_it(
    target: StateDirectory, tmp_path: Path
) -> None:
    """A file that ends within a room leaves nothing of it."""

    def broken() -> Iterator[list[Said]]:
        yield ENTRIES[:1]
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        target.add_room(ROOM, broken(), anew=False)
    assert target.add_room(ROOM, [ENTRIES], anew=False) == ADDED
    target.close()
    assert rooms(tmp_path / "target") == {"new": (ROOM, ENTRIES)}


@pytest.mark.parametrize(
    ("key", "value", "outcome"),
    [("k", b"1", THERE), ("k", b"2", OTHER), ("other", b"1", ADDED)],
)
def test_values_are_imported(
    target: StateDirectory, key: str, value: bytes, outcome: Outcome
) -> None:
    assert target.add_value(Value("rooms", "k", Raw(b"1"), 5)) == ADDED
    assert target.add_value(Value("rooms", key, Raw(value), 5)) == outcome


def test_an_imported_secret_keeps_guests(target: StateDirectory, tmp_path: Path) -> None:
    """Guests are known by it from the next start on; not where there are guests already."""
    assert target.know_guests_by(b"s" * 32) == ADDED
    target.close()
    again = StateDirectory(tmp_path / "target", lambda: NOW, lambda: NOW)
    with closing(again):
        assert again.know_guests_by(b"s" * 32) == THERE
        again.add_room(ROOM, [ENTRIES], anew=False)
        assert again.know_guests_by(b"t" * 32) == OTHER
    with closing(RoomsCopy(tmp_path / "target" / "livechat.sqlite3")) as copied:
        assert copied.secret() == b"s" * 32


def test_a_directory_in_use_is_not_touched(tmp_path: Path) -> None:
    """A directory that a livechat has is not touched."""
    disk = Disk(tmp_path)
    store = disk.store()
    with pytest.raises(StartError, match="another livechat"):
        StateDirectory(tmp_path, lambda: NOW, lambda: NOW)
    say(store, "still")
    disk.close()


def test_rooms_of_a_copy_begin_anew(furnished: Path) -> None:
    before = {room.epoch for room, _ in rooms(furnished).values()}
    begin_anew(furnished / "livechat.sqlite3")
    after = rooms(furnished)
    assert not {room.epoch for room, _ in after.values()} & before
    assert len(after["many"][1]) == MANY


def test_begun_anew_with_receivers(tmp_path: Path) -> None:
    """Nothing that was there is told again; with what comes next, that something is missing is."""
    disk = Disk(tmp_path)
    store = disk.store()
    keep(store, "a", "b")
    say(store, *"abc")
    store.sweep()
    say(store, *"de")
    say(store, "x", room="later")
    advance(store, {"r": 1})
    epochs = {room: store.epoch(room) for room in ("r", "later")}
    for _ in range(2):
        disk.close()
        begin_anew(disk.path)
        store = disk.store()
        for receiver in "ab":
            assert store.held.waiting(receiver, "", 9) == []
    say(store, "f")
    say(store, "y", room="later")
    for receiver in "ab":
        found = store.held.waiting(receiver, "", 9)
        assert {(each.room, each.told, each.before) for each in found} == {
            (room, told, epochs[room]) for room, told in (("r", 5), ("later", 1))
        }
        assert waits(store, receiver=receiver) == [6]
    advance(store, {"r": 6})
    say(store, "g")
    assert [(each.room, each.before) for each in store.held.waiting("a", "", 9)] == [
        ("later", epochs["later"]), ("r", ""),
    ]  # fmt: skip


def test_into_a_directory_with_receivers(tmp_path: Path) -> None:
    """Receivers are not told of what is brought, and of what waited before they are."""
    disk = Disk(tmp_path)
    store = disk.store()
    keep(store, "a")
    say(store, *"abc")
    say(store, "recorded", room=AUDIT_ROOM)
    advance(store, {"r": 1})
    disk.close()
    with closing(StateDirectory(tmp_path, lambda: NOW, lambda: NOW)) as target:
        assert target.add_room(ROOM, [ENTRIES], anew=False) == ADDED
    store = disk.store()
    (found,) = store.held.waiting("a", "", 9)
    assert (found.room, found.told, found.before) == ("r", 1, "")
    assert waits(store) == [2, 3]
    say(store, "next", room="new")
    assert waits(store, "new") == [4]


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "livechat.sqlite3"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE x (y)")
    for call in (begin_anew, RoomsCopy):
        with pytest.raises(sqlite3.DatabaseError, match="not a livechat"):
            call(path)
