"""
Renaming of guests, without leaving the room.

A guest has one name in a room: all its connections there follow, at all processes.  The id stays,
and so do restrictions of it.  Earlier messages keep their author's old name.
"""

from __future__ import annotations

from math import ceil
from typing import Final

from msgspec.structs import replace

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.identity.guests import called, checked_name
from livechat.limits.rates import Buckets, Rate
from livechat.protocol.actions import Rename
from livechat.protocol.counts import counted
from livechat.protocol.messages import User
from livechat.protocol.v1 import Ack
from livechat.rooms.policy import Policy
from livechat.rooms.presence import Presence
from livechat.rooms.standing import Standings
from livechat.system.time import Time

#: New names of a guest at this process: five at once, and five a minute.
RENAME_RATE: Final = Rate(per_second=5 / 60, burst=5)


class Renaming:
    """Gives guests other names, by the rules of the door."""

    def __init__(
        self, policy: Policy, presence: Presence, standings: Standings, time: Time
    ) -> None:
        self._policy = policy
        self._presence = presence
        self._standings = standings
        self._time = time
        self._rates = Buckets(RENAME_RATE)
        presence.follow = self._follow

    def rename(self, actor: Actor, room: str, action: Rename) -> Ack:
        """
        Rename *actor* in *room*.  The ack has the name: in place of a reserved one it is made up.

        @raise ChatError: *actor* is no guest with a key, may not send, or is too fast; or the name
            is not allowed.
        """
        user = actor.user
        if actor.kind != "guest":
            raise ChatError(Kind.FORBIDDEN, "Your site says your name; you cannot change it here.")
        if user is None or not (actor.returns or actor.connection):
            raise ChatError(
                Kind.FORBIDDEN, "To take another name, connect with a key of your own, 'client'."
            )
        self._policy.require(actor, room, "send")
        try:
            name = called(checked_name(action.name), user.id)
        except ChatError as reason:
            raise ChatError(Kind.BAD_MESSAGE, reason.detail) from None
        wait = self._rates.admit(user.subject, self._time.seconds())
        if wait:
            raise ChatError(
                Kind.RATE_LIMITED,
                f"Too many names; wait {counted(ceil(wait), 'second')}.",
                retry_after=wait,
            )
        now = int(1000 * self._time.wall())
        self._presence.rename(room, replace(user, name=name), now)
        return Ack(time=now, nonce=action.nonce, name=name)

    def _follow(self, room: str, user: User, told: bool) -> None:
        for standing in tuple(self._standings.of_subject(room, user.subject)):
            standing.renamed(user, tell=not told)
