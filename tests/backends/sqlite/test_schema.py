"""`livechat.backends.sqlite.schema`."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from hashlib import blake2b

import pytest

from livechat.backends.sqlite import schema
from livechat.errors import StartError
from livechat.protocol.messages import Amended, Draft, Gone, Message, Retracted, Retraction
from livechat.system.wallclock import DAY
from tests.backends.disk import Disk, say, shown


def test_newer_schema(disk: Disk) -> None:
    """A file of a newer livechat is refused in one clear line, and not touched."""
    say(disk.store(), "a")
    disk.close()
    disk.change("PRAGMA user_version = 9")
    with pytest.raises(
        StartError, match=r"newer livechat \(schema 9; this one knows 8\)"
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
def test_no_database(disk: Disk, content: bytes) -> None:
    """A file that is no database is moved aside, whole."""
    disk.directory.mkdir()
    disk.path.write_bytes(content)
    store = disk.store()
    assert store.broken is not None
    aside, reason = store.broken
    assert reason == "file is not a database"
    assert aside.read_bytes() == content
    assert say(store, "a") == [1]


#: Up to version 7.
_RECENT = """
CREATE TABLE recent (
    room    INTEGER NOT NULL REFERENCES rooms,
    seq     INTEGER NOT NULL,
    time    INTEGER NOT NULL,
    message TEXT NOT NULL,
    user    TEXT,
    kind    INTEGER NOT NULL DEFAULT 0,
    extra   TEXT
) STRICT;
CREATE INDEX recent_by_room ON recent (room, seq);
INSERT INTO recent
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
FROM journal, json_each(entries);
UPDATE rooms SET (top, time) =
    (SELECT max(seq), max(time) FROM (SELECT * FROM recent UNION ALL SELECT * FROM messages)
     WHERE room = rooms.id);
DROP TABLE journal;
"""


def downgrade(disk: Disk, version: int) -> None:
    """Make the file what an earlier livechat would have made; the newest are in `recent`."""
    with closing(sqlite3.connect(disk.path)) as db:
        db.executescript(_RECENT)
    if version < 7:
        disk.change("DROP TABLE pace")
        disk.change("ALTER TABLE rooms DROP COLUMN floor")
    if version < 6:
        for column in ("kind", "extra"):
            disk.change(f"ALTER TABLE messages DROP COLUMN {column}")
            disk.change(f"ALTER TABLE recent DROP COLUMN {column}")
        disk.change("ALTER TABLE rooms DROP COLUMN event")
    if version < 5:
        disk.change("DROP TABLE maps")
    if version < 4:
        disk.change("DROP TABLE clock")
    if version < 3:
        disk.change("DROP TABLE nonces")
        disk.change("ALTER TABLE messages DROP COLUMN user")
        disk.change("ALTER TABLE recent DROP COLUMN user")
    if version < 2:
        disk.change("INSERT INTO messages SELECT * FROM recent")
        disk.change("DROP TABLE recent")
    disk.change(f"PRAGMA user_version = {version}")


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5, 6, 7])
def test_older_schema(disk: Disk, version: int) -> None:
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
