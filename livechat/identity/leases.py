"""
Leases: how long an identity holds, and how its connections end with it.

A token ends at its time, or when it is revoked; a key when it is dropped.  Each connection with a
token or a key *holds* its lease here:

    `EXPIRING` seconds before the end   its holder is told, and may renew the lease
    at the end                          what it asks for is refused; a key's holder closes
    `GRACE` seconds behind it           its holder closes
    revoked, dropped                    the same, at once, at all processes

Revocations are in a map that all processes share:

    u:ID     the second until which tokens of the user ID count as revoked, by their ``iat``
    j:JTI    0: this one token is revoked

A forgotten user has a pseudonym in place of the id (`livechat.identity.pseudonyms`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from zope.interface import Interface

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.identity.local_key import LOCAL
from livechat.identity.pseudonyms import Pseudonyms, is_pseudonym
from livechat.interfaces import IBackend, ISharedMap
from livechat.protocol.messages import User
from livechat.system.time import Time

#: Seconds before the end of a lease when its holder is told, and after it when the holder closes.
EXPIRING: Final = 60.0
GRACE: Final = 10.0
#: Seconds that another clock may be ahead: tokens younger by so much are revoked too.
SKEW: Final = 30
#: The most revocations.
MOST_REVOKED: Final = 50_000
#: The most bytes of a revocation: a time.
_LARGEST: Final = 32
#: The beginning of the names under which connections with a key are held.
_KEY: Final = "k:"


class IHolder(Interface):
    """A connection that lasts as long as its lease."""

    def expiring() -> None:
        """Tell the client that the lease ends in less than `EXPIRING` seconds."""

    def lapsed(reason: ChatError) -> None:
        """Close: the lease is over."""


class Hold:
    """A connection's lease."""

    __slots__ = ("_actor", "_expiring", "_holder", "_leases", "_timer")

    def __init__(self, leases: Leases, actor: Actor, holder: IHolder) -> None:
        self._leases = leases
        self._holder = holder
        self._take(actor)

    def renew(self, actor: Actor) -> None:
        """Continue with the lease of *actor*."""
        self.end()
        self._take(actor)

    def _take(self, actor: Actor) -> None:
        self._actor = actor
        self._expiring = False
        self._timer: IDelayedCall | None = None
        self._leases.entered(self, actor)
        try:
            self._leases.check_revoked(actor)
        except ChatError as reason:
            self.lapse(reason)
        else:
            self._wait()

    def end(self) -> None:
        """End the hold: the connection is over.  No-op a second time."""
        self._leases.left(self, self._actor)
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _wait(self) -> None:
        """Schedule the next look; a timer does not notice that the time of day is set."""
        self._timer = None
        left = self._leases.left_of(self._actor)
        if left is None:
            return
        by_key = self._actor.lease is not None and self._actor.lease.key is not None
        # A key cannot be renewed, so it ends at once.
        grace = 0.0 if by_key else GRACE
        if left + grace <= 0:
            self.lapse(_ended(self._actor))
            return
        if left <= EXPIRING and not self._expiring and not by_key:
            self._expiring = True
            self._holder.expiring()
        due = left + grace if self._expiring or by_key else left - EXPIRING
        self._timer = self._leases.call_later(due, self._wait)

    def check(self) -> None:
        """Close if the lease is over before its time."""
        try:
            self._leases.check_revoked(self._actor)
        except ChatError as reason:
            self.lapse(reason)

    def lapse(self, reason: ChatError) -> None:
        """Close, for this reason."""
        self.end()
        self._holder.lapsed(reason)


