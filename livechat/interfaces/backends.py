"""
The interfaces of a backend and of its receivers.  ``tests/contract.py`` holds backends to them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import EllipsisType
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from livechat.interfaces.outbox import IOutbox
from livechat.protocol.cluster import Report, Share
from livechat.protocol.messages import (
    Amendment,
    Draft,
    Entry,
    Newest,
    Page,
    User,
)


class ISink(Interface):
    """
    Takes stored entries.  The hub is one for the backend, and a watcher of a room for the hub.
    """

    def deliver(room: str, epoch: str, entries: Sequence[Entry]) -> None:
        """
        Take stored entries of *room*.

        Called in the reactor's thread, for each entry once, in the order of `seq`, and never
        before the entry is stored.  Does not raise and does not block.
        """


#: Called with new entries of a room.
Record = Callable[[str, Sequence[Entry]], None]


class IReceiver(Interface):
    """
    Waits for a message, an edit or a retraction (`IMessageLog`).

    Told once, in the reactor's thread; perhaps before the call that it was given to returns.
    If it raises, that is logged, and nobody else notices.
    """

    def stored(result: Any) -> None:
        """The `Message` or `Amended` is as safe as the backend can make it, and the sink has it."""

    def not_stored(reason: Exception) -> None:
        """The act is refused, by a `livechat.errors.ChatError`; any other exception is a bug."""


class IPresenceSink(Interface):
    """Receives what other processes say of the users in the rooms."""

    def present(room: str, shares: Sequence[Share]) -> None:
        """
        Replace the shares of *room* at the other processes.  Called before a subscription to the
        room fires, if there are any, and whenever they have changed.
        """

    def typing(room: str, user: User) -> None:
        """*user* is writing something in *room*."""

    def renamed(room: str, user: User, when: int) -> None:
        """A guest is called otherwise in *room* since *when*, in milliseconds since 1970."""


class IMessageLog(Interface):
    """
    Rooms as streams: numbers entries, stores them and hands them on.

    Every room exists from the start, empty; joining or reading one stores nothing.  A
    `livechat.errors.ChatError` is the failure of every Deferred, and the reason of every refusal,
    where the caller is to blame or the store is away.  Neither a Deferred fires nor a receiver is
    told after `IBackend.stop`'s Deferred has fired.
    """

    def subscribe(room: str) -> Deferred[None]:
        """
        Subscribe to *room*.  Once this fires, `ISink.deliver` gets every entry of it.  Called for
        every member that joins and every watcher: a room that is delivered already costs nothing.
        """

    def unsubscribe(room: str) -> None:
        """The last member or watcher left: *room* need not be delivered any more."""

    def publish(draft: Draft, receiver: IReceiver) -> None:
        """
        Store a message under the next number of its room, deliver it, and tell *receiver*.

        Messages get their numbers in the order of the calls.

        A draft whose nonce was used in its room within the last ten minutes (or less, where
        there were very many) is not stored again: the receiver is told of the
        `livechat.protocol.messages.Repeated` message.  If its text or its data are others now, or
        the nonce was used for an amendment, it is refused with ``nonce_reused``.

        It is refused with ``slow_mode`` if its `livechat.protocol.messages.Throttle` does not let
        it through now: the pace is counted here, for all processes, and a refused draft does not
        count.  It is refused with ``unavailable`` if it was not stored and will not be; with
        ``unknown`` if it may have been; with ``overloaded`` if too much is waiting already.
        """

    def amend(amendment: Amendment, receiver: IReceiver) -> None:
        """
        Edit or retract messages, and store the event of it under the next number, all or
        nothing; then deliver the event, and tell *receiver* of the `Amended`.  Numbers, order,
        nonces and refusals as `publish`.

        A message that is edited keeps its number, time and author.  The event of an edit before
        becomes `livechat.protocol.messages.Gone`, so that old words are nowhere.  Messages that
        are retracted, and the events of their edits, become `Gone`.  From when the receiver is
        told no `read` at any process shows what was retracted; within 60 seconds the words are
        nowhere in the store any more.

        A `livechat.protocol.messages.Redaction` stores a `Gone` as its event.  It reaches entries
        that no history shows any more (`IArchive.read`), too.

        It is refused with ``not_found`` if there is no such message any more; of several numbers
        those of no message are passed over, if one is.  It is refused with ``forbidden`` if a
        message is another's, with ``too_late`` or ``too_many_edits``
        (`livechat.backends.amending`).
        """

    def read(room: str, after: int, limit: int) -> Deferred[Page]:
        """
        The kept entries with `seq` > *after*, oldest first, without holes, as they are now.

        At most *limit* of them, and fewer where they are long, so that a page stays small; but at
        least one where there is one and *limit* is not 0.  Sees all of which receivers were told.
        """

    def retain(of: Callable[[str], tuple[int, int]]) -> None:
        """
        Keep less of some rooms.  Called again whenever that may have changed.

        @param of: finds for a room how many entries it keeps, and for how many seconds; 0 for
            what the server keeps, which no room exceeds.  May be called in any thread.
        """

    def newest(rooms: Sequence[str]) -> Deferred[Mapping[str, Newest]]:
        """Find the newest entries of up to ten thousand rooms; rooms without any are left out."""


class IPresenceRelay(Interface):
    """Tells the other processes of the users at this one."""

    def share(room: str, share: Share) -> None:
        """
        Tell the other processes this one's share of *room*, within seconds if they can be reached.
        They forget it within 20 seconds if this process is killed, after ten if it stops.
        """

    def typing(room: str, user: User) -> None:
        """Tell the other processes that *user* is writing, if they can be reached."""

    def renamed(room: str, user: User, when: int) -> None:
        """Tell the other processes of `IPresenceSink.renamed`, if they can be reached."""


class IProcessRegistry(Interface):
    """The processes that serve the same rooms."""

    def reports() -> Deferred[Sequence[Report]]:
        """
        Collect the reports of all processes: this one's of now, others' of a few seconds ago.
        Never fails: processes that cannot be asked, or were killed 15 seconds ago, are left out.
        """

    def secret() -> Deferred[bytes]:
        """
        Return random bytes that all processes of these rooms have, and nobody else.  They stay
        as long as the rooms do.  Fails with ``unavailable`` while they cannot be read.
        """


class ISharedMap(Interface):
    """
    A small map of which every process holds a whole copy in memory.

    Keys are text of 1 to 256 characters, values JSON as bytes.  A change is in force within a
    second everywhere.  A process that is cut off (`IBackend.trouble`) keeps its copy.  A store
    that has lost the map gets it back from a copy, and never empties a copy.
    """

    def get(key: str) -> bytes | None:
        """Return the value of *key*; None if there is none, or its time is over."""

    def items() -> Sequence[tuple[str, bytes]]:
        """Return all keys with their values, in no order."""

    def put(
        key: str,
        value: bytes,
        until: int | None = None,
        *,
        expect: bytes | EllipsisType | None = ...,
    ) -> Deferred[bool]:
        """
        Set the value of *key*, at all processes.  Fires with True once it is stored, and in
        force here.

        @param until: the second since 1970 with which it ends; None: never.
        @param expect: compare and set: the value that *key* must have, None for no value.
            Otherwise nothing is changed, and the Deferred fires with False.

        Fails with ``unavailable`` if nothing was changed; with ``unknown`` if it may have
        been, and is in force here if `get` says so; with ``overloaded`` if the map is full,
        from which nothing is dropped.  Raises ValueError if the key or the value is too long.
        """

    def drop(key: str) -> Deferred[None]:
        """Remove *key*, at all processes; no-op if it has no value.  Fails as `put`."""

    def catch_up() -> Deferred[None]:
        """
        Fires once this copy has every change that was stored before the call, at any process;
        fails with ``unavailable`` if that cannot be found out.
        """

    def watch(changed: Callable[[Collection[str]], None]) -> None:
        """
        Call *changed* with the keys that have changed, and with none when the map can be changed
        again after it could not.  May fire spuriously.  The end of a value is no change.
        """


class IArchive(Interface):
    """All stored entries, room by room: to find those of a person in every room."""

    def rooms(cursor: str) -> Deferred[tuple[Sequence[str], str]]:
        """
        Find some of the rooms that have entries, internal ones among them, in no order.

        @param cursor: "" at the beginning; then as the call before has told it.
        @return: the names, and the next cursor; "" when these are the last.  A room that has
            entries all the while is named at least once.
        """

    def read(room: str, after: int, limit: int) -> Deferred[Page]:
        """
        Read like `IMessageLog.read`, with entries that no history shows any more, and that are not
        removed yet.  Some of these hidden entries may be missing at the beginning.
        """


class IBackend(Interface):
    """The place of the rooms: a log of messages, the other processes, and what all of them know."""

    description: str = Attribute("Where the rooms are, for people; no secrets.")
    messages: IMessageLog = Attribute("The rooms' messages.")
    presence: IPresenceRelay = Attribute("Tells other processes of the users here.")
    processes: IProcessRegistry = Attribute("The processes that serve the same rooms.")
    archive: IArchive | None = Attribute("All that is stored; None: nobody can look through it.")
    outbox: IOutbox | None = Attribute("What receivers outside wait for; None: it has none.")

    def shared_map(name: str, *, most: int, largest: int) -> ISharedMap:
        """
        Return the map of this name; may be called before `start`.

        @param name: ASCII letters.
        @param most: keys that it holds.
        @param largest: bytes of a value.
        """

    def start(
        sink: ISink,
        census: Callable[[], Report],
        presence: IPresenceSink | None = None,
        record: Record | None = None,
    ) -> None:
        """
        Begin: messages are taken from now on.  While they cannot be stored, all calls are
        answered so, and `trouble` says why.

        @param census: makes the report of this process; does not raise.
        @param presence: told of the users at other processes, if anybody is.
        @param record: told of a room's entries that were stored from this process, delivered or
            not: of each once, in order, after the sink and before the receiver; does not raise.
        """

    def stop() -> Deferred[None]:
        """
        End.  Messages that were published before are stored, delivered and answered if that
        takes a few seconds, and refused if it takes longer.  A second call does nothing.
        """

    def trouble() -> str | None:
        """The reason why messages cannot be stored just now, in a few words; None if they can."""
