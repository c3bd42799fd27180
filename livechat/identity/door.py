"""The door for clients: makes an `Actor` of what a client says of itself."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from msgspec import Struct
from twisted.internet.defer import Deferred

from livechat.identity.actor import GUESTS_RIGHTS, Actor
from livechat.identity.guests import passer_by, regular
from livechat.limits.source import Source

#: Random bytes of a connection's name.
_NAME_BYTES: Final = 9


class Claim(Struct, frozen=True):
    """
    What a client says of itself; both are checked (`livechat.identity.guests`).

    @ivar name: the name to be shown by.
    @ivar key: the key by which it is the same user each time.
    """

    name: str | None = None
    key: str | None = None


class Door:
    """Makes actors of clients."""

    def __init__(self, secret: Callable[[], Deferred[bytes]]) -> None:
        """
        @param secret: reads the secret of these rooms (`livechat.interfaces.IBackend.secret`).
        """
        self._secret = secret

    async def member(self, source: Source, claim: Claim) -> Actor:
        """
        A client that stays: its connection has a name, and it always has a user.

        @raise ChatError: it has a key, and the backend's secret cannot be read.
        """
        connection = secrets.token_urlsafe(_NAME_BYTES)
        return await self._guest(source, claim, connection, connection)

    async def caller(self, source: Source, claim: Claim) -> Actor:
        """
        A client with a single request, and a user only where it claims to be somebody.

        @raise ChatError: it has a key, and the backend's secret cannot be read.
        """
        if claim.name is None and claim.key is None:
            return Actor("guest", source, GUESTS_RIGHTS)
        return await self._guest(source, claim, secrets.token_urlsafe(_NAME_BYTES), None)

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
