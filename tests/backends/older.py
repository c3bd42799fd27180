"""Files of earlier livechats."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.backends.disk import Disk, say

#: Version 9.
_EPOCHS = "ALTER TABLE cursors DROP COLUMN epoch;"
#: Up to version 8.
_CURSORS = """
DROP TABLE cursors;
DROP TABLE receivers;
DROP INDEX rooms_that_wait;
DROP INDEX rooms_that_hold;
ALTER TABLE rooms DROP COLUMN waits;
ALTER TABLE rooms DROP COLUMN held;
"""
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
DROP INDEX rooms_by_due;
ALTER TABLE rooms DROP COLUMN due;
"""


def downgrade(disk: Disk, version: int) -> None:
    """Make the file what an earlier livechat would have made."""
    with closing(sqlite3.connect(disk.path)) as db:
        db.executescript(_CURSORS if version < 9 else _EPOCHS)
        if version < 8:
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


#: In 100 rooms each a thousand messages, of which the newest are in `recent` where there is one.
_MANY = """
CREATE TEMP TABLE n AS
    WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT 1000)
    SELECT value FROM n;
INSERT INTO rooms (name, top, bottom, time) SELECT 'r' || value, 1000, 1, 2000 FROM n LIMIT 100;
INSERT INTO messages (room, seq, time, message)
SELECT rooms.id, value, 1000 + value, name || ' said ' || value FROM rooms, n;
"""
_MANY_RECENT = """
INSERT INTO recent (room, seq, time, message)
SELECT room, seq, time, message FROM messages WHERE seq > 920 ORDER BY seq;
DELETE FROM messages WHERE seq > 920;
"""


def say_many(disk: Disk, version: int) -> None:
    """Put 100,000 messages into a file of that version."""
    with closing(sqlite3.connect(disk.path)) as db:
        db.executescript(f"BEGIN; {_MANY} {_MANY_RECENT if version > 1 else ''} COMMIT;")


def check_many(disk: Disk) -> None:
    """See that a livechat of today finds them all, and goes on."""
    store = disk.store()
    for room in ("r1", "r100"):
        page = store.read(room, 0, 2_000)
        assert [each.message for each in page.messages] == [
            f"{room} said {number}" for number in range(1, 1_001)
        ]
        assert say(store, "x", room=room) == [1_001]
    with closing(sqlite3.connect(disk.path)) as db:
        assert db.execute("SELECT count(*) FROM messages").fetchone() == (100_000,)
