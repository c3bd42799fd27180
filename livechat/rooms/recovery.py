"""
Recovery: the way of a member from where it was to where its room is, without a hole.

A member that is reading gets no deliveries (`livechat.rooms.local_room`), but page after page of
the history.  Each page is written when the one before has gone out, so no backlog grows for a slow
reader.  After each page the member goes live if it has everything that was delivered by then; if
not, it reads on.

In a busy room entries are delivered during every read.  A buffer keeps up to `BUFFER_ENTRIES` of
them, which are written after the page, so that nothing is missing any more.

A gap in the history is named before the messages that follow it:

    the oldest part is gone        trimmed
    numbering began anew           epoch; the newest page follows
    it knows more than the room    epoch as well: what the room had is lost
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from zope.interface import implementer

from livechat.errors import ChatError
from livechat.interfaces import IBackend, ISink
from livechat.protocol.encoding import encode_entries, encode_frame
from livechat.protocol.messages import (
    Entry,
    Page,
    Place,
    Position,
    characters,
    retracted_by,
    without,
)
from livechat.protocol.v1 import Resumed
from livechat.rooms.history import first_of_newest
from livechat.rooms.hub import Hub
from livechat.rooms.member import IClient

#: Entries that a member gets after a gap of unknown size: the newest ones.
NEWEST_PAGE: Final = 100
#: Entries that are read at a time; fewer if they are long.
REPLAY_PAGE: Final = 500
#: Entries, and characters, that the buffer keeps while a page is read.
BUFFER_ENTRIES: Final = 200
BUFFER_CHARACTERS: Final = 65_536
#: Seconds to wait before retrying a failed read.
RETRY_AFTER: Final = 0.5
#: Failed reads in a row after which a member is disconnected, although the store takes messages.
MOST_RETRIES: Final = 10


@implementer(ISink)
class _DeliveryBuffer:
    """Keeps the newest entries that are delivered while a page is read."""

    def __init__(self) -> None:
        self.delivered: deque[tuple[str, Entry]] = deque()
        self._characters = 0
        # Messages that were retracted meanwhile, by epoch and number.
        self._retracted: set[Place] = set()

    def clear(self) -> None:
        """Forget all entries."""
        self.delivered.clear()
        self._characters = 0
        self._retracted.clear()

    def deliver(self, room: str, epoch: str, entries: Sequence[Entry]) -> None:
        self._retracted.update(Place(epoch, ref) for ref in retracted_by(entries))
        for entry in entries:
            self.delivered.append((epoch, entry))
            self._characters += characters(entry)
        while len(self.delivered) > BUFFER_ENTRIES or self._characters > BUFFER_CHARACTERS:
            self._characters -= characters(self.delivered.popleft()[1])

    def now(self, epoch: str, entries: list[Entry]) -> list[Entry]:
        """Return *entries* of *epoch*, read earlier, in their present state."""
        refs = {ref for known_as, ref in self._retracted if known_as == epoch}
        return without(entries, refs) if refs else entries

    def after(self, place: Place) -> list[Entry]:
        """Return the entries that follow *place* without a hole."""
        found: list[Entry] = []
        for epoch, entry in self.delivered:
            if epoch == place.epoch and entry.seq == place.seq + len(found) + 1:
                found.append(entry)
        return found


class GoneError(Exception):
    """The member has left the room."""


class Replay:
    """The recovery of one member.  It ends early, without a word, when the member leaves."""

    def __init__(
        self, backend: IBackend, hub: Hub, clock: IReactorTime, room: str, client: IClient
    ) -> None:
        self._backend = backend
        self._hub = hub
        self._clock = clock
        self._room = room
        self._client = client

    async def resume(self, since: Place) -> None:
        """Report the gap behind *since*, if any; write the entries that follow, and go live."""
        self._hub.read(self._room, self._client)
        with suppress(GoneError):
            await self._catch_up(since, answer=True)

    async def newest(self, count: int) -> None:
        """Write the newest *count* messages and go live."""
        self._hub.read(self._room, self._client)
        with suppress(GoneError):
            position = (await self._read(0, 0)).position
            first = await first_of_newest(self._read, position, position.seq, count)
            await self._catch_up(Place(position.epoch, first - 1), answer=False)

    async def _catch_up(self, place: Place, *, answer: bool) -> None:
        buffer = _DeliveryBuffer()
        self._hub.watch(self._room, buffer)
        try:
            while True:
                await self._client.drained()
                buffer.clear()
                page = await self._read(place.seq, REPLAY_PAGE)
                what, place = _next_step(place, page.position)
                if answer or not what.complete:
                    self._write(encode_frame(self._client.encoding, what))
                    answer = False
                if what.reason == "epoch":
                    continue
                before, place = place, self._write_page(place, page, buffer)
                if place.seq >= page.position.seq:
                    if self._hub.go_live(self._room, self._client, place):
                        return
                    if place == before:
                        # The history lacks delivered entries, which the next read notices.
                        await deferLater(self._clock, RETRY_AFTER)
        finally:
            if self._hub.unwatch(self._room, buffer):
                self._backend.messages.unsubscribe(self._room)

    async def _read(self, after: int, limit: int) -> Page:
        """
        Read the entries after number *after*, with retries.

        While the store is away nothing is delivered either, so the member misses nothing by
        waiting.  If only reading fails, others get messages that it does not get, so it is
        disconnected.

        @raise GoneError: the member has left, or was turned away.
        """
        tries = 0
        while self._hub.has(self._room, self._client):
            try:
                return await self._backend.messages.read(self._room, after, limit)
            except ChatError as reason:
                tries = 0 if self._backend.trouble() else tries + 1
                if tries > MOST_RETRIES:
                    self._client.turn_away(reason)
                    break
                await deferLater(self._clock, RETRY_AFTER)
        raise GoneError

    def _write_page(self, place: Place, page: Page, buffer: _DeliveryBuffer) -> Place:
        """Write *page*, and the buffer if it follows; return the place where the member is then."""
        entries = [entry for entry in page.entries if entry.seq > place.seq]
        last = entries[-1].seq if entries else place.seq
        if last >= page.position.seq:
            entries += buffer.after(Place(place.epoch, last))
        if not entries:
            return place
        entries = buffer.now(place.epoch, entries)
        self._write(encode_entries(self._client.encoding, place.epoch, entries))
        return Place(place.epoch, entries[-1].seq)

    def _write(self, frames: bytes) -> None:
        if frames:
            self._client.write(frames)


def _next_step(place: Place, position: Position) -> tuple[Resumed, Place]:
    """Return the frame for a member at *place*, and the place from which it goes on."""
    epoch, oldest, to = position.epoch, position.oldest, position.seq
    if epoch != place.epoch or to < place.seq:
        start = max(oldest, to - NEWEST_PAGE + 1) - 1
        return Resumed(False, "epoch", epoch=epoch, to=to), Place(epoch, start)
    if oldest > place.seq + 1:
        return Resumed(False, "trimmed", oldest=oldest, to=to), Place(epoch, oldest - 1)
    return Resumed(True, first=place.seq + 1, to=to), place
