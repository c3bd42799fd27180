"""A feed of one receiver, and an outbox in memory."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from livechat.events.batches import GATHER, GATHER_MANY, Batch
from livechat.events.feed import Feed
from livechat.protocol.events import KINDS, kind_of, make_note
from livechat.protocol.messages import Place, User
from tests.support.outbox import MemoryOutbox
from tests.support.outcomes import result, run


class World:
    """A feed of an outbox in memory."""

    def __init__(self, kinds: Collection[str] = KINDS, **options: Any) -> None:
        self.clock = Clock()
        self.outbox = MemoryOutbox()
        #: Seconds that the process has computed.
        self.cpu = 0.0
        self.feed = Feed(self.outbox, "hook", kinds, self.clock, cpu=lambda: self.cpu, **options)
        self.outbox.watch(lambda _: self.feed.wake())

    def asked(self) -> Deferred[Batch]:
        return Deferred.fromCoroutine(self.feed.batch())

    def batch(self) -> Batch:
        """Pass the time that gathering takes, and return the next batch."""
        asked = self.asked()
        if not asked.called:
            self.clock.advance(GATHER)
        if not asked.called:
            self.clock.advance(GATHER_MANY - GATHER)
        return result(asked)

    def told(self, batch: Batch) -> None:
        run(self.feed.told(batch))

    def take(self) -> list[str]:
        """Return the next batch, shown, and count it as told."""
        batch = self.batch()
        self.told(batch)
        return shown(batch)

    def note(self, kind: str, room: str = "r", after: int = 0) -> None:
        place = Place(f"epoch-{room}", after) if after else None
        self.outbox.store(make_note(kind, room, place, User("1", "Ann")))


def shown(batch: Batch) -> list[str]:
    """Show each event: its room, and its text, its kind, or its kind and number."""
    found = []
    for event in batch.events:
        number, text = getattr(event, "seq", None), getattr(event, "message", None)
        what = (
            text
            if text is not None
            else kind_of(event)
            if number is None
            else f"{kind_of(event)}{number}"
        )
        found.append(f"{getattr(event, 'room', None) or ''} {what}")
    return found
