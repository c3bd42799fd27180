"""
The rooms of this process, their members, and those who watch them.

A room is here from when the first of them comes until the last one goes.
`deliver` is the only way in which a message reaches anybody, whoever sent it
and however it came.

What is delivered within one turn of the reactor is written at its end, in one
*batch* for each room: encoded once for each encoding, joined, and written to each
member in one piece.  Nobody waits for that: a lone message leaves in its own turn.

A turn writes to `SLICE` members at most; then everybody else has a turn, and
rooms with batches left take theirs one after the other.  So a room of ten
thousand delays the others by a slice and not by all of itself.  A room's next
batch begins when its last one is with everybody, and meanwhile grows.

A batch is for those who were there when its messages were delivered: who joins
between two messages of a turn gets the second one only.

A member is *live*, and gets what is delivered; or it *reads* what it missed out of the
history, and gets nothing until it is where the room is (`go_live`).  Histories are ahead
of deliveries by some messages, so a member may have read what is delivered only later:
it is *early*, and becomes live when the room has come to its place.

Deliveries are numbered.  Where one does not follow the one before, those that know of
numbers are told what they missed, before they are told anything else.

A watcher, such as an operator's page, is told what is said like a member, and
counts as none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from livechat import metrics
from livechat.errors import internal
from livechat.interfaces import IMember, ISink
from livechat.protocol.encoding import Encoding, encode_frame, encode_messages
from livechat.protocol.messages import Message, Place
from livechat.protocol.v1 import Resumed, ServerFrame

#: Members that are written to in one turn: some 5 ms of one core.
SLICE: Final = 500

_Part = Callable[[Encoding], bytes]

_log = Logger()


class _Batch:
    """
    What is written together, and who is yet to get it.

    @ivar news: messages, for live members; else it is frames, for all that understand them.
    @ivar number: the room's batches are counted.
    @ivar messages: how many it has, and when the first of them was stored.
    @ivar written: to how many members it was.
    """

    __slots__ = (
        "_encoded", "_parts", "messages", "news", "number", "readers", "since", "written",
    )  # fmt: skip

    def __init__(self, news: bool, number: int) -> None:
        self.news = news
        self.number = number
        self.readers: Iterator[IMember] | None = None
        self.messages = self.since = self.written = 0
        self._parts: list[_Part] = []
        self._encoded: list[bytes | None] = [None] * len(Encoding)

    def add(self, part: _Part) -> None:
        self._parts.append(part)

    def encoded(self, encoding: Encoding) -> bytes:
        found = self._encoded[encoding]
        if found is None:
            found = self._encoded[encoding] = b"".join([part(encoding) for part in self._parts])
        return found


class _Room:
    """
    Its members, in the order they came, and what they are yet to get.

    @ivar live: those that get what is delivered, and behind which batch they came.
    @ivar early: those that have it already up to a place.
    @ivar reading: those that read what they missed.
    @ivar understanding: those of all these that are told more than messages.
    @ivar place: behind what was delivered last; None if nothing was.
    """

    __slots__ = (
        "_count", "batches", "early", "live", "name", "place", "reading", "understanding",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.live: dict[IMember, int] = {}
        self.early: dict[IMember, Place] = {}
        self.reading: dict[IMember, None] = {}
        self.understanding: dict[IMember, int] = {}
        self.place: Place | None = None
        # The last one may still take messages.
        self.batches: list[_Batch] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self.live) + len(self.early) + len(self.reading)

    def __contains__(self, member: IMember) -> bool:
        return member in self.live or member in self.early or member in self.reading

    def add(self, member: IMember, *, reads: bool) -> None:
        if reads:
            self.reading[member] = None
        else:
            self.add_live(member)
            self.tell(member)

    def tell(self, member: IMember) -> None:
        """From now on it is told more than messages, if it understands that."""
        if member.encoding != Encoding.PLAIN and member not in self.understanding:
            self.close()
            self.understanding[member] = 0

    def remove(self, member: IMember) -> None:
        self.withdraw(member)
        self.understanding.pop(member, None)

    def withdraw(self, member: IMember) -> None:
        """It stays, and is none of the three."""
        self.live.pop(member, None)
        self.early.pop(member, None)
        self.reading.pop(member, None)

    def add_live(self, member: IMember) -> None:
        """It gets what is delivered from now on."""
        self.close()
        self.live[member] = self._count

    def close(self) -> None:
        """What waits is for those who are there now."""
        for batch in self.batches:
            if batch.readers is None:
                batch.readers = iter(tuple(self.live if batch.news else self.understanding))

    def batch(self, news: bool) -> _Batch:
        """One that takes more."""
        last = self.batches[-1] if self.batches else None
        if last is None or last.readers is not None or last.news != news:
            self._count += 1
            last = _Batch(news, self._count)
            self.batches.append(last)
        return last

    def deliver(self, epoch: str, messages: Sequence[Message]) -> None:
        missed = self.place and _missed(self.place, epoch, messages)
        if missed and self.live:
            # Before others become live, who have not missed it.
            self.batch(news=True).add(lambda encoding: encode_frame(encoding, missed))
        while self.early and messages:
            count = self._let_in(epoch, messages)
            self._add(epoch, messages[:count])
            messages = messages[count:]
        self._add(epoch, messages)

    def _let_in(self, epoch: str, messages: Sequence[Message]) -> int:
        """
        Make those live that are where the first message is; returns how many messages
        may be delivered before others are.
        """
        first = messages[0].seq
        most = len(messages)
        for member, place in tuple(self.early.items()):
            if place.epoch == epoch and place.seq >= first:
                most = min(most, place.seq + 1 - first)
                continue
            del self.early[member]
            self.add_live(member)
            missed = _missed(place, epoch, messages)
            if missed is not None and member in self.understanding:
                try:
                    member.write(encode_frame(member.encoding, missed))
                except Exception:  # noqa: BLE001 - whatever it is, it is this member's own
                    self.cut_off(member)
        return most

    def cut_off(self, member: IMember) -> None:
        """Close a connection that cannot be written to; the others must not notice."""
        _log.failure("A member of {room} is cut off: writing failed.", room=self.name)
        self.remove(member)
        try:
            member.turn_away(internal())
        except Exception:  # noqa: BLE001 - it cannot be told either
            _log.failure("A member of {room} could not be told so.", room=self.name)
            member.abort()

    def _add(self, epoch: str, messages: Sequence[Message]) -> None:
        if not messages:
            return
        if self.live:
            batch = self.batch(news=True)
            batch.add(lambda encoding: encode_messages(encoding, epoch, messages))
            batch.since = batch.since or messages[0].time
            batch.messages += len(messages)
        self.place = Place(epoch, messages[-1].seq)


def _missed(place: Place, epoch: str, messages: Sequence[Message]) -> Resumed | None:
    """What is missing between *place* and *messages*, for those who were there."""
    first, last = messages[0].seq, messages[-1].seq
    if epoch != place.epoch:
        return Resumed(False, "epoch", epoch=epoch, to=last)
    if first > place.seq + 1:
        return Resumed(False, "trimmed", oldest=first, to=last)
    return None


@implementer(ISink)
class Hub:
    """Who is in which room, and the fan-out of what is said there."""

    def __init__(self, clock: IReactorTime, now: Callable[[], float]) -> None:
        """
        @param now: the time in seconds since 1970, UTC.
        """
        self._clock = clock
        self._now = now
        self._rooms: dict[str, _Room] = {}
        self._watchers: dict[str, dict[ISink, None]] = {}
        # Rooms with batches, in the order of their turns.
        self._ready: deque[_Room] = deque()
        self._called = False
        # How much was written in this turn, and when the first of it was stored.
        self._written = self._since = 0

    def join(self, room: str, member: IMember, *, reads: bool = False) -> None:
        """
        Add *member*; a second time is nothing.

        @param reads: it is not live yet, and told nothing at all before it reads or goes live.
        """
        there = self._rooms.get(room)
        if there is None:
            there = self._rooms[room] = _Room(room)
        if member not in there:
            there.add(member, reads=reads)

    def leave(self, room: str, member: IMember) -> bool:
        """Take *member* out; returns whether *room* ended by it, for watchers too."""
        there = self._rooms.get(room)
        if there is None:
            return False
        there.remove(member)
        if len(there):
            return False
        del self._rooms[room]
        return room not in self._watchers

    def read(self, room: str, member: IMember) -> None:
        """Deliver nothing more to *member*, which reads instead; nothing if it is not in."""
        there = self._rooms.get(room)
        if there is not None and member in there:
            there.withdraw(member)
            there.reading[member] = None
            there.tell(member)

    def go_live(self, room: str, member: IMember, place: Place) -> bool:
        """
        *member* has read up to *place*: deliver to it what follows.

        @return: whether that is so.  If not, more was delivered meanwhile, and it has
            to read that too.
        """
        there = self._rooms.get(room)
        if there is None or member not in there:
            return True
        now = there.place
        if now is not None and now.epoch == place.epoch and place.seq < now.seq:
            return False
        there.withdraw(member)
        if place == now:
            there.add_live(member)
        else:
            there.early[member] = place
        there.tell(member)
        return True

    def has(self, room: str, member: IMember) -> bool:
        """Whether *member* is in *room*."""
        there = self._rooms.get(room)
        return there is not None and member in there

    def place(self, room: str) -> Place | None:
        """Behind what was delivered last in *room*; None if nothing was since it is here."""
        there = self._rooms.get(room)
        return there.place if there is not None else None

    def watch(self, room: str, watcher: ISink) -> None:
        """Tell *watcher* what is said in *room*; a second time is nothing."""
        self._watchers.setdefault(room, {})[watcher] = None

    def unwatch(self, room: str, watcher: ISink) -> bool:
        """Tell it no more; returns whether *room* ended by it, for members too."""
        watchers = self._watchers.get(room)
        if watchers is None:
            return False
        watchers.pop(watcher, None)
        if watchers:
            return False
        del self._watchers[room]
        return room not in self._rooms

    def members(self, room: str) -> int:
        """How many members *room* has in this process."""
        there = self._rooms.get(room)
        return len(there) if there is not None else 0

    def rooms(self) -> Mapping[str, int]:
        """The rooms that have members in this process, and how many."""
        return {name: len(room) for name, room in self._rooms.items()}

    def deliver(self, room: str, epoch: str, messages: Sequence[Message]) -> None:
        """
        Have *messages* written to every member of *room* at the end of this turn,
        and tell its watchers.
        """
        there = self._rooms.get(room)
        if there is not None:
            idle = not there.batches
            there.deliver(epoch, messages)
            self._will_write(there, idle)
        for watcher in tuple(self._watchers.get(room, ())):
            try:
                watcher.deliver(room, epoch, messages)
            except Exception:  # noqa: BLE001 - the others, and the senders, must not notice
                _log.failure("A watcher of {room} could not be told.", room=room)

    def tell(self, room: str, frame: ServerFrame) -> None:
        """
        Have *frame* written to every member of *room* that understands it, in no order
        with messages.
        """
        there = self._rooms.get(room)
        if there is not None and there.understanding:
            idle = not there.batches
            there.batch(news=False).add(lambda encoding: encode_frame(encoding, frame))
            self._will_write(there, idle)

    def _will_write(self, room: _Room, idle: bool) -> None:
        if idle and room.batches:
            self._ready.append(room)
            self._call()

    def flush(self) -> None:
        """Write all that is yet to be written, however much it is."""
        while self._ready:
            self._write(len(self._ready[0]) + 1)
        self._count()

    def _call(self) -> None:
        if not self._called:
            self._called = True
            self._clock.callLater(0, self._turn)

    def _turn(self) -> None:
        self._called = False
        left = SLICE
        while self._ready and left > 0:
            left -= self._write(left)
        self._count()
        if self._ready:
            self._call()

    def _write(self, most: int) -> int:
        """Write to *most* members of the room whose turn it is; returns to how many."""
        room = self._ready.popleft()
        batch = room.batches[0]
        if batch.readers is None:
            room.close()
        assert batch.readers is not None
        written, number = 0, batch.number
        wanted = room.live if batch.news else room.understanding
        for member in batch.readers:
            # Who has left meanwhile is not written to; nor who was away and is back, and has
            # read what is in it.
            if wanted.get(member, number) < number:
                try:
                    member.write(batch.encoded(member.encoding))
                    batch.written += 1
                except Exception:  # noqa: BLE001 - whatever it is, it is this member's own
                    room.cut_off(member)
            written += 1
            if written >= most:
                break
        else:
            room.batches.pop(0)
            if batch.messages:
                self._written += batch.messages * batch.written
                self._since = min(self._since or batch.since, batch.since)
        if room.batches:
            self._ready.append(room)
        return written

    def _count(self) -> None:
        """What was written in this turn."""
        if self._since:
            metrics.written(self._now(), self._since, self._written)
            self._written = self._since = 0
