"""The connections that a room's entries are written to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from livechat.errors import ChatError
from livechat.protocol.encoding import Encoding

#: A function that writes the same bytes to many wires: `livechat.net._slow.write_all`.
WriteAll = Callable[[list[Any], bytes, int, int], list[tuple[int, int]]]


class IMember(Interface):
    """A connection that a room's entries are written to."""

    encoding: Encoding = Attribute("The form in which it gets entries.")
    wire: object = Attribute("`WriteAll` writes to it; any other kind of object is passed over.")
    trace: Any = Attribute("Its `livechat.rooms.tracing.MemberTrace`; None while nobody traces it.")

    def write(frames: bytes) -> None:
        """
        Send whole frames of its encoding, in the order of the calls.

        Does not block and is bounded: a member that does not read is closed.
        """

    def went(frames: bytes, sent: int) -> None:
        """
        Send the rest of *frames*, which were written to the wire.

        @param sent: the bytes that were sent; -1 if the wire was not ready for any.
        """

    def turn_away(error: ChatError) -> None:
        """Close, for this reason.  The member leaves its rooms."""

    def abort() -> None:
        """
        Cut the connection, which is of no use any more.  The member leaves its
        rooms by the way that it would if its peer had gone.
        """


class IClient(IMember):
    """The connection of a session (`livechat.members.base`)."""

    def write_soon(frames: bytes) -> None:
        """
        Write at the end of this turn of the reactor at the latest: with what a
        room writes in it, if that comes before.
        """

    def drained() -> Deferred[None]:
        """Return a Deferred that fires when all writes have gone out, or never will."""

    def flooded(reason: str) -> None:
        """Close at once with 1008; frames that it has sent are dropped."""
