"""
The door for clients: makes an `Actor` of what an authenticator says of a client, or else of what
the client says of itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct
from twisted.internet.defer import Deferred

from livechat.identity.actor import GUESTS_RIGHTS, USERS_RIGHTS, Actor
from livechat.identity.authentication import Authentication
from livechat.identity.guests import passer_by, regular
from livechat.interfaces import Credentials
from livechat.limits.source import Source
from livechat.protocol.messages import User

#: Random bytes of a connection's name.
_NAME_BYTES: Final = 9


class Claim(Struct, frozen=True):
    """
    What a client says of itself, and brings.

    @ivar name: the name to be shown by; checked (`livechat.identity.guests`).
    @ivar key: the key by which it is the same user each time; checked.
    @ivar headers: its request's, all values by lower-case name.
    @ivar proxied: whether a trusted proxy passes the request on.
    """

    name: str | None = None
    key: str | None = None
    headers: Mapping[str, tuple[str, ...]] = {}
    proxied: bool = False


class Door:
    """Makes actors of clients."""

    def __init__(
        self,
        secret: Callable[[], Deferred[bytes]],
        authentication: Authentication | None = None,
    ) -> None:
        """
        @param authentication: without one, every client is a guest.
        @param secret: reads the secret of these rooms (`livechat.interfaces.IBackend.secret`).
        """
        self._secret = secret
        self._authentication = authentication

    async def member(self, source: Source, claim: Claim) -> Actor:
        """
        A client that stays: its connection has a name, and it always has a user.

        @raise ChatError: it is turned away; or has a key, and the backend's secret cannot be read.
        """
        connection = secrets.token_urlsafe(_NAME_BYTES)
        user = await self._known(source, claim)
        if user is not None:
            return Actor("user", source, USERS_RIGHTS, user, returns=True, connection=connection)
        return await self._guest(source, claim, connection, connection)

    async def caller(self, source: Source, claim: Claim) -> Actor:
        """
        A client with a single request, and a user only where it claims to be somebody.

        @raise ChatError: it is turned away; or has a key, and the backend's secret cannot be read.
        """
        user = await self._known(source, claim)
        if user is not None:
            return Actor("user", source, USERS_RIGHTS, user, returns=True)
        if claim.name is None and claim.key is None:
            return Actor("guest", source, GUESTS_RIGHTS)
        return await self._guest(source, claim, secrets.token_urlsafe(_NAME_BYTES), None)

    async def _known(self, source: Source, claim: Claim) -> User | None:
        """Ask the authenticators, if there are any."""
        if self._authentication is None:
            return None
        asked = Credentials(claim.headers, source.address, claim.proxied)
        return await self._authentication.user(asked)

    async def _guest(
        self, source: Source, claim: Claim, fresh: str, connection: str | None
    ) -> Actor:
        """
        @param fresh: the id of a guest without a key.
        """
        if claim.key is None:
            user = passer_by(fresh, claim.name)
        else:
            user = regular(await self._secret(), claim.key, claim.name)
        return Actor("guest", source, GUESTS_RIGHTS, user, claim.key is not None, connection)
