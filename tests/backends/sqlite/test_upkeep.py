"""`livechat.backends.sqlite.upkeep`: real files."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from livechat.backends.nonces import NONCE_LASTS
from livechat.backends.retention import Retention
from livechat.backends.sqlite import upkeep
from livechat.backends.sqlite.database import Database
from livechat.protocol.messages import Draft, Message
from livechat.protocol.names import AUDIT_ROOM
from livechat.system.wallclock import DAY
from tests.backends.disk import AGE, Disk, say, shown

#: Rooms of very many.
FEW = ("r3", "r500", "r999")
OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"


@pytest.fixture
def log(disk: Disk) -> Path:
    """The write-ahead log."""
    return Path(f"{disk.path}-wal")


def sweep(store: Database) -> None:
    store.clock.compare()
    while store.walking:
        store.walk()
    first = True
    while store.sweep(first=first):
        first = False


def tidy(store: Database) -> None:
    """Tidy for as long as there is anything to do."""
    for _ in range(1_000):
        if store.untidy:
            store.tidy()


def test_numbering_outlives_messages(disk: Disk) -> None:
    """Numbers go on where they were after every message has expired and gone."""
    store = disk.store(seconds=10)
    say(store, "a", "b")
    disk.now += 100
    assert not store.sweep()
    assert disk.rows() == []
    assert say(store, "c") == [3]
    assert shown(store) == [3]
    assert say(disk.store(), "d") == [4]


def test_sweeping_many_rooms(disk: Disk) -> None:
    """A sweep reaches every room."""
    store = disk.store(seconds=10)
    store.write([Draft(f"r{number}", "x") for number in range(500)])
    disk.now += 100
    sweep(store)
    assert all(disk.rows(f"r{number}") == [] for number in (0, 250, 499))


def test_internal_rooms_keep_entries_to_their_own_age(disk: Disk) -> None:
    """Entries of an internal room stay beyond the others' limits, until its own age."""
    retention = Retention(2, 10, 1_000)
    store = Database(disk.directory, retention, lambda: disk.now, lambda: disk.now)
    store.prepare()
    for room in (AUDIT_ROOM, "r"):
        say(store, *"abcd", room=room)
    for later, left in ((100, [1, 2, 3, 4]), (1_000, [])):
        disk.now += later
        sweep(store)
        tidy(store)
        assert disk.rows(AUDIT_ROOM) == left
        assert disk.rows() == []
    store.close()
    store.release()


def test_rooms_that_keep_less(disk: Disk) -> None:
    """Entries over a room's own limits go, also in a silent room, and do not come back."""
    store = disk.store(messages=8)
    limits = {"r": (3, 0), "short": (0, 60), "r2": (2, 0)}
    for room in ("r", "short", "other"):
        say(store, *map(str, range(10)), room=room)
    store.retention.retain(lambda room: limits.get(room, (0, 0)))
    disk.now += 61
    # Seen by the writer, and by no sweep: a row that a larger limit must not bring back.
    say(store, *map(str, range(5)), room="r2")
    limits["r2"] = (0, 0)
    assert shown(store, room="r2") == [4, 5]
    sweep(store)
    limits.clear()
    for room, left in (("r", [8, 9, 10]), ("short", []), ("other", list(range(3, 11)))):
        assert disk.rows(room) == shown(store, room=room) == left
    assert disk.rows("r2") == [4, 5]
    assert say(store, "a", room="short") == [11]


def test_nonces_are_removed(disk: Disk) -> None:
    """Expired nonces leave the file in time, whatever clock has stamped them."""
    store = disk.store()
    store.write([Draft("r", str(number), None, str(number)) for number in range(5)])
    disk.change(f"UPDATE nonces SET time = time + {int(1000 * DAY)} WHERE rowid < 3")
    disk.now += NONCE_LASTS + 1
    store.sweep()
    disk.close()
    with closing(sqlite3.connect(disk.path)) as db:
        assert db.execute("SELECT count(*) FROM nonces").fetchone() == (0,)


def messages(store: Database, much: int) -> str:
    """Database texts that no other file has; returns what they begin with."""
    text = "what was said and has expired "
    for number in range(0, much, 100):
        written = store.write([Draft("r", f"{text}{number + n}" * 10) for n in range(100)])
        assert all(isinstance(each, Message) for each in written)
    return text


def test_expired_texts_leave_the_disk(disk: Disk, log: Path) -> None:
    """Expired texts are in no file any more, and the file is small again."""
    store = disk.store(seconds=AGE)
    text = messages(store, 4_000).encode()
    assert text in log.read_bytes()
    disk.now += AGE + 1
    sweep(store)
    assert store.untidy
    full = disk.path.stat().st_size
    tidy(store)
    assert not store.untidy
    assert log.stat().st_size == 0
    assert disk.path.stat().st_size < full / 10
    assert text not in disk.path.read_bytes()
    assert say(store, "x") == [4_001]
    # Nothing was removed since.
    sweep(store)
    assert not store.untidy


def test_texts_over_the_limit_leave_the_disk(disk: Disk, log: Path) -> None:
    """The same where there were too many of them."""
    store = disk.store(messages=10)
    text = messages(store, 1_000).encode()
    sweep(store)
    tidy(store)
    assert log.stat().st_size == 0
    assert disk.path.read_bytes().count(text) < 20 * 10
    sweep(store)
    assert not store.untidy


