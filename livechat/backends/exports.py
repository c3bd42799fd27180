"""
Exports: rooms and shared maps as lines of JSON, the same for every backend.

    {"line":"livechat-export","format":1}
    {"line":"value","map":"rooms","key":"lobby","value":{"title":"The lobby"}}      one of a map
    {"line":"room","name":"lobby","epoch":"pA1…","top":2,"oldest":1,"time":1790000000000}
    {"line":"entry","seq":1,"time":1790000000000,"text":"hi","user":{"id":"1","name":"Ann"}}
    {"line":"entry","seq":2,…}                                                      to `top`
    {"line":"end","values":1,"rooms":1,"entries":2}

Values come first, so that a room is closed or restricted before it is there.  They are ordered by
map and key, rooms by name, entries by number without a gap: two exports of the same rooms are the
same bytes, whatever backend they are from.

A file without its last line is not whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

import msgspec
from msgspec import Raw, Struct

from livechat.backends.records import Record, to_entry
from livechat.protocol.messages import User, user_of_text, user_to_text
from livechat.protocol.names import EVENTS_ROOM, is_internal, is_room_name

#: The format that this module reads and writes.
FORMAT: Final = 1
#: Bytes of a line.  A message with its data has far fewer.
LONGEST_LINE: Final = 4 << 20
#: Entries, and bytes of lines, in a piece at most.
ENTRIES: Final = 200
BYTES: Final = 1 << 18
#: Numbers and times are whole in every backend and in JavaScript.
LARGEST: Final = (1 << 53) - 1
_NOTHING: Final = Raw(b"")
_EPOCH: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class ExportError(ValueError):
    """A file is no export, or not whole; the text is one line for people."""


class Head(Struct, frozen=True, tag_field="line", tag="livechat-export"):
    """The first line."""

    format: int


class Value(
    Struct, frozen=True, tag_field="line", tag="value", omit_defaults=True,
    forbid_unknown_fields=True,
):  # fmt: skip
    """
    An entry of a shared map.

    @ivar value: JSON.
    @ivar until: the second since 1970 with which it ends; 0: never.
    """

    map: str
    key: str
    value: Raw
    until: int = 0


class Room(
    Struct, frozen=True, tag_field="line", tag="room", omit_defaults=True,
    forbid_unknown_fields=True,
):  # fmt: skip
    """
    A room's numbering; its entries from `oldest` to `top` follow.

    @ivar oldest: one more than `top` where no entry is kept.
    @ivar time: that of the newest entry, in milliseconds since 1970, UTC.
    @ivar event: the number of the newest edit or retraction; 0 if there never was one.
    """

    name: str
    epoch: str
    top: int
    oldest: int
    time: int
    event: int = 0


class Said(
    Struct, frozen=True, tag_field="line", tag="entry", omit_defaults=True,
    forbid_unknown_fields=True,
):  # fmt: skip
    """
    An entry (`livechat.backends.records`).

    @ivar rest: the extra of its record, as JSON; empty if it has none.
    """

    seq: int
    time: int
    text: str = ""
    user: User | None = None
    kind: int = 0
    rest: Raw = _NOTHING

    @property
    def extra(self) -> str | None:
        """The rest as stores keep it."""
        found = bytes(self.rest).decode()
        return found or None


class End(Struct, frozen=True, tag_field="line", tag="end", forbid_unknown_fields=True):
    """The last line: the counts of the others."""

    values: int
    rooms: int
    entries: int


Line = Head | Value | Room | Said | End
#: An export in pieces: entries belong to the room before them.
Piece = Value | Room | list[Said] | End


class Outcome(NamedTuple):
    """
    The outcome of a room's or a value's import.

    @ivar added: it was not there before.
    @ivar same: it is there now as the export has it.
    """

    added: bool
    same: bool


ADDED: Final = Outcome(added=True, same=True)
THERE: Final = Outcome(added=False, same=True)
OTHER: Final = Outcome(added=False, same=False)


_decode: Final = msgspec.json.Decoder(Line).decode
_encode: Final = msgspec.json.Encoder().encode


def is_exported(room: str) -> bool:
    """Tell whether exports have *room*: all but the one of what waits for receivers outside."""
    return room != EVENTS_ROOM


def to_line(line: Line) -> bytes:
    """Write a line, with its end."""
    return _encode(line) + b"\n"


def compact(text: str | bytes | None) -> Raw:
    """
    Return JSON on one line, without blanks between its parts.

    @raise ValueError: it is no JSON.
    """
    if not text:
        return _NOTHING
    return Raw(msgspec.json.format(text.encode() if isinstance(text, str) else text, indent=-1))


class Reading:
    """
    Reads an export, in the order of its lines; none of it is believed before it was checked.

    @ivar end: the last line, once it was read.
    @ivar offset: bytes before the line that was read last.
    """

    def __init__(self, file: BinaryIO) -> None:
        """
        @param file: a file at its beginning; its owner closes it.
        """
        self._file = file
        self._number = 0
        self._room: Room | None = None
        self._next = 0
        self._last = ("", "")
        self._counts = [0, 0, 0]
        self.end: End | None = None
        self.offset = self._after = 0

    @property
    def counts(self) -> End:
        """The counts of the lines so far."""
        return End(*self._counts)

    def pieces(self) -> Iterator[Piece]:
        """
        @raise ExportError: a line is none, or not the next one.
        """
        head = self._line()
        if not isinstance(head, Head):
            raise self._wrong("it is no livechat export")
        if head.format != FORMAT:
            raise self._wrong(f"it has format {head.format}, and this livechat reads {FORMAT}")
        gathered: list[Said] = []
        size = 0
        while self.end is None:
            line = self._line()
            if isinstance(line, Said):
                self._check_entry(line)
                gathered.append(line)
                size += len(line.text) + len(bytes(line.rest))
                if len(gathered) < ENTRIES and size < BYTES:
                    continue
            if gathered:
                yield gathered
                gathered, size = [], 0
            if not isinstance(line, Said):
                yield self._checked(line)

    def _line(self) -> Line:
        self._number += 1
        found = self._file.readline(LONGEST_LINE + 1)
        self.offset, self._after = self._after, self._after + len(found)
        if len(found) > LONGEST_LINE:
            raise self._wrong(f"it has more than {LONGEST_LINE} bytes")
        if not found.endswith(b"\n"):
            raise self._wrong("the file ends before its last line")
        try:
            line: Line = _decode(found)
        except ValueError as reason:
            raise self._wrong(str(reason)) from None
        return line

    def _wrong(self, reason: str) -> ExportError:
        return ExportError(f"line {self._number}: {reason}")

    def _checked(self, line: Line) -> Value | Room | End:
        if self._room is not None and self._next <= self._room.top:
            raise self._wrong(f"entry {self._next} of {self._room.name} is missing")
        match line:
            case Value() if self._room is None:
                self._follows(line.map, line.key)
                self._counts[0] += 1
                return line
            case Room():
                if self._room is None:
                    self._last = ("", "")
                self._check_room(line)
                self._follows(line.name, "")
                self._room, self._next = line, line.oldest
                self._counts[1] += 1
                return line
            case End():
                if [line.values, line.rooms, line.entries] != self._counts:
                    raise self._wrong("its counts differ from its lines")
                if self._file.read(1):
                    raise self._wrong("the file goes on behind its last line")
                self.end = line
                return line
        raise self._wrong("it is not the next one")

    def _follows(self, *name: str) -> None:
        if name <= self._last:
            raise self._wrong("it is not in order, or there twice")
        self._last = (name[0], name[1])

    def _check_room(self, room: Room) -> None:
        named = is_room_name(room.name) or (is_internal(room.name) and is_room_name(room.name[1:]))
        numbered = 0 < room.oldest <= room.top + 1 <= LARGEST and 0 <= room.event <= room.top
        if not (named and is_exported(room.name) and numbered and _EPOCH.fullmatch(room.epoch)):
            raise self._wrong("it is no room")
        if not 0 <= room.time <= LARGEST:
            raise self._wrong("its time cannot be one")

    def _check_entry(self, entry: Said) -> None:
        room = self._room
        if room is None or not self._next == entry.seq <= room.top:
            raise self._wrong(f"entry {entry.seq} is not the next one")
        if not 0 <= entry.time <= LARGEST:
            raise self._wrong("its time cannot be one")
        try:
            if entry.user is not None and user_of_text(user_to_text(entry.user)) != entry.user:
                raise ValueError("its user has no such id or name")
            to_entry(Record(entry.kind, entry.text, entry.extra), entry.seq, entry.time, entry.user)
        except ValueError as reason:
            raise self._wrong(f"it is no entry: {reason}") from None
        self._next += 1
        self._counts[2] += 1
