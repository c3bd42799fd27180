"""
An `Actor` is the identity behind an act: a guest, a user of the site, a back end, an operator.

It is made once, at the door (a handshake, an HTTP request, an operator's session), and is the
first argument of every method of `livechat.rooms.chat.Chat`.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct, field
from zope.interface import implementer

from livechat.identity.rights import ALL_RIGHTS, EVERYWHERE, Grants, Kind, Rights
from livechat.interfaces import IActor
from livechat.limits.source import Source
from livechat.protocol.messages import User
from livechat.protocol.moderation import Restriction

#: The author of messages from the admin page.
OPERATOR: Final = User("!operator", "Operator", "operator")
#: The grants of operators with the shared password, and of the local key.
ALL_GRANTS: Final[Grants] = {EVERYWHERE: ALL_RIGHTS}


class Lease(Struct, frozen=True):
    """
    The time for which an identity holds, and the names by which it can be ended before.

    @ivar issued: when it began, in seconds since 1970.
    @ivar ends: when it ends, in seconds since 1970; None: not by itself.
    @ivar token: the id of its token (RFC 7519, ``jti``), by which that can be revoked.
    @ivar key: the id of its key.
    """

    issued: int = 0
    ends: int | None = None
    token: str | None = None
    key: str | None = None


@implementer(IActor)
class Actor(Struct, frozen=True):
    """
    An identity, with its address, its rate and its rights.

    @ivar kind: how the identity is known: by a guest's own word, a token or an authenticator,
        a key, an operator's session.
    @ivar source: the connection, with its address and its rate.
    @ivar user: as others see it; None if the client gave neither a name nor a key.
    @ivar returns: the user will be the same the next time.
    @ivar connection: the name of the connection of a member; None for a single request.
    @ivar grants: rights by pattern; None if its kind decides.
    @ivar lease: None if the identity cannot end.
    @ivar name: an operator's or a key's, for the audit.
    @ivar rate: acts a second of its key, in place of its address's and its connection's; None
        without a key.
    @ivar as_users: whether it may act for users that it names.
    @ivar rights: the rights that `livechat.rooms.policy` computed, by room.  Kept here, so that a
        send costs one look-up.
    @ivar restricted: the restrictions that bind it, by room; the one that takes away most.
    """

    kind: Kind
    source: Source
    user: User | None = None
    returns: bool = False
    connection: str | None = None
    grants: Grants | None = None
    lease: Lease | None = None
    name: str | None = None
    rate: float | None = None
    as_users: bool = False
    rights: dict[str, Rights] = field(default_factory=dict)
    restricted: dict[str, Restriction] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """An IP address as text."""
        return self.source.address

    @property
    def scope(self) -> str:
        """The name that separates its nonces from others'; "" for an actor that does not last."""
        if self.lease is not None and self.lease.key is not None:
            return f"k:{self.lease.key}"
        if self.user is None or not (self.returns or self.connection is not None):
            return ""
        return self.user.subject if self.user.verified else self.user.id


def operator(source: Source, grants: Grants = ALL_GRANTS, name: str | None = None) -> Actor:
    """
    An operator, in a request of a session of the admin page.

    @param name: None for the one of the shared password.
    """
    return Actor("operator", source, OPERATOR, returns=True, grants=grants, name=name)
