"""
One outbox for all that tell receivers: webhooks, and subscribers of extensions.

Each part names its own receivers.  The store is told of those of all parts, since it forgets any
receiver that it is not told of.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from twisted.internet.defer import Deferred
from zope.interface import implementer

from livechat.interfaces import IOutbox, Waiting
from livechat.protocol.messages import Page


@implementer(IOutbox)
class SharedOutbox:
    """An outbox that several keep, lead and watch."""

    def __init__(self, outbox: IOutbox, receivers: Collection[str]) -> None:
        """
        @param receivers: the names of all receivers.
        """
        self._outbox = outbox
        self._receivers = frozenset(receivers)
        self._watchers: list[Callable[[Collection[str]], None]] = []

    def keep(self, receivers: Collection[str]) -> Deferred[None]:
        return self._outbox.keep(self._receivers | frozenset(receivers))

    def lead(self) -> Deferred[float]:
        return self._outbox.lead()

    def waiting(
        self, receiver: str, after: str = "", limit: int = 1000
    ) -> Deferred[Sequence[Waiting]]:
        return self._outbox.waiting(receiver, after, limit)

    def read(self, receiver: str, room: str, limit: int) -> Deferred[Page]:
        return self._outbox.read(receiver, room, limit)

    def pages(self, receiver: str, limits: Mapping[str, int]) -> Deferred[Mapping[str, Page]]:
        return self._outbox.pages(receiver, limits)

    def advance(self, receiver: str, told: Mapping[str, tuple[str, int]]) -> Deferred[None]:
        return self._outbox.advance(receiver, told)

    def rewind(self, receiver: str, since: int) -> Deferred[int]:
        return self._outbox.rewind(receiver, since)

    def erase(self, room: str, subject: str | None = None, since: int = 0) -> Deferred[int]:
        return self._outbox.erase(room, subject, since)

    def watch(self, changed: Callable[[Collection[str]], None]) -> None:
        if not self._watchers:
            self._outbox.watch(self._changed)
        self._watchers.append(changed)

    def _changed(self, rooms: Collection[str]) -> None:
        for watcher in self._watchers:
            watcher(rooms)
