"""`livechat.backends.redis.stream`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from livechat.backends.records import RecordKind
from livechat.backends.redis.entries import Entry, Part, State
from livechat.backends.redis.stream import MOST_AHEAD, Stream


def entry(seq: int, tag: bytes = b"") -> Entry:
    return Entry(seq, 1_000 + seq, tag or b"tag%d" % seq, f"text {seq}")


def seqs(entries: list[Entry]) -> list[int]:
    return [each.seq for each in entries]


def test_entries_are_delivered_in_order() -> None:
    stream = Stream(4, b"tag4", 1_004)
    assert seqs(stream.push(entry(5))) == [5]
    assert seqs(stream.push(entry(6))) == [6]
    assert (stream.position, stream.tag, stream.time, stream.hole) == (6, b"tag6", 1_006, False)


def test_what_was_there_before() -> None:
    stream = Stream(4, b"tag4", 1_004)
    assert stream.push(entry(4)) == stream.push(entry(1)) == []
    assert not stream.hole


def test_entries_behind_a_hole_wait() -> None:
    """Entries behind a hole wait for the missing ones."""
    stream = Stream(0, b"", 0)
    assert stream.push(entry(3)) == stream.push(entry(2)) == []
    assert stream.hole
    assert seqs(stream.push(entry(1))) == [1, 2, 3]
    assert not stream.hole


def test_a_read_fills_the_hole() -> None:
    """A read fills the hole; entries that came meanwhile are delivered once."""
    stream = Stream(2, b"tag2", 1_002)
    stream.push(entry(5))
    stream.push(entry(7))
    assert seqs(stream.read([entry(seq) for seq in (2, 3, 4, 5)], top=8)) == [3, 4, 5]
    assert stream.hole
    assert seqs(stream.push(entry(6))) == [6, 7]
    assert stream.hole, "8 was not heard of"
    assert seqs(stream.push(entry(8))) == [8]
    assert not stream.hole


def test_trimmed_entries_are_skipped() -> None:
    """Entries trimmed before they came are skipped."""
    stream = Stream(2, b"tag2", 1_002)
    stream.push(entry(9))
    assert seqs(stream.pass_over(7)) == []
    assert (stream.position, stream.tag) == (7, b"")
    assert seqs(stream.push(entry(8))) == [8, 9]
    assert stream.pass_over(3) == []
    assert stream.position == 9


def test_entries_behind_a_hole_are_bounded() -> None:
    """However much comes behind a hole, only so much waits; the rest is read again."""
    stream = Stream(0, b"", 0)
    count = 2 * MOST_AHEAD
    for seq in range(2, count + 2):
        stream.push(entry(seq))
    assert len(stream.push(entry(1))) == MOST_AHEAD + 1
    assert stream.hole
    rest = stream.read([entry(seq) for seq in range(stream.position + 1, count + 2)], count + 1)
    assert len(rest) == count - MOST_AHEAD


@given(st.lists(st.integers(1, 30)), st.lists(st.integers(0, 29)))
def test_any_order_of_pushes_delivers_once_and_in_order(
    heard: list[int], read_at: list[int]
) -> None:
    """Any pushes in any order, with reads between, deliver each entry once and in order."""
    stream = Stream(0, b"", 0)
    delivered: list[int] = []
    for number, seq in enumerate(heard):
        delivered += seqs(stream.push(entry(seq)))
        if number in read_at:
            some = [entry(each) for each in range(stream.position + 1, stream.position + 4)]
            delivered += seqs(stream.read(some, stream.position + 3))
    delivered += seqs(stream.read([entry(seq) for seq in range(1, 151)], 150))
    assert delivered == list(range(1, 151))
    assert not stream.hole


def part(top: int, newest: bytes, *tags: bytes) -> Part:
    """The last entries of a room, oldest first, of which *newest* is the tag of the last."""
    first = top + 1 - len(tags)
    entries = [entry(first + number, tag) for number, tag in enumerate(tags)]
    return Part(State(top, 1_000 + top, newest), first, entries)


def test_a_seen_message_is_there_or_trimmed() -> None:
    """A message that was seen is there still, or it was trimmed since."""
    for position, tag, later, expected in (
        (5, b"a", part(5, b"a", b"a"), True),
        (5, b"a", part(7, b"x", b"a", b"y", b"x"), True),
        (5, b"a", part(7, b"x", b"b", b"y", b"x"), False),
        (5, b"a", part(7, b"x", b"y", b"x"), True),
        (5, b"a", part(4, b"x", b"x"), False),
        (5, b"a", part(5, b"x"), False),
        (5, b"", part(5, b"x", b"x"), True),
        (0, b"", part(0, b""), True),
        (5, b"a", part(0, b""), False),
    ):
        assert Stream.fits(position, tag, later) is expected


def test_the_state_of_a_room_says_if_anything_is_missing() -> None:
    """A room's state says whether anything is missing."""
    stream = Stream(5, b"a", 1_005, b"word")
    assert stream.at(State(5, 1_005, b"a", b"word"))
    for state in (
        State(6, 1_006, b"b", b"word"),
        State(4, 1_004, b"b", b"word"),
        State(5, 1_005, b"b", b"word"),
        State(5, 1_005, b"a", b"other"),
        State(0, 0, b"", b""),
    ):
        assert not stream.at(state)
    assert Stream(0, b"", 0, b"word").at(State(0, 0, b"", b""))


def test_taken_back_behind_a_hole() -> None:
    """Waiting entries are delivered as later events have changed them."""
    for events_first in (False, True):
        stream = Stream(0, b"", 0)
        said = [entry(2), entry(3), entry(4)]
        events = [
            entry(6)._replace(kind=RecordKind.EDITED, text="new", extra=b'{"ref":3}'),
            entry(7)._replace(kind=RecordKind.RETRACTED, extra=b'{"refs":[2,8]}'),
        ]
        for each in events + said if events_first else said + events:
            assert stream.push(each) == []
        # Entries that fill the hole are changed too.
        passed = stream.push(entry(1)) + stream.push(entry(5)) + stream.push(entry(8))
        assert seqs(passed) == list(range(1, 9))
        found = [each.text for each in passed]
        assert found == ["text 1", "", "new", "text 4", "text 5", "new", "text 7", "text 8"]
        assert [each.tag for each in passed] == [b"tag%d" % seq for seq in range(1, 9)]


def test_events_that_are_full() -> None:
    """An event for which there is no place changes what waits all the same."""
    stream = Stream(0, b"", 0)
    for seq in range(2, MOST_AHEAD + 2):
        stream.push(entry(seq))
    retracted = entry(2 * MOST_AHEAD)._replace(kind=RecordKind.RETRACTED, extra=b'{"refs":[2]}')
    stream.push(retracted)
    assert [each.text for each in stream.push(entry(1))[:3]] == ["text 1", "", "text 3"]
