"""`livechat.backends.sqlite.numberings`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from livechat.backends.sqlite import numberings, schema
from livechat.backends.sqlite.numberings import Numberings

ROOMS = ("a", "b", "epoch:a", "epoch;")


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        schema.complete(opened, schema.check(opened))
        yield opened


def read(db: sqlite3.Connection) -> Numberings:
    found = Numberings()
    found.read(db)
    return found


def test_each_room_has_an_epoch_that_stays(db: sqlite3.Connection) -> None:
    """Each room has one, which stays."""
    one = read(db)
    assert len({one.epoch(room) for room in ROOMS}) == len(ROOMS)
    assert [read(db).epoch(room) for room in ROOMS] == [one.epoch(room) for room in ROOMS]


def test_a_new_numbering_gives_every_room_another_epoch(db: sqlite3.Connection) -> None:
    """Every room has another epoch, also one that has brought its own; guests stay known."""
    numberings.bring(db, "b", "brought")
    before = read(db)
    for _ in range(2):
        numberings.begin_anew(db)
        after = read(db)
        assert not {after.epoch(room) for room in ROOMS} & {before.epoch(room) for room in ROOMS}
        assert after.guests() == before.guests()
        before = after


def test_an_imported_room_keeps_its_epoch(db: sqlite3.Connection) -> None:
    """A room keeps the epoch that it has brought, and no other room gets it."""
    before = read(db)
    numberings.bring(db, "a", "brought")
    after = read(db)
    assert after.epoch("a") == "brought"
    assert [after.epoch(room) for room in ROOMS[1:]] == [before.epoch(room) for room in ROOMS[1:]]


def test_guests_are_known_by_another_secret(db: sqlite3.Connection) -> None:
    before = read(db)
    numberings.know_guests_by(db, b"s" * 32)
    after = read(db)
    assert after.guests() == b"s" * 32 != before.guests()
    assert after.epoch("a") == before.epoch("a")
