"""
From where a member was to where the room is, without a hole.

A member that reads gets nothing of what is delivered (`livechat.rooms.hub`).  It is written page
after page of the history instead, each when the one before has gone out, so nothing
gathers for one that reads slowly, however much it missed.  After each page it goes live if
it has everything that was delivered by then; if not, it reads on.

In a busy room something is delivered during every read.  So what is delivered meanwhile is
kept, `TAIL` messages of it, and written behind the page; then nothing is missing any more.

Whatever is not in the history any longer is named before what follows it:

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
from livechat.interfaces import IBackend, IClient, ISink
from livechat.protocol.encoding import encode_frame, encode_messages
from livechat.protocol.messages import Message, Page, Place, Position
from livechat.protocol.v1 import Resumed
from livechat.rooms.hub import Hub

#: Messages that a member gets to whom it cannot be said what it missed.
NEWEST: Final = 100
#: Messages that are read at a time; fewer where they are long.
PAGE: Final = 500
#: Messages, and characters, that are kept while a page is read.
TAIL: Final = 200
TAIL_CHARACTERS: Final = 65_536
#: Seconds after which one reads again where it was not possible.
AGAIN: Final = 0.5
#: Times that a history is read in vain although the store takes messages.
TRIES: Final = 10


@implementer(ISink)
class _Tail:
    """What is delivered while a page is read."""

    def __init__(self) -> None:
        self.delivered: deque[tuple[str, Message]] = deque()
        self._characters = 0

    def begin(self) -> None:
        """Forget what was delivered."""
        self.delivered.clear()
        self._characters = 0

    def deliver(self, room: str, epoch: str, messages: Sequence[Message]) -> None:
        for message in messages:
            self.delivered.append((epoch, message))
            self._characters += len(message.message)
        while len(self.delivered) > TAIL or self._characters > TAIL_CHARACTERS:
            self._characters -= len(self.delivered.popleft()[1].message)

    def behind(self, place: Place) -> list[Message]:
        """What of it follows *place* without a hole."""
        found: list[Message] = []
        for epoch, message in self.delivered:
            if epoch == place.epoch and message.seq == place.seq + len(found) + 1:
                found.append(message)
        return found


class GoneError(Exception):
    """The member has left the room."""


class Replay:
    """One member's way.  It ends early, without a word, when the member leaves."""

    def __init__(
        self, backend: IBackend, hub: Hub, clock: IReactorTime, room: str, client: IClient
    ) -> None:
        self._backend = backend
        self._hub = hub
        self._clock = clock
        self._room = room
        self._client = client

    async def resume(self, since: Place) -> None:
        """Say what follows *since* and what does not, write it, and go live."""
        self._hub.read(self._room, self._client)
        with suppress(GoneError):
            await self._follow(since, answer=True)

    async def newest(self, count: int) -> None:
        """Write the newest *count* messages and go live."""
        self._hub.read(self._room, self._client)
        with suppress(GoneError):
            position = (await self._page(0, 0)).position
            first = max(position.oldest, position.seq - count + 1)
            await self._follow(Place(position.epoch, first - 1), answer=False)

    async def _follow(self, place: Place, *, answer: bool) -> None:
        tail = _Tail()
        self._hub.watch(self._room, tail)
        try:
            while True:
                await self._client.drained()
                tail.begin()
                page = await self._page(place.seq, PAGE)
                what, place = _from(place, page.position)
                if answer or not what.complete:
                    self._write(encode_frame(self._client.encoding, what))
                    answer = False
                if what.reason == "epoch":
                    continue
                before, place = place, self._write_page(place, page, tail)
                if place.seq >= page.position.seq:
                    if self._hub.go_live(self._room, self._client, place):
                        return
                    if place == before:
                        # The history lacks what was delivered: it will be noticed.
                        await deferLater(self._clock, AGAIN)
        finally:
            if self._hub.unwatch(self._room, tail):
                self._backend.unsubscribe(self._room)

    async def _page(self, after: int, limit: int) -> Page:
        """
        What follows number *after*.  While the store is away nothing is delivered either,
        and the member has no more to wait for than anybody else.

        @raise GoneError: the member is not there any more; or was sent away, because only
            histories cannot be read, and others hear what it does not.
        """
        tries = 0
        while self._hub.has(self._room, self._client):
            try:
                return await self._backend.read(self._room, after, limit)
            except ChatError as reason:
                tries = 0 if self._backend.trouble() else tries + 1
                if tries > TRIES:
                    self._client.turn_away(reason)
                    break
                await deferLater(self._clock, AGAIN)
        raise GoneError

    def _write_page(self, place: Place, page: Page, tail: _Tail) -> Place:
        """Returns where the member is then."""
        messages = [message for message in page.messages if message.seq > place.seq]
        last = messages[-1].seq if messages else place.seq
        if last >= page.position.seq:
            messages += tail.behind(Place(place.epoch, last))
        if not messages:
            return place
        self._write(encode_messages(self._client.encoding, place.epoch, messages))
        return Place(place.epoch, messages[-1].seq)

    def _write(self, frames: bytes) -> None:
        if frames:
            self._client.write(frames)


def _from(place: Place, position: Position) -> tuple[Resumed, Place]:
    """What to tell one who is at *place*, and from where it goes on."""
    epoch, oldest, to = position.epoch, position.oldest, position.seq
    if epoch != place.epoch or to < place.seq:
        start = max(oldest, to - NEWEST + 1) - 1
        return Resumed(False, "epoch", epoch=epoch, to=to), Place(epoch, start)
    if oldest > place.seq + 1:
        return Resumed(False, "trimmed", oldest=oldest, to=to), Place(epoch, oldest - 1)
    return Resumed(True, first=place.seq + 1, to=to), place