def test_shrinking_goes_in_steps(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write between two of them does not wait for long."""
    monkeypatch.setattr(upkeep, "SHRINK_STEP", 100)
    store = disk.store(seconds=AGE)
    messages(store, 4_000)
    disk.now += AGE + 1
    sweep(store)
    steps = 0
    while store.untidy:
        store.tidy()
        assert say(store, "x") == [4_001 + steps]
        steps += 1
    assert steps > 3


def test_a_log_is_cut_after_a_long_reader(disk: Disk, log: Path) -> None:
    """A log that grew under a long reader is cut when that has ended, and blocks nobody."""
    store = disk.store()
    say(store, "x")
    with closing(sqlite3.connect(disk.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM rooms").fetchone()
        messages(store, 16_000)
        assert log.stat().st_size > upkeep.LOG_LIMIT
        sweep(store)
        store.tidy()
        assert store.untidy
        assert log.stat().st_size > upkeep.LOG_LIMIT
    tidy(store)
    assert not store.untidy
    assert log.stat().st_size == 0


def test_log_after_a_long_reader(disk: Disk, log: Path) -> None:
    """Writes after a long reader cut the log to its bound."""
    store = disk.store()
    say(store, "x")
    with closing(sqlite3.connect(disk.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM rooms").fetchone()
        messages(store, 16_000)
        assert log.stat().st_size > upkeep.LOG_LIMIT
    messages(store, 5_000)
    assert log.stat().st_size <= upkeep.LOG_LIMIT


def test_an_older_file_shrinks_by_the_documented_lines(disk: Disk) -> None:
    """A file of before shrinks once the documented lines have been run."""
    store = disk.store(seconds=AGE)
    disk.close()
    vacuum(disk)
    store = disk.store(seconds=AGE)
    messages(store, 2_000)
    disk.now += AGE + 1
    sweep(store)
    tidy(store)
    assert not store.untidy
    full = disk.path.stat().st_size
    disk.close()
    (documented,) = re.findall(r'"(PRAGMA [^"]+)"', OPERATIONS.read_text())
    vacuum(disk, documented)
    store = disk.store(seconds=AGE)
    assert disk.path.stat().st_size < full / 10
    messages(store, 2_000)
    disk.now += AGE + 1
    sweep(store)
    tidy(store)
    assert disk.path.stat().st_size < full / 10


def vacuum(disk: Disk, script: str = "PRAGMA auto_vacuum = NONE; VACUUM;") -> None:
    with closing(sqlite3.connect(disk.path, isolation_level=None)) as db:
        db.executescript(script)


def steps(store: Database, *, walk: bool = False) -> int:
    """Thousands of SQLite instructions that a sweep, or a walk, takes."""
    db = store._connection or store._open()
    count = 0

    def counted() -> None:
        nonlocal count
        count += 1

    db.set_progress_handler(counted, 1_000)
    if walk:
        while store.walking:
            store.walk()
    else:
        sweep(store)
    db.set_progress_handler(None, 0)
    return count


@pytest.mark.parametrize(
    ("messages", "seconds", "kept"), [(4, 0, [4, 5, 6, 7]), (0, 100, [2, 3, 4, 5, 6, 7])]
)
def test_rooms_with_nothing_to_remove_are_not_looked_at(
    disk: Disk, messages: int, seconds: int, kept: list[int]
) -> None:
    """A sweep visits the few rooms of very many that have something to remove."""
    store = disk.store(messages, seconds)
    store.write([Draft(name, "x") for name in FEW])
    disk.now += 50
    for start in range(0, 4_000, 1_000):
        names = {f"r{number}" for number in range(start, start + 1_000)}.difference(FEW)
        store.write([Draft(name, "x") for name in names])
    sweep(store)
    assert not store.walking
    assert steps(store) == 0
    for name in FEW:
        say(store, *"abcdef", room=name)
    disk.now += 51
    assert steps(store) < 5
    assert all(disk.rows(name) == kept for name in FEW)
    assert disk.rows("r1500") == [1]
    store.retention.retain(lambda _: (0, 0))
    assert steps(store, walk=True) > 20, "a walk does look at all"


def test_a_walk_that_meets_rooms_with_much_to_remove(disk: Disk) -> None:
    """A walk goes on with rooms that it did not come to; sweeps end what it began."""
    before = disk.store()
    for number in range(300):
        before.write([Draft(f"r{number}", "x")] * 10)
    before.sweep()
    store = disk.store(messages=2)
    walks = 0
    while store.walking:
        store.walk()
        walks += 1
    assert walks >= 300 * 8 / upkeep.TRIM_STEP
    sweep(store)
    assert all(disk.rows(f"r{number}") == [9, 10] for number in range(300))


def test_rules_that_change_in_a_walk(disk: Disk) -> None:
    """Another walk follows, for rooms that this one has passed."""
    store = disk.store()
    store.write([Draft(f"r{number}", "x") for number in range(500)] * 3)
    store.sweep()
    store.walk()
    store.retention.retain(lambda _: (1, 0))
    sweep(store)
    assert all(disk.rows(f"r{number}") == [3] for number in (0, 250, 499))


def test_a_room_that_is_spoken_in_again(disk: Disk) -> None:
    """A message after all others have expired is due in its own time."""
    store = disk.store(seconds=10)
    for _ in range(3):
        say(store, "a")
        sweep(store)
        assert disk.rows() == shown(store) != []
        disk.now += 11
        sweep(store)
        assert disk.rows() == []


def test_an_age_that_another_start_brings(disk: Disk) -> None:
    """Rooms of which nothing was due before are found by the walk."""
    before = disk.store()
    say(before, "a")
    before.sweep()
    disk.now += 100
    store = disk.store(seconds=50)
    assert not store.sweep()
    assert disk.rows() == [1]
    sweep(store)
    assert disk.rows() == []
