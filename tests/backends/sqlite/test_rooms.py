"""`livechat.backends.sqlite.rooms`."""

from __future__ import annotations

import pytest

from livechat.backends.records import RecordKind
from livechat.backends.sqlite.rooms import Moment, Room, Row, Users
from livechat.protocol.messages import Gone, Message, User


def room(moved: int, count: int) -> Room:
    """A room with *count* entries in the journal."""
    rows = [Row(1, moved + number, 5, f"{number}") for number in range(1, count + 1)]
    return Room(1, moved, 0, 1, moved + count, 5, rows)


def test_rows_beyond_the_newest() -> None:
    """Entries that a group has added are not in the room that was there before it."""
    before = room(10, 2)
    after = before.next(Moment(9, 100))
    after.top += 1
    after.rows.append(Row(1, 13, 9, "3"))
    assert [row.seq for row in before.since(1, 99)] == [11, 12]
    assert [row.seq for row in after.since(12, 99)] == [12, 13]
    assert before.find(13) is None
    assert (before.time, after.time) == (5, 9)
    for seq, found in ((10, False), (11, True), (13, True), (14, False), (0, False), (-1, False)):
        assert (after.find(seq) is not None) is found


def test_entries_of_a_page_share_users() -> None:
    """The entries of a page have the users that they have alone, and share those that are equal."""
    users = Users()
    rows = [Row(1, 1, 5, "a", "7 Ann"), Row(1, 2, 5, "b", "7 Ann"), Row(1, 3, 5, "c", "7 Ann B")]
    rows.append(Row(1, 4, 5, "d"))
    entries = [row.entry(users) for row in rows]
    assert entries == [row.entry() for row in rows]
    first, second = (entry.user for entry in entries[:2] if isinstance(entry, Message))
    assert first is second
    with pytest.raises(ValueError, match="no"):
        Row(1, 5, 5, "e", "nobody").entry(users)
    assert len(users) == 3


def test_rows_from_anywhere() -> None:
    """Pages end where the room does, or before."""
    for first, limit, expected in (
        (0, 2, [4, 5]), (4, 9, [4, 5, 6]), (6, 1, [6]), (7, 9, []), (99, 9, []), (5, 0, []),
    ):  # fmt: skip
        assert [row.seq for row in room(3, 3).since(first, limit)] == expected


@pytest.mark.parametrize(
    ("before", "stamp"), [(0, 50), (49, 50), (50, 50), (60, 60), (100, 100), (101, 50)]
)
def test_stamps_do_not_run_backwards(before: int, stamp: int) -> None:
    """Time does not run backwards, but after the stamp of a clock that was wrong."""
    assert Moment(50, 100).stamp(before) == stamp


def test_a_row_is_read_back_as_its_entry() -> None:
    """A row is what it was made of; one of a kind that nobody knows is none."""
    user = User("1", "Ann")
    assert Row(1, 2, 3, "a", "1 Ann").entry() == Message("a", 2, 3, user)
    extra = '{"reply_to":1}'
    assert Row(1, 2, 3, "a", "1 Ann", 0, extra).entry() == Message("a", 2, 3, user, 1)
    assert Row(1, 2, 3, "", None, int(RecordKind.GONE)).entry() == Gone(2, 3)
    for row in (Row(1, 2, 3, "", None, 9), Row(1, 2, 3, "", "x"), Row(1, 2, 3, "", None, 0, "[")):
        with pytest.raises(ValueError, match=r".+"):
            row.entry()
