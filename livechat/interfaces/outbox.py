"""
The interface of entries that wait for receivers outside.  ``tests/outbox_contract.py`` holds
backends to it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct
from twisted.internet.defer import Deferred
from zope.interface import Interface

from livechat.protocol.messages import Page


class Waiting(Struct, frozen=True, gc=False):
    """
    The entries of a room that a receiver has not been told of.

    @ivar told: the number of the newest entry that it has been told of.
    @ivar top: the number of the room's newest entry.
    @ivar since: when the oldest of those that wait was stored, in milliseconds since 1970; None
        if that is not known without reading it.
    @ivar before: the epoch of which the receiver was told last, where the room's numbering has
        begun anew since; empty where it has not, or nobody knows.
    """

    room: str
    epoch: str
    told: int
    top: int
    since: int | None = None
    before: str = ""


class IOutbox(Interface):
    """
    The rooms' own logs, read by receivers outside: nothing is copied, a cursor for each receiver
    and room says how far it has been told.

    Entries that wait are *held* beyond what a history shows: up to `livechat.backends.outbox.MOST`
    of a room, and as many of all rooms together; beyond that the oldest are dropped.  Of internal
    rooms, `livechat.protocol.names.EVENTS_ROOM` is a room here too: it has what has no number in a
    room.

    A receiver that `keep` did not name is refused with ``not_found``, what can be no room's name
    with ``bad_room``, and everything with ``unavailable`` while the store is away.
    """

    def keep(receivers: Collection[str]) -> Deferred[None]:
        """
        Set the receivers.  Once this fires, entries wait for each of *receivers*, and for nobody
        else.  A new receiver is told of entries stored from then on; one that is named no more is
        forgotten with its cursors.  Called once the backend has been started, and again after a
        failure.  Without receivers nothing is kept longer, and storing costs nothing more.

        @param receivers: up to ten names, of up to 64 ASCII letters, digits, hyphens.
        @raise ValueError: these are others.
        """

    def lead() -> Deferred[float]:
        """
        Lead the telling, or go on leading it: fires with the seconds, counted from the call, for
        which no other process leads; 0 if another one does.  Ends when the process stops.
        """

    def waiting(receiver: str, after: str = "", limit: int = 1000) -> Deferred[Sequence[Waiting]]:
        """
        Return rooms that have entries which *receiver* has not been told of: up to *limit*, and
        up to a thousand, of those behind the name *after*, by name.  May name rooms of which
        nothing waits; misses none in which an entry was stored before the call.
        """

    def read(receiver: str, room: str, limit: int) -> Deferred[Page]:
        """
        The oldest entries of *room* that wait for *receiver*, as they are now, as
        `livechat.interfaces.IMessageLog.read`; without any, nothing waits.  Those that were
        dropped are missing: the number of the first entry is above that behind the cursor then.

        @param limit: up to a thousand.
        """

    def pages(receiver: str, limits: Mapping[str, int]) -> Deferred[Mapping[str, Page]]:
        """
        Read several rooms as `read` does, each up to its limit, in one call: a page for each room
        costs little more than its entries then.

        @param limits: by room.
        """

    def advance(receiver: str, told: Mapping[str, tuple[str, int]]) -> Deferred[None]:
        """
        *receiver* has been told of the entries of these rooms (epoch, number) and of those before.
        A cursor never goes back by it; one of another epoch stays.  Survives a process that is
        killed, not always a machine.
        """

    def rewind(receiver: str, since: int) -> Deferred[int]:
        """
        Send *receiver* again the entries stored since the time *since*, in milliseconds, and
        still kept; fires with the number of rooms.  No cursor goes forward by it.
        """

    def erase(room: str, subject: str | None = None, since: int = 0) -> Deferred[int]:
        """
        Empty held messages of *room*, and their edits: what no history shows, no retraction
        finds.  Fires with the number of messages, once no `read` has their words; those leave the
        store as words that were retracted do.  Of `EVENTS_ROOM` all entries are held.

        @param subject: the author (`livechat.protocol.messages.User.subject`); None: everybody.
        @param since: only entries stored since, in milliseconds since 1970, UTC.
        """

    def watch(changed: Callable[[Collection[str]], None]) -> None:
        """
        Call *changed*, at the process that leads, with rooms that have new entries, stored by any
        process, within a fifth of a second.  May miss some: `waiting` misses none.  Called once,
        before the backend is started or after it.
        """
