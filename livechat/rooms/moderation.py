"""
Moderation: restricting people and pardoning them, and changing the settings of rooms.

An act is in force at this process, and recorded in the audit, before it is answered; at other
processes within a second.  Moderators cannot restrict each other, nor undo acts done by the right
``manage``; managers can.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from livechat.errors import ChatError, Kind
from livechat.identity.actor import Actor
from livechat.identity.known import checked_id
from livechat.identity.rights import EVERYWHERE
from livechat.protocol.actions import ChangeRoom, Pardon, Restrict
from livechat.protocol.audit import Action as Recorded
from livechat.protocol.messages import User
from livechat.protocol.moderation import ByRight, Notice, Restriction
from livechat.protocol.names import is_pattern, room_name
from livechat.protocol.settings import MODERATED
from livechat.protocol.v1 import Ack
from livechat.rooms.audit import Audit, author_of
from livechat.rooms.cases import Cases
from livechat.rooms.overview import Overview
from livechat.rooms.presence import Presence
from livechat.rooms.removal import Removal
from livechat.rooms.rules import Rules
from livechat.rooms.standing import Standings
from livechat.system.time import Time

#: Seconds to wait for a process that knows the person's address, and between two looks.
ADDRESS_WITHIN: Final = 1.0
_LOOK_EVERY: Final = 0.05
#: Seconds within which all processes know of a restriction.
KNOWN_WITHIN: Final = 1.0
#: The most rooms that are searched for a person's messages: those with the latest messages.
MOST_ROOMS: Final = 1_000


class Moderation:
    """Restricts people, pardons them, and changes settings."""

    def __init__(
        self,
        rules: Rules,
        standings: Standings,
        audit: Audit,
        removal: Removal,
        *,
        overview: Overview,
        presence: Presence,
        cases: Cases,
        time: Time,
    ) -> None:
        """
        @param overview: finds the rooms in which a person may have spoken.
        @param presence: knows people by name.
        """
        self._removal = removal
        self._cases = cases
        self._overview = overview
        self._policy = rules.policy
        self._settings = rules.settings
        self._restrictions = rules.restrictions
        self._standings = standings
        self._audit = audit
        self._presence = presence
        self._time = time

    def restrict(self, actor: Actor, room: str, action: Restrict) -> Deferred[Ack]:
        """
        Restrict a person.  Fires once that is in force here, and recorded.

        @raise ChatError: at once, if *actor* may not.
        """
        where = EVERYWHERE if action.everywhere else room
        by = self._right(actor, where)
        user = self._user(room, action.user, guest=action.guest)
        if action.retract is not None:
            self._policy.require(actor, where, "moderate")
        self._check_target(actor, where, user.subject, by)
        self._audit.check()
        now = int(self._time.wall())
        restriction = Restriction(
            action.kind,
            by,
            user,
            author_of(actor),
            now,
            None if action.seconds is None else now + action.seconds,
            action.reason,
            action.address,
        )
        return Deferred.fromCoroutine(self._restrict(actor, where, action, restriction))

    async def _restrict(
        self, actor: Actor, where: str, action: Restrict, restriction: Restriction
    ) -> Ack:
        user = restriction.user
        await self._restrictions.put(where, user.subject, restriction)
        bound = await self._bound(where, restriction) if action.address else None
        recorded = Recorded(
            "restrict",
            user=user,
            kind=action.kind,
            seconds=action.seconds,
            address=bool(bound),
            reason=action.reason or None,
        )
        await self._audit.record(actor, recorded, where)
        if action.kind == "ban":
            await self._cases.close_about(user.subject, None if where == EVERYWHERE else where)
        count = None
        if action.retract is not None:
            since = 1000 * (restriction.made - action.retract)
            count = await self._remove(actor, where, user.subject, since)
        return Ack(
            time=int(1000 * self._time.wall()), nonce=action.nonce, address=bound, count=count
        )

    async def _remove(self, actor: Actor, where: str, subject: str, since: int) -> int:
        """
        Retract the messages of *subject*, and those that other processes accept until they know.

        @return: the number of messages retracted so far.
        """
        until = int(1000 * (self._time.wall() + KNOWN_WITHIN))
        count = 0
        for room in [where] if where != EVERYWHERE else await self._spoken(actor, since):
            removed = self._removal.by_subject(actor, room, subject, since, until=until)
            count += (await removed).count
        return count

    async def _spoken(self, actor: Actor, since: int) -> list[str]:
        """The active rooms with messages since then."""
        found = await self._overview.rooms(actor)
        spoken = [each for each in found if each.newest is not None and each.newest.time >= since]
        spoken.sort(key=lambda each: 0 if each.newest is None else -each.newest.time)
        return [each.name for each in spoken[:MOST_ROOMS]]

    async def _bound(self, where: str, restriction: Restriction) -> bool:
        """Wait until a process has restricted an address of the person; False if none does."""
        subject, until = restriction.user.subject, self._time.seconds() + ADDRESS_WITHIN
        while not self._restrictions.bound(where, subject, restriction.made):
            if self._time.seconds() >= until:
                return False
            await deferLater(self._time, _LOOK_EVERY)
        return True

    def pardon(self, actor: Actor, room: str, action: Pardon) -> Deferred[Ack]:
        """
        End a person's restriction.  Fires as `restrict`.

        @raise ChatError: at once, if *actor* may not, or there is none.
        """
        where = EVERYWHERE if action.everywhere else room
        by = self._right(actor, where)
        user = self._user(room, action.user, guest=action.guest)
        restriction = self._restrictions.get(where, user.subject)
        if restriction is None:
            raise ChatError(Kind.NOT_FOUND, "Nothing is restricted for this person here.")
        self._check_target(actor, where, user.subject, by)
        self._audit.check()
        return Deferred.fromCoroutine(self._pardon(actor, where, action, restriction))

    async def _pardon(
        self, actor: Actor, where: str, action: Pardon, restriction: Restriction
    ) -> Ack:
        await self._restrictions.drop(where, restriction.user.subject)
        recorded = Recorded("pardon", user=restriction.user, kind=restriction.kind)
        await self._audit.record(actor, recorded, where)
        return Ack(time=int(1000 * self._time.wall()), nonce=action.nonce)

    def change(self, actor: Actor, room: str, action: ChangeRoom) -> Deferred[Ack]:
        """
        Change the settings of *room*, or of a pattern of rooms.  Fires as `restrict`.

        @param room: a room; a prefix of rooms with ``*`` behind it; or `EVERYWHERE`.
        @raise ChatError: at once, if *actor* may not.
        """
        given = action.set.given()
        if not given:
            raise ChatError(Kind.BAD_MESSAGE, "Nothing is to be set: 'set' is empty.")
        if is_pattern(room) and room.endswith("*"):
            self._policy.require(actor, EVERYWHERE, "manage")
        elif given.keys() <= MODERATED:
            self._right(actor, room_name(room))
        else:
            self._policy.require(actor, room_name(room), "manage")
        self._audit.check()
        return Deferred.fromCoroutine(self._change(actor, room, action, given))

    async def _change(
        self, actor: Actor, room: str, action: ChangeRoom, given: Mapping[str, Any]
    ) -> Ack:
        await self._settings.change(room, action.set)
        await self._audit.record(actor, Recorded("room", set=dict(given)), room)
        return Ack(time=int(1000 * self._time.wall()), nonce=action.nonce)

    def notice(self, actor: Actor, room: str) -> Notice | None:
        """The restriction that binds *actor* in *room*, in its form for the actor, or None."""
        found = self._policy.restriction(actor, room)
        return None if found is None else Notice(found.kind, found.until, found.reason)

    def listed(self, actor: Actor, room: str | None = None) -> list[tuple[str, Restriction]]:
        """
        The restrictions in force in *room*, those for all rooms included, or every restriction:
        each with its room, the oldest first.

        @raise ChatError: the actor may not see them.
        """
        self._policy.require(actor, EVERYWHERE if room is None else room, "moderate")
        found = [
            (where, each)
            for where, _, each in self._restrictions.items()
            if room is None or where in (room, EVERYWHERE)
        ]
        return sorted(found, key=lambda pair: (pair[1].made, pair[0], pair[1].user.subject))

    def _right(self, actor: Actor, where: str) -> ByRight:
        """The right by which *actor* acts in *where*."""
        if where != EVERYWHERE and "manage" not in self._policy.rights(actor, where):
            self._policy.require(actor, where, "moderate")
            return "moderate"
        self._policy.require(actor, where, "manage")
        return "manage"

    def _user(self, room: str, known_as: str, *, guest: bool) -> User:
        """The person, with the name under which it is known here, if it is."""
        try:
            checked_id(known_as)
        except ValueError as reason:
            raise ChatError(Kind.BAD_MESSAGE, f"This cannot be an id: {reason}.") from None
        user = User(known_as, known_as, verified=not guest)
        known = self._presence.users(room).get(user.subject)
        return user if known is None else known

    def _check_target(self, actor: Actor, where: str, subject: str, by: ByRight) -> None:
        """@raise ChatError: *actor* means itself, or a person out of its reach."""
        if actor.user is not None and actor.user.subject == subject:
            raise ChatError(Kind.BAD_MESSAGE, "You cannot restrict or pardon yourself.")
        if by == "manage":
            return
        restriction = self._restrictions.get(where, subject)
        if restriction is not None and restriction.by == "manage":
            raise ChatError(
                Kind.FORBIDDEN,
                "This person was restricted with the right 'manage', which you lack.",
            )
        for standing in self._standings.of_subject(where, subject):
            if "moderate" in self._policy.rights(standing.actor, standing.room):
                raise ChatError(
                    Kind.FORBIDDEN,
                    "This person moderates here: that needs the right 'manage', which you lack.",
                )
