"""A batch of events, while it is put together and afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from livechat.events.merging import Step
from livechat.protocol.events import Event, encode_event
from livechat.protocol.messages import Place

#: Events of a batch at most, and bytes of their JSON; a single event may be larger.
MOST_EVENTS: Final = 1_000
MOST_BYTES: Final = 1 << 20
#: Seconds for which events gather before a batch of them is made.
GATHER: Final = 0.2
#: Events for which the next ones gather longer, and the seconds: a batch costs as much as dozens of
#: events do.
MANY: Final = 50
GATHER_MANY: Final = 0.5
#: Seconds of rest after a full batch: those who chat come first.  The second is that of a process
#: that uses more than this share of a core.
REST: Final = 0.3
LONG_REST: Final = 1.0
BUSY: Final = 0.7
#: Waiting entries with which there is no rest, since they are bounded: a burst may be told later,
#: but a flood would be lost.  Beyond half of them the rest is shorter.
MUCH: Final = 50_000


class Batch(Struct, frozen=True):
    """
    Events that a receiver is to be told of, in their order.

    @ivar encoded: their JSON, piece by piece: one event, or several with commas between.
    @ivar told: the cursors of rooms, once the receiver has been told.
    @ivar more: rooms of which more waits.
    @ivar notes: the numbers of notes that are told out of their order.
    @ivar full: more may wait than there was room for.
    """

    events: tuple[Event, ...]
    encoded: tuple[bytes, ...]
    told: Mapping[str, tuple[str, int]]
    more: frozenset[str] = frozenset()
    notes: frozenset[int] = frozenset()
    full: bool = False


class Draft:
    """
    A batch that is being put together.

    @ivar told: cursors of rooms.
    @ivar notes: the numbers of notes that are in it, or passed over.
    @ivar more: rooms of which more waits.
    @ivar full: no event has room any more.
    """

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._encoded: list[bytes] = []
        self._bytes = 0
        self.told: dict[str, tuple[str, int]] = {}
        self.notes: set[int] = set()
        self.more: set[str] = set()
        self.full = False

    @property
    def left(self) -> int:
        """Events for which there is room."""
        return MOST_EVENTS - len(self._events)

    def take(self, steps: Iterable[Step], room: str = "", epoch: str = "") -> int:
        """
        Take *steps* of a room, as far as there is room.

        @return: the number in the room that the last of them moves the cursor to; 0: none does.
        """
        reached = 0
        for event, seq, note in steps:
            if event is not None and not self._add(event):
                break
            if note:
                self.notes.add(note)
            if seq:
                reached = seq
        if reached:
            self.told[room] = (epoch, reached)
        return reached

    def take_all(self, events: Sequence[Event], room: str, told: Place) -> bool:
        """
        Take events of a room, all of them; return False if there is no room for that.

        @param told: the place up to which they tell of the room.
        """
        # One call of the encoder costs less than one for each event.
        encoded = encode_event(events)[1:-1]
        size = self._bytes + len(encoded)
        if size > MOST_BYTES or len(events) > self.left:
            return False
        if events:
            self._events += events
            self._encoded.append(encoded)
            self._bytes = size
        self.told[room] = told
        return True

    def _add(self, event: Event) -> bool:
        encoded = encode_event(event)
        size = self._bytes + len(encoded)
        if (size > MOST_BYTES and self._events) or len(self._events) >= MOST_EVENTS:
            self.full = True
            return False
        self._events.append(event)
        self._encoded.append(encoded)
        self._bytes = size
        return True

    def batch(self, notes: frozenset[int]) -> Batch:
        """
        Return the batch.

        @param notes: the numbers of notes that are told out of their order with it.
        """
        return Batch(
            tuple(self._events),
            tuple(self._encoded),
            self.told,
            frozenset(self.more),
            notes,
            self.full or bool(self.more),
        )


def pause_after(batch: Batch, backlog: int, usage: float) -> float:
    """
    Return the seconds from one batch to the next.

    @param backlog: entries that wait, those of the batch among them.
    @param usage: the share of a core that the process uses.
    """
    if not batch.full:
        return GATHER if len(batch.events) < MANY else GATHER_MANY
    if len(batch.events) < MOST_EVENTS:
        # Long events fill it, and the bytes of waiting entries are bounded, too.
        return 0.0
    rest = LONG_REST if usage > BUSY else REST
    return rest * min(1.0, 2 * max(0.0, 1 - backlog / MUCH))
