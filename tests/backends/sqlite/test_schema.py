"""`livechat.backends.sqlite.schema`."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from hashlib import blake2b

import pytest
from msgspec import Raw

from livechat.backends.sqlite import schema
from livechat.errors import StartError
from livechat.protocol.messages import (
    Amended,
    Draft,
    Edit,
    Gone,
    Message,
    Retracted,
    Retraction,
    User,
)
from livechat.system.wallclock import DAY
from tests.backends.disk import Disk, say, shown
from tests.backends.older import check_many, downgrade, say_many


def test_a_newer_schema_is_refused(disk: Disk) -> None:
    """A file of a newer livechat is refused in one clear line, and not touched."""
    say(disk.store(), "a")
    disk.close()
    disk.change("PRAGMA user_version = 11")
    with pytest.raises(
        StartError, match=r"newer livechat \(schema 11; this one knows 10\)"
    ) as caught:
        disk.store()
    assert "\n" not in str(caught.value)
    assert disk.rows() == [1]


def test_somebody_elses_file(disk: Disk) -> None:
    """A database that is not livechat's is refused, and not touched."""
    disk.directory.mkdir()
    disk.change("CREATE TABLE precious (x)")
    before = disk.path.read_bytes()
    with pytest.raises(StartError, match="not a livechat database"):
        disk.store()
    assert disk.path.read_bytes() == before


@pytest.mark.parametrize("content", [b"no database at all", b"x" * 10_000])
def test_a_file_that_is_no_database_is_moved_aside(disk: Disk, content: bytes) -> None:
    """A file that is no database is moved aside, whole."""
    disk.directory.mkdir()
    disk.path.write_bytes(content)
    store = disk.store()
    assert store.broken is not None
    aside, reason = store.broken
    assert reason == "file is not a database"
    assert aside.read_bytes() == content
    assert say(store, "a") == [1]


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_an_older_schema_is_upgraded(disk: Disk, version: int) -> None:
    """A file of an earlier livechat is taken on, with all that it holds."""
    say(disk.store(), "a", "b")
    new = tables(disk)
    disk.close()
    downgrade(disk, version)
    store = disk.store()
    assert say(store, "c") == [3]
    assert shown(store) == [1, 2, 3]
    assert tables(disk) == new
    moderator = Retraction("r", (1, 3), None, moderates=True)
    assert isinstance(store.write([moderator])[0], Amended)
    assert [type(each) for each in store.read("r", 0, 9).entries] == [
        Gone, Message, Gone, Retracted,
    ]  # fmt: skip


def test_entries_of_the_schema_before(disk: Disk) -> None:
    """Edits and retractions hold, wherever the message was."""
    store = disk.store(messages=6)
    author = User("1", "Ann")
    for moved in (True, False):
        say(store, "a", "c")
        drafts = [Draft("r", text, author, data=Raw(b'{"a":1}')) for text in "de"]
        (first, second) = store.write(drafts)
        assert isinstance(first, Message)
        assert isinstance(second, Message)
        store.write([Edit("r", first.seq, "f", author.subject)])
        store.write([Retraction("r", (second.seq,), author.subject)])
        if moved:
            store.sweep()
    before = store.read("r", 0, 99)
    disk.close()
    downgrade(disk, 7)
    disk.change("UPDATE recent SET message = 'c' || char(0) || 'b' WHERE message = 'c'")
    store = disk.store(messages=6)
    after = store.read("r", 0, 99)
    assert after.messages[1].message == "c\0b"
    assert after.entries[2:] == before.entries[2:]
    assert after.position == before.position
    assert say(store, "g") == [13]
    store.sweep()
    assert shown(disk.store(messages=6)) == [8, 9, 13]
    assert disk.rows() == list(range(8, 14))


def test_many_messages_of_the_schema_before(disk: Disk) -> None:
    """A large file is upgraded in one step; everything is where it was, and goes on."""
    disk.store()
    disk.close()
    downgrade(disk, 7)
    say_many(disk, 7)
    check_many(disk)


def test_nonces_of_an_older_schema(disk: Disk) -> None:
    """Digests that anybody can try texts on are in the file no more."""
    store = disk.store()
    store.write([Draft("r", "a", None, "n")])
    disk.close()
    downgrade(disk, 5)
    open_digest = blake2b(b"a", digest_size=16).digest()
    with closing(sqlite3.connect(disk.path)) as db, db:
        db.execute("UPDATE nonces SET digest = ?", (open_digest,))
    disk.store()
    disk.close()
    assert open_digest not in disk.path.read_bytes()


def test_killed_while_it_is_upgraded(disk: Disk) -> None:
    """An upgrade that was not finished is made again by the next start."""
    say(disk.store(), "a")
    new = tables(disk)
    disk.close()
    downgrade(disk, 2)
    before = tables(disk)
    child = os.fork()
    if not child:
        db = sqlite3.connect(disk.path, isolation_level=None)
        steps = "".join(schema._STEPS[number] for number in range(3, schema._VERSION + 1))
        db.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {schema._VERSION};")
        os._exit(0)
    os.waitpid(child, 0)
    assert tables(disk) == before
    assert shown(disk.store()) == [1]
    assert tables(disk) == new


def tables(disk: Disk) -> dict[str, list[str]]:
    """The tables of the file, and their columns."""
    with closing(sqlite3.connect(disk.path)) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_schema ORDER BY name")]
        return {
            name: [row[1] for row in db.execute("SELECT * FROM pragma_table_info(?)", (name,))]
            for name in names
        }


@pytest.mark.parametrize(("away", "trusted"), [(0, True), (80_000, True), (40 * DAY, False)])
def test_clock_of_an_older_schema(disk: Disk, away: float, trusted: bool) -> None:
    """The clock is compared with the newest message of a file that has no other time."""
    say(disk.store(), "a")
    disk.close()
    downgrade(disk, 3)
    disk.now += away
    assert disk.store(seconds=10).clock.trusted is trusted


def test_empty_file_of_an_older_schema(disk: Disk) -> None:
    """Nothing is known of the time, and there is nothing to lose."""
    disk.store()
    disk.close()
    downgrade(disk, 3)
    assert disk.store().clock.trusted
