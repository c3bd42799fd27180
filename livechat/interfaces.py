"""
The published boundaries.

What stands here is what a new backend, a new kind of client or a test double
has to keep.  ``tests/contract.py`` holds every backend to `IBackend`.  From `IExtension`
on it is what other people's code may add; docs/extending.md shows how.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from livechat.errors import ChatError, Kind
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


class IExtension(Interface):
    """
    Other people's code in a livechat, found as a plugin of Twisted or by ``--extension``.

    The methods are called while the daemon starts, once in each process.  Each may return None,
    or nothing in it; `livechat.extensions.ExtensionBase` does so.  Whatever a method raises stops
    the start: a `livechat.errors.StartError` says why in its own words.
    """

    def authenticator(config: Any) -> IAuthenticator | None:
        """
        Knows clients again.  Several are asked in the order of their extensions.

        @param config: the options, a `livechat.config.Config`.
        """

    def policy(config: Any) -> IPolicy | None:
        """Refuses more than livechat does.  Each of several may refuse."""

    def listeners(config: Any) -> Sequence[IListener]:
        """Told of what happens."""

    def resources(chat: Any) -> Mapping[str, Any]:
        """
        Web resources (`twisted.web.resource.IResource`), by the path that each is mounted at.

        @param chat: the rooms, a `livechat.rooms.chat.Chat`.
        """

    def backend(scheme: str, config: Any, reactor: Any) -> IBackend | None:
        """
        A place for rooms, not started yet; None unless *scheme* is known.

        @param scheme: how the URL in ``config.backend`` begins, without the colon.
        """


class Credentials(Struct, frozen=True):
    """
    A client's request, as an authenticator sees it.

    @ivar headers: all values by lower-case name.
    @ivar address: the client's, as far as proxies are trusted.
    @ivar proxied: a trusted proxy (``--trust-proxy``) passed the request on.  Otherwise any
        client may have written any header.
    """

    headers: Mapping[str, tuple[str, ...]]
    address: str
    proxied: bool

    def header(self, name: str) -> str | None:
        """
        The value of a header; None where it is missing.

        @raise ChatError: the header was sent more than once.
        """
        values = self.headers.get(name.lower(), ())
        if len(values) > 1:
            raise ChatError(Kind.BAD_REQUEST, f"The header {name} was sent {len(values)} times.")
        return values[0] if values else None


class Identity(Struct, frozen=True):
    """
    A person whom the site knows.

    @ivar id: never another person's; 1 to 64 characters of ASCII, without blanks, ``!`` and ``:``.
    @ivar name: as shown to others; cleaned, and made up where nothing is left of it.
    """

    id: str
    name: str | None = None


class IAuthenticator(Interface):
    """Tells from a request which person of the site it is from."""

    def authenticate(
        credentials: Credentials,
    ) -> Identity | Awaitable[Identity | None] | None:
        """
        The client's identity; None leaves it to the next authenticator, or makes it a guest.

        Asked for each WebSocket, event stream and ``POST /chat/send/``.  May take
        `livechat.identity.authentication.TIMEOUT` seconds, but must not block.  A `ChatError`
        turns the client away with that error, any other exception with ``internal``.
        """


class IActor(Interface):
    """A client or an operator, as a policy sees them."""

    user: User | None = Attribute("The user that others see; None where nobody said.")
    kind: str = Attribute("``guest``, ``user`` (known to an authenticator) or ``operator``.")
    address: str = Attribute("The IP address, as far as proxies are trusted.")


class IPolicy(Interface):
    """
    Refuses more than livechat does, and never less.

    Each method returns None, or refuses by raising a `ChatError`, which the actor is told.  Any
    other exception, or another result, refuses that one call as ``internal``.  Called in the
    reactor's thread for each such act, so it must not block.
    """

    def join(actor: IActor, room: str) -> None:
        """*actor* is about to enter *room*, or to watch it."""

    def read(actor: IActor, room: str) -> None:
        """*actor* is about to read the history of *room*."""

    def send(actor: IActor, draft: Draft) -> None:
        """*actor* is about to say something; it is neither numbered nor stored yet."""

    def moderate(actor: IActor, room: str) -> None:
        """*actor* is about to change what others said or may do in *room*."""


class IListener(Interface):
    """
    Told of what has happened, in order within a room, after everybody else was.

    Called in the reactor's thread: must not block.  An exception costs only what it was told.
    Beyond `livechat.rooms.listeners.LONGEST` waiting events, events are dropped, and the log
    says so.  Nothing is told again after a restart.
    """

    def stored(room: str, message: Message) -> None:
        """
        *message* was stored, and delivered here.  Told once, by the process that the message was
        sent to, however many processes there are.
        """

    def joined(room: str, user: User) -> None:
        """*user* had no connection of this process in *room*, and has one now."""

    def left(room: str, user: User) -> None:
        """*user* has no connection of this process in *room* any more."""
