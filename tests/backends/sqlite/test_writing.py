"""`livechat.backends.sqlite.writing`."""

from __future__ import annotations

import sqlite3

import pytest

from livechat.backends import nonces
from livechat.protocol.messages import Draft, Message, Repeated, User
from tests.backends.disk import Disk, say, shown


def test_a_failed_write_leaves_nothing(disk: Disk) -> None:
    """A group that does not fit is not stored at all; the next one goes on without a hole."""
    store = disk.store()
    say(store, "a")
    assert store._connection is not None
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.write([Draft("r", "x" * 1_000) for _ in range(100)])
    assert shown(store) == [1]
    assert say(store, "b") == [2]
    assert shown(store) == [1, 2]


def test_one_bad_text(disk: Disk) -> None:
    """A text that no database takes fails alone; its neighbours keep their order."""
    written = disk.store().write([Draft("r", "a"), Draft("r", "\ud800"), Draft("r", "b")])
    assert [each.seq for each in written if isinstance(each, Message)] == [1, 2]
    assert isinstance(written[1], UnicodeEncodeError)


def test_a_bad_text_and_a_full_disk(disk: Disk) -> None:
    """If the neighbours of a bad text cannot be written, none of them is."""
    store = disk.store()
    say(store, "a")
    assert store._connection is not None
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    long = [Draft("r", "x" * 1_000) for _ in range(50)]
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.write([Draft("r", "b"), Draft("r", "\ud800"), *long])
    assert shown(store) == [1]


def test_only_bad_texts(disk: Disk) -> None:
    """A group of nothing but bad texts writes nothing."""
    store = disk.store()
    assert isinstance(store.write([Draft("r", "\ud800")])[0], UnicodeEncodeError)
    assert store.read("r", 0, 1).position.seq == 0


def test_nonces_outlive_the_process(disk: Disk) -> None:
    """A nonce used before a restart is known after it."""
    draft = Draft("r", "a", User("1", "Ann"), "n")
    (before,) = disk.store().write([draft])
    assert not isinstance(before, Repeated)
    (after,) = disk.store().write([draft])
    assert isinstance(after, Repeated)
    assert isinstance(before, Message)
    assert (after.seq, after.time) == (before.seq, before.time)


def test_a_write_that_fails_uses_no_nonce(disk: Disk) -> None:
    """A failed write leaves its nonce free."""
    store = disk.store()
    draft = Draft("r", "a", None, "n")
    disk.change("ALTER TABLE nonces RENAME TO lost")
    with pytest.raises(sqlite3.Error):
        store.write([draft])
    disk.change("ALTER TABLE lost RENAME TO nonces")
    (stored,) = store.write([draft])
    assert not isinstance(stored, Repeated)


def test_a_nonce_that_its_own_group_forgets(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A nonce known when a group begins is known for all of the group."""
    monkeypatch.setattr(nonces, "MOST", 2)
    store = disk.store()
    for nonce in ("1", "2"):
        store.write([Draft("r", "a", None, nonce)])
    group = [Draft("r", "a", None, nonce) for nonce in ("3", "1", "4", "4")]
    results = store.write(group)
    assert [isinstance(each, Repeated) for each in results] == [False, True, False, True]
    assert [each.seq for each in results if isinstance(each, Message)] == [3, 1, 4, 4]


def test_addresses_with_many_nonces_flush_their_own(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Addresses that use very many flush their own and nobody else's, over a restart too."""
    monkeypatch.setattr("livechat.backends.nonces.MOST", 20)

    def said(nonce: str, sender: str) -> Draft:
        return Draft("r", "x", None, nonce, sender)

    store = disk.store()
    store.write([said("mine", "192.0.2.1")])
    for start in range(0, 60, 10):
        for sender in ("198.51.100.1", "2001:db8::/64"):
            store.write([said(f"{sender} {n}", sender) for n in range(start, start + 10)])
    for _ in range(2):
        (again,) = store.write([said("mine", "203.0.113.1")])
        assert isinstance(again, Repeated)
        (newest,) = store.write([said("2001:db8::/64 59", "2001:db8::/64")])
        assert isinstance(newest, Repeated)
        store = disk.store()
