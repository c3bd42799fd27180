"""
One room in this process: its members, and the batches that they have yet to get.

A *batch* is encoded once for each encoding, joined, and written to each member in one piece.
It is sealed before its set of readers changes: a client that joins between two messages of a
turn gets the second one only.

A member is *live*, and gets what is delivered; or it is *reading* what it missed out of the
history, and gets nothing until it has caught up with the room.  Histories are ahead of
deliveries by some messages, so a member may have read what is delivered only later: it is
*early*, and becomes live when the room has come to its place.

Deliveries are numbered.  Where one does not follow the one before, members that know numbers
get a frame with the gap first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from twisted.logger import Logger

from livechat.errors import internal
from livechat.protocol.encoding import Encoding, encode_entries, encode_frame
from livechat.protocol.messages import Entry, Place, retracted_by, without
from livechat.protocol.v1 import Resumed, ServerFrame
from livechat.rooms.member import IMember

#: Entries with their epoch, or a frame.
_Part = tuple[str, Sequence[Entry]] | ServerFrame

_log = Logger()


class Batch:
    """
    Parts that are written together, and the members that are yet to get them.

    @ivar news: holds entries, for live members; else frames, for all that understand them.
    @ivar number: the room's batches are counted.
    @ivar entries: how many it holds.
    @ivar since: when the first of them was stored, in milliseconds since 1970, UTC.
    @ivar written: members that have got it.
    """

    __slots__ = (
        "_encoded", "_parts", "entries", "news", "number", "readers", "since", "written",
    )  # fmt: skip

    def __init__(self, news: bool, number: int) -> None:
        self.news = news
        self.number = number
        self.readers: Iterator[IMember] | None = None
        self.entries = self.since = self.written = 0
        self._parts: list[_Part] = []
        self._encoded: list[bytes | None] = [None] * len(Encoding)

    def add(self, part: _Part) -> None:
        self._parts.append(part)

    def encoded(self, encoding: Encoding) -> bytes:
        found = self._encoded[encoding]
        if found is None:
            found = self._encoded[encoding] = b"".join(
                [
                    encode_entries(encoding, *part)
                    if isinstance(part, tuple)
                    else encode_frame(encoding, part)
                    for part in self._parts
                ]
            )
        return found

    def retract(self, epoch: str, refs: frozenset[int]) -> None:
        """Write nothing more of the messages *refs* of *epoch*: to other members they are gone."""
        self._parts = [
            (epoch, without(part[1], refs))
            if isinstance(part, tuple) and part[0] == epoch
            else part
            for part in self._parts
        ]
        self._encoded = [None] * len(Encoding)


class LocalRoom:
    """
    The members of a room in the order in which they came; its length is how many there are.

    @ivar live: members that get what is delivered, with the number of the last batch
        before they came.
    @ivar early: members that have it already up to a place.
    @ivar reading: members that read what they missed.
    @ivar framed: those of all these that get frames besides entries.
    @ivar place: behind the entry that was delivered last; None if none was.
    @ivar batches: only the last one may still take parts.
    """

    __slots__ = ("_count", "batches", "early", "framed", "live", "name", "place", "reading")

    def __init__(self, name: str) -> None:
        self.name = name
        self.live: dict[IMember, int] = {}
        self.early: dict[IMember, Place] = {}
        self.reading: dict[IMember, None] = {}
        self.framed: dict[IMember, int] = {}
        self.place: Place | None = None
        self.batches: list[Batch] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self.live) + len(self.early) + len(self.reading)

    def __contains__(self, member: IMember) -> bool:
        return member in self.live or member in self.early or member in self.reading

    def add(self, member: IMember, *, reads: bool) -> None:
        """
        Add *member*.

        @param reads: it gets nothing before `read` or `go_live`.
        """
        if reads:
            self.reading[member] = None
        else:
            self._add_live(member)
            self._add_framed(member)

    def remove(self, member: IMember) -> None:
        """Remove *member*.  No-op if it is not in."""
        self._withdraw(member)
        self.framed.pop(member, None)

    def read(self, member: IMember) -> None:
        """Deliver nothing more to *member*, which reads instead."""
        self._withdraw(member)
        self.reading[member] = None
        self._add_framed(member)

    def go_live(self, member: IMember, place: Place) -> bool:
        """
        Deliver to *member* what follows *place*.

        @return: False if more was delivered meanwhile: it has to read that, too.
        """
        now = self.place
        if now is not None and now.epoch == place.epoch and place.seq < now.seq:
            return False
        self._withdraw(member)
        if place == now:
            self._add_live(member)
        else:
            self.early[member] = place
        self._add_framed(member)
        return True

    def _withdraw(self, member: IMember) -> None:
        """Remove *member* from the live, early and reading sets; it remains in the room."""
        self.live.pop(member, None)
        self.early.pop(member, None)
        self.reading.pop(member, None)

    def _add_live(self, member: IMember) -> None:
        self._seal()
        self.live[member] = self._count

    def _add_framed(self, member: IMember) -> None:
        if member.encoding != Encoding.PLAIN and member not in self.framed:
            self._seal()
            self.framed[member] = 0

    def _seal(self) -> None:
        """Fix the readers of all batches: the members that are there now."""
        for batch in self.batches:
            if batch.readers is None:
                batch.readers = iter(tuple(self.live if batch.news else self.framed))

    def _open_batch(self, *, news: bool) -> Batch:
        """Return a batch that takes more parts."""
        last = self.batches[-1] if self.batches else None
        if last is None or last.readers is not None or last.news != news:
            self._count += 1
            last = Batch(news, self._count)
            self.batches.append(last)
        return last

    def broadcast(self, frame: ServerFrame) -> None:
        """Have *frame* written to all members that understand it."""
        if self.framed:
            self._open_batch(news=False).add(frame)

    def deliver(self, epoch: str, entries: Sequence[Entry]) -> None:
        """
        Have *entries* written to all live members, and let early ones become live.

        Nobody gets any more what a retraction among them names.
        """
        refs = retracted_by(entries)
        if refs:
            entries = without(entries, refs)
            for batch in self.batches:
                batch.retract(epoch, refs)
        missed = self.place and _gap(self.place, epoch, entries)
        if missed and self.live:
            # Before early members become live, who have not missed it.
            self._open_batch(news=True).add(missed)
        while self.early and entries:
            count = self._let_in(epoch, entries)
            self._append(epoch, entries[:count])
            entries = entries[count:]
        self._append(epoch, entries)

    def _let_in(self, epoch: str, entries: Sequence[Entry]) -> int:
        """
        Make the members live that are where the first entry is.

        @return: how many entries may be delivered before other members become live.
        """
        first = entries[0].seq
        most = len(entries)
        for member, place in tuple(self.early.items()):
            if place.epoch == epoch and place.seq >= first:
                most = min(most, place.seq + 1 - first)
                continue
            del self.early[member]
            self._add_live(member)
            missed = _gap(place, epoch, entries)
            if missed is not None and member in self.framed:
                try:
                    member.write(encode_frame(member.encoding, missed))
                except Exception:  # noqa: BLE001 - whatever it is, it is this member's own
                    self._cut_off(member)
        return most

    def _append(self, epoch: str, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        if self.live:
            batch = self._open_batch(news=True)
            batch.add((epoch, entries))
            batch.since = batch.since or entries[0].time
            batch.entries += len(entries)
        self.place = Place(epoch, entries[-1].seq)

    def write(self, most: int) -> tuple[int, Batch | None]:
        """
        Write the first batch to its next *most* readers.

        @return: how many readers had their turn, and the batch if those were the last ones.
        """
        batch = self.batches[0]
        if batch.readers is None:
            self._seal()
        assert batch.readers is not None
        done, number = 0, batch.number
        wanted = self.live if batch.news else self.framed
        for member in batch.readers:
            # A member that has left meanwhile gets nothing; nor does one that was away and is
            # back, and has read the batch's entries.
            if wanted.get(member, number) < number:
                try:
                    # Plain members get nothing of events alone.
                    if frames := batch.encoded(member.encoding):
                        member.write(frames)
                    batch.written += 1
                except Exception:  # noqa: BLE001 - whatever it is, it is this member's own
                    self._cut_off(member)
            done += 1
            if done >= most:
                return done, None
        self.batches.pop(0)
        return done, batch

    def _cut_off(self, member: IMember) -> None:
        """Close a connection that cannot be written to; the others must not notice."""
        _log.failure("A member of {room} is cut off: writing failed.", room=self.name)
        self.remove(member)
        try:
            member.turn_away(internal())
        except Exception:  # noqa: BLE001 - it cannot be told either
            _log.failure("A member of {room} could not be told so.", room=self.name)
            member.abort()


def _gap(place: Place, epoch: str, entries: Sequence[Entry]) -> Resumed | None:
    """Name what is missing between *place* and *entries*; None if nothing is."""
    first, last = entries[0].seq, entries[-1].seq
    if epoch != place.epoch:
        return Resumed(False, "epoch", epoch=epoch, to=last)
    if first > place.seq + 1:
        return Resumed(False, "trimmed", oldest=first, to=last)
    return None
