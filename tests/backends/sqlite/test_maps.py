"""`livechat.backends.sqlite.maps`."""

from __future__ import annotations

import os

import pytest

from livechat.backends.maps import MapEntry
from tests.backends.disk import NOW, Disk

BEGUN, ENDED = int(NOW), int(NOW) - 1


def test_rows(disk: Disk) -> None:
    """Each map has its own keys; they are there after a restart."""
    store = disk.store()
    store.write_map("a", {"x": MapEntry(b"1"), "y": MapEntry(b'"\0"', BEGUN + 9)})
    store.write_map("b", {"x": MapEntry(b"2")})
    store.write_map("a", {"x": None, "z": MapEntry(b"3"), "none": None})
    for each in (store, disk.store()):
        assert each.read_map("a") == {"y": MapEntry(b'"\0"', BEGUN + 9), "z": MapEntry(b"3")}
        assert each.read_map("b") == {"x": MapEntry(b"2")}
        assert each.read_map("c") == {}


@pytest.mark.parametrize(("ahead", "left"), [(0, {"never", "later"}), (86_400 * 40, None)])
def test_sweep(disk: Disk, ahead: float, left: set[str] | None) -> None:
    """Entries whose time is over leave the file, unless a clock says so that is not trusted."""
    entries = {
        "never": MapEntry(b"1"),
        "later": MapEntry(b"1", BEGUN + 9),
        "over": MapEntry(b"1", ENDED),
    }
    store = disk.store()
    store.write_map("a", entries)
    store.sweep()
    disk.ahead = ahead
    store = disk.store()
    store.write_map("a", entries)
    store.sweep()
    assert store.read_map("a").keys() == (left or entries.keys())


def test_killed(disk: Disk) -> None:
    """A change is in the file when it was answered, and whole or not at all."""
    disk.store().release()
    child = os.fork()
    if not child:
        store = disk.store()
        store.write_map("a", {"x": MapEntry(b"1"), "y": MapEntry(b"1")})
        with store._transaction() as db:
            db.execute("DELETE FROM maps WHERE key = 'x'")
            os._exit(0)
    os.waitpid(child, 0)
    assert disk.store().read_map("a").keys() == {"x", "y"}
