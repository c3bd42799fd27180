"""`livechat.backends.sqlite.pacing`: real files."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from livechat.backends.sqlite.database import Database
from livechat.errors import ChatError, Kind
from livechat.protocol.messages import Draft, Message
from livechat.protocol.settings import SLOWEST
from livechat.system.wallclock import DAY
from tests.backends.disk import NOW, Disk, say, shown
from tests.pace_contract import paced, waits

#: Says something in slow mode, and dies in the middle of what follows.
KILLED = f"""
import os, signal, sys
from pathlib import Path
from livechat.backends.retention import Retention
from livechat.backends.sqlite.database import Database
from livechat.protocol.messages import Draft, Throttle

store = Database(Path(sys.argv[1]), Retention(), lambda: {NOW}, lambda: {NOW})
store.prepare()
slow = Throttle("g:1", {SLOWEST})
print(store.write([Draft("r", "a", throttle=slow)])[0].seq, flush=True)
with store._transaction() as db:
    db.execute("DELETE FROM pace")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def kept(disk: Disk) -> int:
    """Rows of the table."""
    with closing(sqlite3.connect(disk.path)) as db:
        (count,) = db.execute("SELECT count(*) FROM pace").fetchone()
        return int(count)


def write(store: Database, *drafts: Draft) -> list[float | None]:
    found = store.write(drafts)
    assert all(isinstance(each, Message | ChatError) for each in found)
    return [waits(each) for each in found if isinstance(each, Message | ChatError)]


def test_slow_mode_outlives_a_killed_process(disk: Disk) -> None:
    """A slow mode of hours holds for the process after one that was killed."""
    given = [sys.executable, "-c", KILLED, str(disk.directory)]
    child = subprocess.run(given, capture_output=True, text=True, timeout=60, check=False)
    assert (child.stdout, child.returncode) == ("1\n", -9), child.stderr
    disk.now += 600
    store = disk.store()
    slow = paced("b", slow=SLOWEST)
    assert write(store, slow, paced("c", "g:2", slow=SLOWEST), slow) == [
        SLOWEST - 600, None, SLOWEST - 600,
    ]  # fmt: skip
    disk.now += SLOWEST - 600
    assert write(store, slow) == [None]
    assert shown(store) == [1, 2, 3]


def test_a_write_that_fails_does_not_count(disk: Disk) -> None:
    """A failed write counts nothing: its author may send again once the disk takes it."""
    store = disk.store()
    say(store, "a")
    assert store._connection is not None
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    long = [Draft("r", "x" * 1_000) for _ in range(100)]
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.write([paced("b", slow=10), *long])
    assert write(store, paced("b", slow=10)) == [None]
    assert write(store, paced("b", slow=10)) == [10]


def test_nothing_is_kept_without_a_slow_mode(disk: Disk) -> None:
    """Neither messages without a pace nor the rate of a room write a row; a refusal neither."""
    store = disk.store()
    assert write(store, Draft("r", "a"), paced("b", rate=1), paced("c", rate=1)) == [None, None, 1]
    assert kept(disk) == 0
    write(store, *[paced("d", slow=10)] * 3)
    disk.now += 5
    write(store, paced("d", slow=10))
    assert kept(disk) == 1
    assert write(store, paced("d", slow=10)) == [5]


def test_only_refused_ones(disk: Disk) -> None:
    """A group of which nothing is let through stores nothing, and makes no room."""
    store = disk.store()
    write(store, paced("a", rate=1, room="x"))
    refused = store.write([paced("b", rate=1, room="x")] * 2)
    assert [isinstance(each, ChatError) and each.kind for each in refused] == [Kind.SLOW_MODE] * 2
    assert shown(store, room="x") == [1]


def test_rows_that_are_over_go(disk: Disk) -> None:
    """Expired rows leave the file in time, whatever clock has stamped them."""
    store = disk.store()
    write(store, *(paced("a", f"g:{n}", slow=10) for n in range(700)))
    write(store, *(paced("a", f"g:{n}", slow=SLOWEST) for n in range(700, 710)))
    disk.change(
        f"UPDATE pace SET time = time + {int(1000 * DAY)}, until = until + {int(1000 * DAY)}"
        " WHERE key IN (SELECT key FROM pace WHERE until > (SELECT min(until) FROM pace) LIMIT 3)"
    )
    disk.now += 11
    store.sweep()
    store.sweep()
    assert kept(disk) == 7
    disk.now += SLOWEST
    store.sweep()
    assert kept(disk) == 0


def test_moving_removes_as_much_as_came(disk: Disk) -> None:
    """A room in which thousands speak between two sweeps does not make the table grow."""
    store = disk.store()
    for part in range(12):
        write(store, *(paced("a", f"g:{part}:{n}", slow=1) for n in range(1_000)))
        disk.now += 2
    assert kept(disk) < 5_000


def test_the_file_does_not_say_who(disk: Disk) -> None:
    """Neither a user's id nor the mark of an address is in it."""
    store = disk.store()
    write(store, paced("a", "u:somebody@example.org", slow=10))
    disk.close()
    assert b"somebody" not in disk.path.read_bytes()
