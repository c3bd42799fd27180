"""
The published boundaries.

What stands here is what a new backend, a new kind of client or a test double
has to keep.  ``tests/contract.py`` holds every backend to `IBackend`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from livechat.errors import ChatError
from livechat.protocol.cluster import Report, Share
from livechat.protocol.encoding import Encoding
from livechat.protocol.messages import Draft, Message, Newest, Page, User


class ISink(Interface):
    """
    Where stored messages go.  The hub is one for the backend, and a watcher of a
    room is one for the hub.
    """

    def deliver(room: str, epoch: str, messages: Sequence[Message]) -> None:
        """
        Take stored messages of *room*.

        Called in the reactor's thread, for each message once, in the order of
        `seq`, and never before the message is stored.  Does not raise and does
        not block.
        """


class ICompany(Interface):
    """Where it goes what other processes say of the people in the rooms."""

    def present(room: str, shares: Sequence[Share]) -> None:
        """
        These are in *room* at the other processes.  Called before a subscription to the
        room fires, if there are any, and whenever that has changed.
        """

    def typing(room: str, user: User) -> None:
        """*user* is writing something in *room*."""


class IBackend(Interface):
    """
    Rooms as streams: numbers messages, stores them and hands them on.

    Every room exists from the start, empty; joining or reading one stores
    nothing.  Every Deferred fails with `livechat.errors.ChatError` where the
    caller is to blame or the store is away, and never fires after `stop`'s has.
    """

    description: str = Attribute("Where the rooms are, for people; no secrets.")

    def start(sink: ISink, census: Callable[[], Report], company: ICompany | None = None) -> None:
        """
        Begin: messages are taken from now on.  While they cannot be stored, all
        calls are answered so, and `trouble` says why.

        @param census: what this process says of itself to the others; it does not raise.
        @param company: who wants to know of the people at other processes, if anybody does.
        """

    def stop() -> Deferred[None]:
        """
        End.  What was handed to `publish` before is stored, delivered and
        answered if that takes a few seconds, and refused if it takes longer.  A
        second call does nothing.
        """

    def subscribe(room: str) -> Deferred[None]:
        """
        From when this fires, `ISink.deliver` gets every message of *room*.

        Called for every member that joins and every watcher, not only for the
        first: each call fires when the room is delivered, and a room that is already costs nothing.
        """

    def unsubscribe(room: str) -> None:
        """The last member or watcher left: *room* need not be delivered any more."""

    def publish(draft: Draft) -> Deferred[Message]:
        """
        Store a message under the next number of its room, then deliver it.

        Messages get their numbers in the order of the calls.  Fires after the
        message is as safe as the backend can make it and the sink has it.

        A draft whose nonce was used in its room within the last ten minutes (or less, where
        there were very many) is not stored again: the Deferred fires with the
        `livechat.protocol.messages.Repeated` message.  If its text is another one now it fails with
        ``nonce_reused``.

        Fails with ``unavailable`` if it was not stored and will not be; with
        ``unknown`` if it may have been; with ``overloaded`` if too much is
        waiting already.
        """

    def read(room: str, after: int, limit: int) -> Deferred[Page]:
        """
        The kept messages with `seq` > *after*, oldest first, without holes.

        At most *limit* of them, and fewer where they are long, so that a page
        stays small; but at least one where there is one and *limit* is not 0.
        Sees every message whose `publish` has fired.
        """

    def newest(rooms: Sequence[str]) -> Deferred[Mapping[str, Newest]]:
        """
        What was said last in each of *rooms*, which may be ten thousand; those in
        which nothing ever was are left out.
        """

    def share(room: str, share: Share) -> None:
        """
        Tell the other processes who is in *room* here, from now on.  It may take them a few
        seconds to notice, and longer while they cannot be reached.  When this process is
        killed they forget it within 20 seconds; when it stops, after ten.
        """

    def typing(room: str, user: User) -> None:
        """Tell the other processes, if they can be reached."""

    def secret() -> Deferred[bytes]:
        """
        Random bytes that all processes of these rooms have, and nobody else; they stay the
        same as long as the rooms do.

        Fails with ``unavailable`` while they cannot be read.
        """

    def reports() -> Deferred[Sequence[Report]]:
        """
        What the processes that serve these rooms say of themselves: this one now, the others
        a few seconds ago.  One that was killed says nothing any more after 15 seconds.

        Never fails: of others that cannot be asked there is just nothing.
        """

    def shelf(name: str) -> IShelf | None:
        """The document of this name; None where this process is the only one."""

    def trouble() -> str | None:
        """Why messages cannot be stored just now, in a few words; None if they can."""


class IShelf(Interface):
    """
    A small document that all processes have, and any of them may replace.

    Every Deferred fails with `livechat.errors.ChatError` while it cannot be reached.
    """

    def read() -> Deferred[bytes]:
        """What it is; empty if nobody has put anything there."""

    def replace(before: bytes, after: bytes) -> Deferred[bool]:
        """
        Put *after* there if *before* is there still; fires with whether that is so.

        What has failed may have happened.
        """

    def watch(changed: Callable[[], None]) -> None:
        """
        Call *changed* whenever some process has replaced it, and when it can be reached again;
        seldom too often.
        """


class IMember(Interface):
    """A connection that a room's messages are written to."""

    encoding: Encoding = Attribute("In which form it gets them.")

    def write(frames: bytes) -> None:
        """
        Send whole frames of its encoding, in the order of the calls.

        Does not block and is bounded: a member that does not read is closed.
        """

    def turn_away(error: ChatError) -> None:
        """Close, for this reason.  The member leaves its rooms."""

    def abort() -> None:
        """
        Cut the connection, which is of no use any more.  The member leaves its
        rooms by the way that it would if its peer had gone.
        """


class IClient(IMember):
    """The connection of a `livechat.members.session.Session`."""

    def write_soon(frames: bytes) -> None:
        """
        As `write`, but at the end of this turn of the reactor at the latest: with what a
        room writes in it, if that comes before.
        """

    def drained() -> Deferred[None]:
        """Fires when what was written has gone out, or never will."""

    def flooded(reason: str) -> None:
        """Close at once with 1008; nothing that it sent any more is looked at."""
