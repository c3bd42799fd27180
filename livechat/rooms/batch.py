"""Parts that are written together, and the members that are yet to get them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from livechat.protocol.encoding import Encoding, encode_entries, encode_frame
from livechat.protocol.messages import Entry, without
from livechat.protocol.v1 import ServerFrame
from livechat.rooms.member import IMember

#: Entries with their epoch, or a frame.
Part = tuple[str, Sequence[Entry]] | ServerFrame


class Lane:
    """
    Members that get the same bytes.

    @ivar wires: the members' wires, by the same indexes.  A member without a wire yet is written to
        by itself.
    @ivar first: the index of the first part of a batch that they get.
    """

    __slots__ = ("encoding", "first", "members", "wires")

    def __init__(self, encoding: Encoding, members: list[IMember], first: int = 0) -> None:
        self.encoding = encoding
        self.members = members
        self.first = first
        self.wires: list[Any] = [member.wire for member in members]


#: A part of a lane: a range of indexes, the end excluded.
Stretch = tuple[Lane, int, int]


def lanes(members: Iterable[IMember], first: int = 0) -> tuple[Lane, ...]:
    """Sort *members* into lanes, in each of which they keep their order; plain ones come last."""
    found: tuple[list[IMember], ...] = tuple([] for _ in Encoding)
    for member in members:
        found[member.encoding].append(member)
    return tuple(Lane(each, found[each], first) for each in reversed(Encoding) if found[each])


class Batch:
    """
    Parts that are written together, and the members that are yet to get them.

    @ivar news: holds entries, for live members; else frames, for all that understand them.
    @ivar number: the room's batches are counted.
    @ivar readers: None until they are fixed; then it takes no more parts.
    @ivar late: members that came after so many parts of it, and get those that follow.
    @ivar stale: a reader may have left.
    @ivar entries: how many it holds.
    @ivar since: when the first of them was stored, in milliseconds since 1970, UTC.
    @ivar written: members that have got it.
    """

    __slots__ = (
        "_at", "_encoded", "_lane", "_parts", "_pieces", "entries", "late", "news", "number",
        "readers", "since", "stale", "written",
    )  # fmt: skip

    def __init__(self, news: bool, number: int) -> None:
        self.news = news
        self.number = number
        self.readers: tuple[Lane, ...] | None = None
        self.late: dict[IMember, int] = {}
        self.stale = False
        self.entries = self.since = self.written = 0
        # The reader whose turn it is: a lane, and a member of it.
        self._lane = self._at = 0
        self._parts: list[Part] = []
        self._pieces: dict[Encoding, list[bytes]] = {}
        self._encoded: dict[Encoding, bytes] = {}

    def __len__(self) -> int:
        return len(self._parts)

    def add(self, part: Part) -> None:
        self._parts.append(part)

    def encoded(self, encoding: Encoding, first: int = 0) -> bytes:
        """Return the parts from index *first* on, in one piece."""
        found = None if first else self._encoded.get(encoding)
        if found is None:
            pieces = self._pieces.get(encoding)
            if pieces is None:
                pieces = self._pieces[encoding] = [_encode(encoding, each) for each in self._parts]
            found = b"".join(pieces[first:])
            if not first:
                self._encoded[encoding] = found
        return found

    def take(self, most: int) -> Stretch | None:
        """Return the next readers of one lane, *most* at most; None if all had their turn."""
        assert self.readers is not None
        if self._lane == len(self.readers):
            return None
        lane, start = self.readers[self._lane], self._at
        self._at = stop = min(start + most, len(lane.members))
        if stop == len(lane.members):
            self._lane += 1
            self._at = 0
        return lane, start, stop

    def retract(self, epoch: str, refs: frozenset[int]) -> None:
        """Write the messages *refs* of *epoch* no more: the remaining readers get them as gone."""
        self._parts = [
            (epoch, without(part[1], refs))
            if isinstance(part, tuple) and part[0] == epoch
            else part
            for part in self._parts
        ]
        self._pieces.clear()
        self._encoded.clear()


def _encode(encoding: Encoding, part: Part) -> bytes:
    if isinstance(part, tuple):
        return encode_entries(encoding, *part)
    return encode_frame(encoding, part)
