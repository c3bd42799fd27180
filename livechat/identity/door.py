"""
The door for clients: makes an `Actor` from a client's credentials, or else from its own claims.

These are asked in this order: the client's key or token, the authenticators of extensions, the site
if it is asked about joins, and last the client's own claim, by which it is a guest.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from twisted.internet.defer import Deferred

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor, Lease
from livechat.identity.authentication import Authentication
from livechat.identity.guests import passer_by, regular
from livechat.identity.keys import PREFIX, Keys
from livechat.identity.known import Known, known
from livechat.identity.leases import Leases
from livechat.identity.site_sessions import Joining, SiteSessions
from livechat.identity.tokens import Tokens
from livechat.interfaces import Credentials, Identity
from livechat.limits.source import Source
from livechat.protocol.looks import is_reserved
from livechat.protocol.messages import User
from livechat.system.time import Time

#: Random bytes of a connection's name.
_NAME_BYTES: Final = 9
#: Headers that browsers send, and back ends do not.
_BY_BROWSERS: Final = frozenset({"origin", "sec-fetch-site"})


class Claim(Struct, frozen=True):
    """
    The identity that a client claims, with the credentials that it brings.

    @ivar name: the display name; checked (`livechat.identity.guests`).
    @ivar key: the key that makes it the same user each time; checked.
    @ivar headers: its request's, all values by lower-case name.
    @ivar proxied: whether a trusted proxy passes the request on.
    @ivar credential: its token or its key, as it was sent.
    @ivar here: whether it comes from this machine, and not through a proxy.
    @ivar user: the user that a key acts for.
    @ivar room: the room that it wants to join.
    @ivar ours: the request's page may use the visitor's cookies.
    """

    name: str | None = None
    key: str | None = None
    headers: Mapping[str, tuple[str, ...]] = {}
    proxied: bool = False
    credential: str | None = None
    here: bool = False
    user: Identity | None = None
    room: str | None = None
    ours: bool = False

    @property
    def by_key(self) -> bool:
        """True for a key, or a credential that looks like one."""
        return self.credential is not None and self.credential.startswith(PREFIX)


class Door:
    """Makes actors of clients."""

    def __init__(
        self,
        secret: Callable[[], Deferred[bytes]],
        tokens: Tokens,
        leases: Leases,
        authentication: Authentication | None = None,
        *,
        keys: Keys,
        time: Time,
        sessions: SiteSessions | None = None,
    ) -> None:
        """
        @param secret: reads the secret of these rooms
            (`livechat.interfaces.IProcessRegistry.secret`).
        @param authentication: the authenticators of extensions.
        @param keys: the keys of back ends.
        @param sessions: asks the site about clients that join; None: it is not asked.
        """
        self._secret = secret
        self._tokens = tokens
        self._leases = leases
        self._authentication = authentication
        self._keys = keys
        self._time = time
        self._sessions = sessions

    async def member(self, source: Source, claim: Claim) -> Actor:
        """
        Make the actor of a member: its connection has a name, and it always has a user.

        @raise ChatError: it is turned away; or what is known of it cannot be read.
        """
        await self._mark(source)
        connection = secrets.token_urlsafe(_NAME_BYTES)
        asks = self._sessions is not None and claim.room is not None
        actor = await self._known(source, claim, connection, asks=asks)
        actor = actor or await self._guest(source, claim, connection, connection)
        return await self._asked(actor, claim) if asks else actor

    async def _asked(self, actor: Actor, claim: Claim) -> Actor:
        """
        Ask the site about *actor*, which may turn out to be one of its users.

        @raise ChatError: it is turned away.
        """
        assert self._sessions is not None
        joining = Joining(claim.room or "", claim.headers, claim.ours, claim.credential)
        found = await self._sessions.known(actor, joining)
        if found is not None:
            return self._admitted(_user(actor.source, found, actor.connection))
        if actor.kind == "guest" and claim.credential is not None and self._tokens.strict:
            raise _unknown()
        return actor

    async def caller(self, source: Source, claim: Claim) -> Actor:
        """
        Make the actor of a single request.  It has a user only if it claims one.

        @raise ChatError: it is turned away; or what is known of it cannot be read.
        """
        await self._mark(source)
        actor = await self._known(source, claim, None)
        if actor is not None:
            return actor
        if claim.name is None and claim.key is None:
            return Actor("guest", source)
        return await self._guest(source, claim, secrets.token_urlsafe(_NAME_BYTES), None)

    async def renew(self, actor: Actor, token: str) -> Actor:
        """
        Give *actor*, which came with a token, the lease and the rights of another token.

        @raise ChatError: that is refused; ``forbidden`` if it is another user's.
        """
        found = await self._tokens.known(token)
        if found is None:
            raise _unknown()
        if (
            actor.kind != "user"
            or actor.user is None
            or actor.lease is None
            or found.user.subject != actor.user.subject
        ):
            raise ChatError(Kind.FORBIDDEN, "This token is another user's: connect anew with it.")
        return self._admitted(
            replace(actor, grants=found.grants, lease=found.lease, rights={}, restricted={}),
        )

    async def _mark(self, source: Source) -> None:
        if source.mark is not None:
            return
        try:
            secret = await self._secret()
        except ChatError:
            # Before the secret is read there are no rooms, and no restrictions in them.
            return
        source.marked(secret)

    async def _known(
        self, source: Source, claim: Claim, connection: str | None, *, asks: bool = False
    ) -> Actor | None:
        """
        Make the actor of a client with credentials; None without any.

        @param asks: the site will be asked, and may know the issuer of a token.
        """
        found = None
        if claim.by_key:
            return self._admitted(self._back_end(source, claim, connection))
        if claim.credential is not None:
            found = await self._tokens.known(claim.credential)
        if found is None and self._authentication is not None:
            asked = Credentials(claim.headers, source.address, claim.proxied)
            found = await self._authentication.user(asked)
        if found is None:
            if claim.credential is not None and self._tokens.strict and not asks:
                raise _unknown()
            return None
        return self._admitted(_user(source, found, connection))

    def _back_end(self, source: Source, claim: Claim, connection: str | None) -> Actor:
        """
        The actor of a key.

        @raise ChatError: there is no such key, a browser brings it, or it may not name users.
        """
        if not _BY_BROWSERS.isdisjoint(claim.headers):
            raise ChatError(
                Kind.FORBIDDEN,
                "A key belongs to a back end: in a page everybody could read it. Drop it, and give "
                "the page tokens (POST /chat/token/).",
            )
        key = self._keys.find(claim.credential or "", here=claim.here)
        record = key.record
        name = f"key-{key.id}" if is_reserved(record.name) else record.name
        actor = Actor(
            "key",
            source,
            # A member always has a user.
            None if connection is None else User(f"!key:{key.id}", name, verified=True),
            returns=True,
            connection=connection,
            grants=key.grants,
            lease=Lease(record.made, record.expires, key=key.id),
            name=record.name,
            rate=record.rate,
            as_users=record.as_users,
        )
        return actor if claim.user is None else self.acting_for(actor, claim.user)

    def acting_for(self, actor: Actor, identity: Identity) -> Actor:
        """
        Make *actor*, a key, act for a user of the site.

        @raise ChatError: it may not, or no user can have this id.
        """
        if not actor.as_users:
            raise ChatError(
                Kind.FORBIDDEN, "This key may not name users: it was made without 'as'."
            )
        try:
            return replace(
                actor, user=known(identity, self._time.wall()).user, rights={}, restricted={}
            )
        except ValueError as reason:
            raise ChatError(Kind.BAD_REQUEST, f"This cannot be a user: {reason}.") from None

    def _admitted(self, actor: Actor) -> Actor:
        self._leases.check(actor)
        return actor

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
        return Actor("guest", source, user, claim.key is not None, connection)


def _user(source: Source, found: Known, connection: str | None) -> Actor:
    return Actor(
        "user",
        source,
        found.user,
        returns=True,
        connection=connection,
        grants=found.grants,
        lease=found.lease,
    )


def _unknown() -> ChatError:
    return ChatError(Kind.UNAUTHORIZED, "Your token is refused: nobody here knows its issuer.")
