"""
An `Actor` is a client or an operator, asking for something.

It is made once, at the door (a handshake, an HTTP request, an operator's session), and is the
first argument of every method of `livechat.rooms.chat.Chat`.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct
from zope.interface import implementer

from livechat.interfaces import IActor
from livechat.limits.source import Source
from livechat.protocol.messages import User

#: What an actor may do in a room: be there, read what was said before, say something, remove what
#: others said, change everything.
Right = Literal["join", "history", "send", "moderate", "manage"]
Rights = frozenset[Right]

GUESTS_RIGHTS: Final[Rights] = frozenset(("join", "history", "send"))
USERS_RIGHTS: Final = GUESTS_RIGHTS
OPERATORS_RIGHTS: Final[Rights] = GUESTS_RIGHTS | {"moderate", "manage"}
#: Author of messages sent from the admin page: operators share one password, and so one user.
OPERATOR: Final = User("livechat:operator", "Operator", "operator")


@implementer(IActor)
class Actor(Struct, frozen=True):
    """
    A client or an operator: identity, address, rate and rights.

    @ivar kind: how the identity is known: a guest's own word for it, an authenticator's, or an
        operator's session.
    @ivar source: the connection, with its address and its rate.
    @ivar rights: kept here, so that a send costs one look-up.
    @ivar user: as others see it; None where the client gave neither a name nor a key.
    @ivar returns: the user will be the same the next time.
    @ivar connection: the name of the connection of a member; None for a single request.
    """

    kind: Literal["guest", "user", "operator"]
    source: Source
    rights: Rights
    user: User | None = None
    returns: bool = False
    connection: str | None = None

    @property
    def address(self) -> str:
        """An IP address as text."""
        return self.source.address


def operator(source: Source) -> Actor:
    """An operator, in a request of a session of the admin page."""
    return Actor("operator", source, OPERATORS_RIGHTS, OPERATOR, returns=True)
