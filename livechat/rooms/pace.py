"""Bounds how often actors act."""

from __future__ import annotations

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.limits.rates import Buckets, Rate
from livechat.system.time import Time


class Pace:
    """
    The rates of addresses, of users of the site and of keys at this process.

    Connections have rates of their own (`livechat.limits.source`), which count first.  Rates of
    addresses count last, so a refused actor takes nothing away from others at its address.  A key
    has one rate, in place of all these.
    """

    def __init__(self, time: Time, *, per_ip: float, per_user: float = 0) -> None:
        """
        @param per_ip: acts a second of an address; 0 is no limit.
        @param per_user: acts a second of a user of the site, over all its connections.
        """
        self._time = time
        self._addresses = Buckets(Rate.of(per_ip))
        self._users = Buckets(Rate.of(per_user))
        self._keys = Buckets(Rate.of(0))

    def spend(self, actor: Actor) -> None:
        """
        Count an act of *actor*.

        @raise ChatError: there were too many.
        """
        now = self._time.seconds()
        if actor.rate is not None and actor.lease is not None:
            wait = self._keys.admit(actor.lease.key or "", now, Rate.of(actor.rate))
        else:
            wait = actor.source.bucket.admit(now)
            if not wait and actor.kind == "user" and actor.user is not None:
                wait = self._users.admit(actor.user.id, now)
            wait = wait or self._addresses.admit(actor.source.key, now)
        if wait:
            raise ChatError(
                Kind.RATE_LIMITED,
                f"Too many messages; wait {wait:.2f} seconds.",
                retry_after=wait,
            )
