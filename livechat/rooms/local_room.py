"""
One room in this process: its members, and the batches that they have yet to get.

A *batch* is encoded once for each encoding, joined, and written to each member in one piece.
Its set of readers is fixed: a client that joins between two messages of a turn gets the second one
only.  So a batch of entries is sealed before a member becomes live.  One of frames goes on, and
notes where the newcomer comes in: when a crowd comes back, each one's `joined` goes to all before,
and a write for each of these would keep messages waiting.

Members of one encoding make a *lane*, whose wires are written to in one call, by a function that
the room is given (`livechat.net.fast`).  `IMember.went` tells a member whose wire did not take
everything.  Lanes are kept until the membership changes.

A *live* member gets deliveries.  A *reading* member reads missed entries from the history, and gets
nothing until it has caught up with the room.  Histories are ahead of deliveries by some messages,
so a member may have read entries that are delivered only later.  Such an *early* member becomes
live when the room has come to its place.

Deliveries are numbered.  If one does not follow the one before, members that know numbers get a
frame with the gap first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final

from twisted.logger import Logger

from livechat.errors import internal
from livechat.protocol.encoding import Encoding, encode_frame
from livechat.protocol.messages import Entry, Place, retracted_by, without
from livechat.protocol.v1 import Resumed, ServerFrame
from livechat.rooms.batch import Batch, Lane, Stretch, lanes
from livechat.rooms.member import IMember, WriteAll

#: The bytes of a write that are sent.
_SENT: Final = itemgetter(1)

#: A function that looks at frames written to a range of a lane's members, the end excluded.
Tap = Callable[[str, Lane, int, int, bytes], None]

_log = Logger()


class LocalRoom:
    """
    The members of a room in the order in which they came; its length is their number.

    @ivar live: members that get deliveries, with the number of the last batch before they came.
    @ivar early: members that have the entries up to a place already.
    @ivar reading: members that read missed entries.
    @ivar framed: the members, of all three kinds, that get frames besides entries.
    @ivar place: behind the entry that was delivered last; None if none was.
    @ivar found: where the history stood when it was read before the first delivery; it may be ahead
        of deliveries.
    @ivar batches: only the last one may still take parts.
    @ivar tap: gets the frames that are written; None while nobody traces.
    """

    __slots__ = (
        "_count", "_lanes", "_write_all", "batches", "early", "found", "framed", "live", "name",
        "place", "reading", "tap",
    )  # fmt: skip

    def __init__(self, name: str, write_all: WriteAll) -> None:
        self.name = name
        self._write_all = write_all
        self.live: dict[IMember, int] = {}
        self.early: dict[IMember, Place] = {}
        self.reading: dict[IMember, None] = {}
        self.framed: dict[IMember, int] = {}
        self.place: Place | None = None
        self.found: Place | None = None
        self.batches: list[Batch] = []
        self.tap: Tap | None = None
        self._count = 0
        # The lanes of live members, and of framed ones; None: they have changed.
        self._lanes: dict[bool, tuple[Lane, ...] | None] = {True: None, False: None}

    def __len__(self) -> int:
        return len(self.live) + len(self.early) + len(self.reading)

    def __contains__(self, member: IMember) -> bool:
        return member in self.live or member in self.early or member in self.reading

    def add(self, member: IMember, *, reads: bool) -> None:
        """
        Add *member*.

        @param reads: the member reads the history first, and gets nothing before `read` or
            `go_live`.
        """
        if reads:
            self.reading[member] = None
        else:
            self._add_live(member)
            self._add_framed(member)

    def remove(self, member: IMember) -> None:
        """Remove *member*.  No-op if it is not in."""
        self._withdraw(member)
        if self.framed.pop(member, None) is not None:
            self._outdated(news=False)

    def read(self, member: IMember) -> None:
        """Deliver nothing more to *member*, which reads instead."""
        self._withdraw(member)
        self.reading[member] = None
        self._add_framed(member)

    def go_live(self, member: IMember, place: Place) -> bool:
        """
        Deliver to *member* the entries that follow *place*.

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
        if self.live.pop(member, None) is not None:
            self._outdated(news=True)
        self.early.pop(member, None)
        self.reading.pop(member, None)

    def _outdated(self, *, news: bool) -> None:
        """Note that a member has stopped being a reader, of waiting batches too."""
        self._lanes[news] = None
        for batch in self.batches:
            batch.stale = batch.stale or batch.news == news

    def _add_live(self, member: IMember) -> None:
        for batch in self.batches:
            if batch.readers is None and batch.news:
                self._seal(batch)
        self._lanes[True] = None
        self.live[member] = self._count

    def _add_framed(self, member: IMember) -> None:
        if member.encoding != Encoding.PLAIN and member not in self.framed:
            for batch in self.batches:
                if batch.readers is None and not batch.news:
                    batch.late[member] = len(batch)
            self._lanes[False] = None
            self.framed[member] = 0

    def _seal(self, batch: Batch) -> None:
        """Fix the readers of *batch*: the members that are there now."""
        batch.readers = self._late_lanes(batch) if batch.late else self._lanes_of(news=batch.news)
        batch.stale = False

    def _late_lanes(self, batch: Batch) -> tuple[Lane, ...]:
        """Sort the readers of a batch of frames by the first part that they get."""
        by_first: dict[int, list[IMember]] = {}
        for member in self.framed:
            by_first.setdefault(batch.late.get(member, 0), []).append(member)
        by_first.pop(len(batch), None)
        return tuple(lane for first, some in by_first.items() for lane in lanes(some, first))

    def _lanes_of(self, *, news: bool) -> tuple[Lane, ...]:
        found = self._lanes[news]
        if found is None:
            found = self._lanes[news] = lanes(self.live if news else self.framed)
        return found

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

        Messages that a retraction among them names are written to nobody any more.
        """
        refs = retracted_by(entries)
        if refs:
            entries = without(entries, refs)
            for batch in self.batches:
                batch.retract(epoch, refs)
        missed = self.place and _gap(self.place, epoch, entries)
        if missed and self.live:
            # This precedes early members' going live, since they have not missed anything.
            self._open_batch(news=True).add(missed)
        while self.early and entries:
            count = self._let_in(epoch, entries)
            self._append(epoch, entries[:count])
            entries = entries[count:]
        self._append(epoch, entries)

    def _let_in(self, epoch: str, entries: Sequence[Entry]) -> int:
        """
        Make early members live whose place is just before the first entry.

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
            self._seal(batch)
        done = 0
        while done < most:
            stretch = batch.take(most - done)
            if stretch is None:
                self.batches.pop(0)
                return done, batch
            lane, start, stop = stretch
            done += stop - start
            try:
                self._write_stretch(batch, self._present(batch, stretch))
            except Exception:  # noqa: BLE001 - nobody knows who has got how much
                for member in lane.members[start:stop]:
                    self._cut_off(member)
        return done, None

    def _present(self, batch: Batch, stretch: Stretch) -> Stretch:
        """
        Remove from *stretch* the members that have left meanwhile, or have left and come back:
        these have read the entries of *batch*.
        """
        if not batch.stale:
            return stretch
        lane, start, stop = stretch
        members = [each for each in lane.members[start:stop] if self._reads(each, batch)]
        return Lane(lane.encoding, members, lane.first), 0, len(members)

    def _reads(self, member: IMember, batch: Batch) -> bool:
        """Tell whether *member* is a reader of *batch*, and has been since it was sealed."""
        wanted = self.live if batch.news else self.framed
        return wanted.get(member, batch.number) < batch.number

    def _write_stretch(self, batch: Batch, stretch: Stretch) -> None:
        lane, start, stop = stretch
        frames = batch.encoded(lane.encoding, lane.first)
        # Plain members get nothing of events alone.
        left = self._write_all(lane.wires, frames, start, stop) if frames else []
        if self.tap is not None and frames:
            self.tap(self.name, lane, start, stop, frames)
        batch.written += stop - start - len(left)
        if left:
            self._tell(batch, lane, frames, left)

    def _tell(self, batch: Batch, lane: Lane, frames: bytes, left: list[tuple[int, int]]) -> None:
        """Tell the members whose wire did not take all of *frames*."""
        # Members whose frames have begun come first: the rest of these must precede any other
        # write.
        left.sort(key=_SENT, reverse=True)
        for index, sent in left:
            member = lane.members[index]
            # The member may have left in consequence of an earlier call.
            if sent < 0 and not self._reads(member, batch):
                continue
            try:
                member.went(frames, sent)
                batch.written += 1
            except Exception:  # noqa: BLE001 - whatever it is, it is this member's own
                self._cut_off(member)
            lane.wires[index] = member.wire

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
    """Describe the gap between *place* and *entries*; None if there is none."""
    first, last = entries[0].seq, entries[-1].seq
    if epoch != place.epoch:
        return Resumed(False, "epoch", epoch=epoch, to=last)
    if first > place.seq + 1:
        return Resumed(False, "trimmed", oldest=first, to=last)
    return None
