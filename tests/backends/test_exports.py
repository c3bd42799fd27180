"""`livechat.backends.exports`."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from msgspec import Raw

from livechat.backends.exports import (
    ENTRIES,
    LONGEST_LINE,
    End,
    ExportError,
    Reading,
    Room,
    Said,
    Value,
    compact,
    to_line,
)
from livechat.protocol.messages import User

HEAD: dict[str, Any] = {"line": "livechat-export", "format": 1}
VALUE: dict[str, Any] = {"line": "value", "map": "rooms", "key": "a", "value": {"title": "A"}}
ROOM: dict[str, Any] = {
    "line": "room", "name": "a", "epoch": "e", "top": 2, "oldest": 1, "time": 5,
}  # fmt: skip
ONE: dict[str, Any] = {"line": "entry", "seq": 1, "time": 4, "text": "hi"}
TWO: dict[str, Any] = {"line": "entry", "seq": 2, "time": 5, "user": {"id": "1", "name": "Ann"}}
END: dict[str, Any] = {"line": "end", "values": 1, "rooms": 1, "entries": 2}
GOOD = (HEAD, VALUE, ROOM, ONE, TWO, END)


def file_of(*lines: dict[str, Any] | bytes) -> io.BytesIO:
    packed = (each if isinstance(each, bytes) else json.dumps(each).encode() for each in lines)
    return io.BytesIO(b"".join(each + b"\n" for each in packed))


def refused(*lines: dict[str, Any] | bytes) -> str:
    with pytest.raises(ExportError) as raised:
        list(Reading(file_of(*lines)).pieces())
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_an_export_is_read_piece_by_piece() -> None:
    reading = Reading(file_of(*GOOD))
    value, room, entries, end = reading.pieces()
    assert value == Value("rooms", "a", Raw(b'{"title": "A"}'))
    assert room == Room("a", "e", 2, 1, 5)
    assert entries == [Said(1, 4, "hi"), Said(2, 5, "", User("1", "Ann"))]
    assert end == reading.end == reading.counts == End(1, 1, 2)


def test_what_is_written_is_read() -> None:
    for line in (
        Value("m", "k", compact('{ "a" : [ 1 ,\n 2.50 ] }'), 7),
        Said(3, 4, "a\nb\u2028", User("1", "Ann", "vip", True), 2, compact('{"ref":1}')),
        Room("!audit", "x-_9", 3, 4, 0, 2),
    ):
        assert to_line(line).count(b"\n") == 1
        assert json.loads(to_line(line))["line"]
    assert bytes(compact('{ "a" : [ 1 ,\n 2.50 ] }')) == b'{"a":[1,2.50]}'


def test_many_entries_come_in_pieces() -> None:
    count = 2 * ENTRIES + 1
    room = ROOM | {"top": count}
    entries = [ONE | {"seq": seq} for seq in range(1, count + 1)]
    end = END | {"entries": count}
    pieces = list(Reading(file_of(HEAD, VALUE, room, *entries, end)).pieces())
    sizes = [len(each) for each in pieces if isinstance(each, list)]
    assert sizes == [ENTRIES, ENTRIES, 1]


def test_a_room_without_entries() -> None:
    room = ROOM | {"oldest": 3}
    pieces = Reading(file_of(HEAD, room, END | {"values": 0, "entries": 0})).pieces()
    assert [type(each) for each in pieces] == [Room, End]


@pytest.mark.parametrize("kept", range(len(GOOD)))
def test_a_file_that_was_cut_off_is_not_whole(kept: int) -> None:
    """A file that ends between two lines, or within one, is not whole."""
    assert "ends before" in refused(*GOOD[:kept])
    whole = file_of(*GOOD).getvalue()
    with pytest.raises(ExportError):
        list(Reading(io.BytesIO(whole[: len(whole) * kept // len(GOOD) + 3])).pieces())


@pytest.mark.parametrize("missing", range(len(GOOD) - 1))
def test_a_line_is_missing(missing: int) -> None:
    refused(*(line for number, line in enumerate(GOOD) if number != missing))


@pytest.mark.parametrize(
    "line",
    [
        b"", b"\xff", b"[]", b"null", b"{}", b'{"line":"other"}', b"{" * 10_000,
        ROOM | {"more": 1}, ROOM | {"name": "../x"}, ROOM | {"name": "!"}, ROOM | {"name": "!a/b"},
        ROOM | {"name": "!events"},
        ROOM | {"name": ""}, ROOM | {"name": "a" * 200}, ROOM | {"epoch": ""},
        ROOM | {"epoch": "a b"}, ROOM | {"epoch": "=x"}, ROOM | {"epoch": "e" * 65},
        ROOM | {"epoch": "é"}, ROOM | {"top": 1 << 53}, ROOM | {"top": -1}, ROOM | {"oldest": 0},
        ROOM | {"oldest": 4}, ROOM | {"event": 3}, ROOM | {"event": -1}, ROOM | {"time": -1},
        ROOM | {"time": 1 << 53}, ROOM | {"top": "2"}, ROOM | {"top": True}, ROOM | {"top": 2.5},
    ],
)  # fmt: skip
def test_an_entry_without_its_room_is_refused(line: Any) -> None:
    assert refused(HEAD, VALUE, line, ONE, TWO, END).startswith("line 3: ")


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 2}, {"seq": 0}, {"seq": -1}, {"seq": 1.0}, {"time": -1}, {"time": 1 << 60},
        {"text": None}, {"text": "\ud800"}, {"user": {"id": "", "name": "A"}},
        {"user": {"id": "1"}}, {"user": {"id": "a b", "name": "A"}},
        {"user": {"id": "1\tvip", "name": "A"}}, {"user": {"id": "1", "name": ""}},
        {"kind": 9}, {"kind": -1}, {"kind": 1, "rest": {"refs": "x"}}, {"rest": {"edits": "x"}},
        {"rest": []}, {"more": 1},
    ],
)  # fmt: skip
def test_a_line_that_is_no_entry_is_refused(change: dict[str, Any]) -> None:
    assert refused(HEAD, VALUE, ROOM, ONE | change, TWO, END).startswith("line 4: ")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((HEAD | {"format": 2}, END), "format 2"),
        ((VALUE, END), "no livechat export"),
        ((HEAD, HEAD, END), "not the next one"),
        ((HEAD, VALUE, VALUE, END), "in order"),
        ((HEAD, ROOM | {"name": "b", "top": 0}, ROOM | {"name": "a", "top": 0}, END), "in order"),
        ((HEAD, ROOM, ONE, TWO, VALUE, END), "not the next one"),
        ((HEAD, ONE, END), "not the next one"),
        ((*GOOD[:-1], END | {"entries": 3}), "counts differ"),
        ((*GOOD, END), "goes on behind"),
        ((HEAD, ROOM, ONE, END), "entry 2 of a is missing"),
        ((HEAD, b'{"line":"room","name":"' + b"a" * LONGEST_LINE), "more than"),
    ],
)
def test_entries_out_of_order_are_refused(lines: tuple[Any, ...], said: str) -> None:
    assert said in refused(*lines)
