"""The interfaces of other people's code; docs/extending.md shows how to use them."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import Any

from zope.interface import Attribute, Interface

from livechat.interfaces.backends import IBackend
from livechat.protocol.credentials import Credentials, Identity
from livechat.protocol.events import Event
from livechat.protocol.messages import Draft, Edited, Message, Retracted, Retraction, User


class IExtension(Interface):
    """
    Other people's code in a livechat, found as a plugin of Twisted or by ``--extension``.

    The methods are called while the daemon starts, once in each process.  Each may return None,
    or nothing in it; `livechat.extensions.ExtensionBase` does so.  Whatever a method raises stops
    the start: a `livechat.errors.StartError` says why in its own words.
    """

    def authenticator(config: Any) -> IAuthenticator | None:
        """
        Make an authenticator, which recognizes clients.  Several are asked in the order of their
        extensions.

        @param config: the options, a `livechat.config.Config`.
        """

    def policy(config: Any) -> IPolicy | None:
        """Refuses more than livechat does.  Each of several may refuse."""

    def listeners(config: Any) -> Sequence[IListener]:
        """Make listeners, which are called after every event."""

    def subscribers(config: Any) -> Sequence[ISubscriber]:
        """Make subscribers, which get every event at least once, whatever process is killed."""

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


class IAuthenticator(Interface):
    """Tells from a request which person of the site it is from."""

    def authenticate(
        credentials: Credentials,
    ) -> Identity | Awaitable[Identity | None] | None:
        """
        The client's identity; None leaves it to the next authenticator, or makes it a guest.

        Asked for each WebSocket, event stream, message and history by HTTP.  May take
        `livechat.identity.authentication.TIMEOUT` seconds, but must not block.  A `ChatError`
        turns the client away with that error, any other exception with ``internal``.
        """


class IActor(Interface):
    """A client or an operator, as a policy sees them."""

    user: User | None = Attribute("The user that others see; None where nobody said.")
    kind: str = Attribute("``guest``, ``user``, ``key`` (a back end) or ``operator``.")
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
        """
        *actor* is about to say something, or to give its message the text and data of *draft*;
        it is neither numbered nor stored yet.
        """

    def moderate(actor: IActor, retraction: Retraction) -> None:
        """
        *actor*, which may do so to anybody's, is about to take messages back.

        A retraction without numbers is of all that its `author` said; without an author, too,
        of all that was said in the room.
        """


class IListener(Interface):
    """
    A listener to events of this process, in order within a room, after everybody else.

    Called in the reactor's thread: must not block.  An exception costs only what it was told.
    Beyond `livechat.rooms.listeners.LONGEST` waiting events, events are dropped, and the log
    says so.  Nothing is told again after a restart.
    """

    def stored(room: str, message: Message) -> None:
        """
        *message* was stored, and delivered here.  Told once, by the process that the message was
        sent to, however many processes there are.
        """

    def amended(room: str, event: Edited | Retracted) -> None:
        """Messages were edited or retracted.  Told as `stored`."""

    def joined(room: str, user: User) -> None:
        """*user* had no connection of this process in *room*, and has one now."""

    def left(room: str, user: User) -> None:
        """
        *user* has no connection of this process in *room* any more.  Told ten seconds later of
        a user who may come back.
        """


class ISubscriber(Interface):
    """
    A subscriber to the events of all rooms.  It gets each at least once, in order within a room,
    after kill -9 too: they come from the rooms' own logs, with a cursor for the subscriber.

    A single process of all calls it, in the reactor's thread: it must not block.
    """

    name: str = Attribute(
        "1 to 40 ASCII letters, digits and hyphens, the same after each start: the cursor's name."
    )
    kinds: Collection[str] | None = Attribute(
        "The kinds of events (`livechat.protocol.events.KINDS`) that are wanted; None: all."
    )

    def events(batch: Sequence[Event]) -> Awaitable[None] | None:
        """
        Events have happened: up to a thousand, in their order.  The cursor moves once what this
        returns has fired; while it has not, nothing more comes.

        Whatever it raises, and `livechat.events.subscriptions.TELL_WITHIN` seconds without an end,
        have the events come again, after a pause that grows.  An event that comes again has the
        ``id`` that it had.
        """