class Leases:
    """The leases held at this process, and the revocations."""

    def __init__(
        self,
        revoked: ISharedMap,
        time: Time,
        lifetime: int,
        keys: ISharedMap | None = None,
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        """
        @param revoked: `revoked_map`.
        @param lifetime: the longest life of a token in seconds, and so that of a revocation.
        @param keys: `livechat.identity.keys.keys_map`: a key missing from it was dropped.
        @param pseudonyms: of users who were forgotten; None if forgetting is not possible.
        """
        self._revoked = revoked
        self._pseudonyms = pseudonyms
        # Tokens of a forgotten user may be revoked.
        self._forgotten = any(is_pseudonym(key) for key, _ in revoked.items())
        self._revoked.watch(self._changed)
        self._keys = keys
        if keys is not None:
            keys.watch(self._keys_changed)
        self._time = time
        self._lifetime = lifetime
        self._held: dict[str, set[Hold]] = {}
        self.call_later = time.callLater

    def hold(self, actor: Actor, holder: IHolder) -> Hold | None:
        """
        Tie *holder* to the lease of *actor*; None if that has none.

        May call *holder* at once.
        """
        return None if actor.lease is None else Hold(self, actor, holder)

    def left_of(self, actor: Actor) -> float | None:
        """The seconds until the lease ends by itself; None if it does not."""
        lease = actor.lease
        return None if lease is None or lease.ends is None else lease.ends - self._time.wall()

    def check(self, actor: Actor) -> None:
        """
        Refuse an actor whose lease is over.

        @raise ChatError: ``token_expired`` or ``token_revoked``.
        """
        left = self.left_of(actor)
        if left is not None and left <= 0:
            raise _ended(actor)
        self.check_revoked(actor)

    def check_revoked(self, actor: Actor) -> None:
        """
        Refuse an actor whose token was revoked, or whose key was dropped.

        @raise ChatError: ``token_revoked``.
        """
        lease = actor.lease
        if lease is None:
            return
        if lease.key is not None:
            if self._was_dropped(lease.key):
                raise _dropped()
            return
        user = actor.user
        before = None if user is None else self._before_user(f"u:{user.id}")
        if before is not None and lease.issued <= before + SKEW:
            raise _revoked()
        if lease.token is not None and self._before(f"j:{lease.token}") is not None:
            raise _revoked()

    def _was_dropped(self, key: str) -> bool:
        return self._keys is not None and key != LOCAL and self._keys.get(key) is None

    def _before(self, key: str) -> int | None:
        value = self._revoked.get(key)
        return None if value is None else msgspec.json.decode(value, type=int)

    def _before_user(self, subject: str) -> int | None:
        found = self._before(subject)
        if found is None and self._forgotten and self._pseudonyms is not None:
            pseudonym = self._pseudonyms.of(subject)
            return None if pseudonym is None else self._before(pseudonym)
        return found

    async def forget(self, subject: str, pseudonym: User) -> None:
        """
        Replace *subject*, whose tokens may be revoked, by *pseudonym*.

        @raise ChatError: as `livechat.interfaces.ISharedMap.put`.
        """
        value = self._revoked.get(subject)
        if value is not None:
            until = int(self._time.wall()) + self._lifetime + SKEW
            await self._revoked.put(pseudonym.subject, value, until)
            await self._revoked.drop(subject)

    def revoke_user(self, user: str) -> Deferred[bool]:
        """
        Refuse all tokens of the user with this id that were issued until now, and for `SKEW`
        seconds more.  In force here when it fires, everywhere within a second.

        @raise ChatError: as `livechat.interfaces.ISharedMap.put`.
        """
        return self._revoke(f"u:{user}", int(self._time.wall()))

    def revoke_token(self, token: str) -> Deferred[bool]:
        """Refuse the token with this id, as `revoke_user` does all of a user."""
        return self._revoke(f"j:{token}", 0)

    def _revoke(self, key: str, value: int) -> Deferred[bool]:
        until = int(self._time.wall()) + self._lifetime + SKEW
        return self._revoked.put(key, msgspec.json.encode(value), until)

    def drop_key(self, key: str, reason: ChatError) -> None:
        """Close all connections with the key of this id."""
        for hold in tuple(self._held.get(f"{_KEY}{key}", ())):
            hold.lapse(reason)

    def _keys_changed(self, keys: Collection[str]) -> None:
        held = (name[len(_KEY) :] for name in tuple(self._held) if name.startswith(_KEY))
        for key in tuple(keys or held):
            if self._was_dropped(key):
                self.drop_key(key, _dropped())

    def _changed(self, keys: Collection[str]) -> None:
        if not self._forgotten:
            known = keys or [key for key, _ in self._revoked.items()]
            self._forgotten = any(map(is_pseudonym, known))
        for key in keys or tuple(self._held):
            for hold in tuple(self._held.get(key, ())):
                hold.check()

    def entered(self, hold: Hold, actor: Actor) -> None:
        """Count *hold* in."""
        for name in _names(actor):
            self._held.setdefault(name, set()).add(hold)

    def left(self, hold: Hold, actor: Actor) -> None:
        """Count *hold* out.  No-op a second time."""
        for name in _names(actor):
            held = self._held.get(name, set())
            held.discard(hold)
            if not held:
                self._held.pop(name, None)


def revoked_map(backend: IBackend) -> ISharedMap:
    """The map of revocations."""
    return backend.shared_map("revoked", most=MOST_REVOKED, largest=_LARGEST)


def _names(actor: Actor) -> list[str]:
    """The names of user, token and key by which a lease may end."""
    lease = actor.lease
    assert lease is not None
    names = [] if actor.user is None else [f"u:{actor.user.id}"]
    if lease.token is not None:
        names.append(f"j:{lease.token}")
    if lease.key is not None:
        names.append(f"{_KEY}{lease.key}")
    return names


def _expired() -> ChatError:
    return ChatError(Kind.TOKEN_EXPIRED, "Your token has expired; get a new one.")


def _ended(actor: Actor) -> ChatError:
    return _expired() if actor.lease is None or actor.lease.key is None else _dropped()


def _dropped() -> ChatError:
    return ChatError(Kind.TOKEN_REVOKED, "The key of this connection was dropped, or has ended.")


def _revoked() -> ChatError:
    return ChatError(Kind.TOKEN_REVOKED, "Your token was revoked.")
