"""
The policy: which acts an actor may do in a room.

An actor may do what its rights in the room say (`livechat.identity.rights`), which follow from its
identity, from the room's settings and from its restrictions.  Extensions may refuse more, never
less.  Internal rooms are closed to actors with any rights: the audit itself writes and shows its
room.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import inf
from typing import Any, Final

from msgspec.structs import replace
from twisted.logger import Logger

from livechat.errors import ChatError, Kind, internal
from livechat.identity.actor import Actor
from livechat.identity.rights import Right, Rights, binds, granted, rights
from livechat.interfaces import IPolicy
from livechat.limits.rates import LogLimit, Rate
from livechat.protocol.messages import Draft, Retraction, Throttle
from livechat.protocol.moderation import Restriction
from livechat.protocol.names import is_internal
from livechat.rooms.content import judge
from livechat.rooms.restrictions import Restrictions
from livechat.rooms.settings import SettingsRegistry
from livechat.system.time import Time

#: Seconds between two log lines about broken policies.
LOG_EVERY: Final = 10.0


class Policy:
    """
    The rights of actors, and the policies of extensions.

    Every method returns, or refuses by raising a `ChatError`.
    """

    _log = Logger()

    def __init__(
        self,
        extra: Sequence[IPolicy],
        time: Time,
        settings: SettingsRegistry,
        restrictions: Restrictions,
    ) -> None:
        """
        @param extra: policies of extensions.  They are asked in this order, and only about acts
            that the actor has the right to.
        """
        self._extra = tuple(extra)
        self._time = time
        self._failures = LogLimit(Rate(1 / LOG_EVERY, 1))
        self._settings = settings
        self._restrictions = restrictions

    def rights(self, actor: Actor, room: str) -> Rights:
        """Find the rights of *actor* in *room*, and keep them with the actor."""
        found = actor.rights.get(room)
        if found is None:
            found = self._find(actor, room)
        return found

    def _find(self, actor: Actor, room: str) -> Rights:
        if is_internal(room):
            return actor.rights.setdefault(room, frozenset())
        settings = self._settings.of(room)
        held = rights(actor.kind, actor.grants, room, settings)
        restrictions = self._restrictions.of(actor, room)
        binding = [each for each in restrictions if binds(each, held)] if restrictions else None
        if binding:
            actor.restricted[room] = max(binding, key=_weight)
            held = rights(actor.kind, actor.grants, room, settings, binding)
        else:
            actor.restricted.pop(room, None)
        actor.rights[room] = held
        return held

    def forget(self, actor: Actor, room: str) -> None:
        """Drop the kept rights of *actor* in *room*, since an input of them has changed."""
        actor.rights.pop(room, None)

    def restriction(self, actor: Actor, room: str) -> Restriction | None:
        """The restriction that binds *actor* in *room*: the one that takes away most."""
        self.rights(actor, room)
        return actor.restricted.get(room)

    def paced(self, actor: Actor, draft: Draft) -> Draft:
        """
        Return *draft* with the pace of its room; unchanged if there is none, or if *actor* is
        exempt.
        """
        settings = self._settings.of(draft.room)
        if not (settings.slow or settings.rate) or "moderate" in self.rights(actor, draft.room):
            return draft
        known = actor.user is not None and actor.user.verified
        # A guest can change its key at once, but not its address.
        key = None if known else actor.source.mark
        if key is None:
            key = actor.source.key if actor.user is None else actor.user.subject
        return replace(draft, throttle=Throttle(key, settings.slow, settings.rate))

    def require(self, actor: Actor, room: str, right: Right) -> None:
        """Refuse *actor* unless it has *right* in *room*; extensions are not asked."""
        if right not in self.rights(actor, room):
            if is_internal(room):
                raise ChatError(Kind.FORBIDDEN, "This room is internal.")
            raise self._lacks(actor, room, right)

    def _lacks(self, actor: Actor, room: str, right: Right) -> ChatError:
        """Make the error for an *actor* that lacks *right*."""
        restriction = actor.restricted.get(room)
        if restriction is not None and (restriction.kind == "ban" or right == "send"):
            return restricted(restriction, self._time.wall())
        settings = self._settings.of(room)
        if settings.closed and actor.grants is None:
            return ChatError(Kind.ROOM_CLOSED, "This room is closed.")
        if settings.closed and right in granted(actor.grants or {}, room):
            return ChatError(Kind.ROOM_CLOSED, "This room is closed.")
        kind = Kind.UNAUTHORIZED if actor.kind == "guest" else Kind.FORBIDDEN
        if settings.members and actor.grants is None:
            return ChatError(kind, "Only members may enter this room.")
        if actor.kind == "guest":
            return ChatError(kind, f"Guests lack the right '{right}' here: bring a token.")
        return ChatError(kind, f"This needs the right '{right}' here, which you lack.")

    def join(self, actor: Actor, room: str) -> None:
        """Refuse *actor* unless it may enter or watch *room*."""
        self.require(actor, room, "join")
        for each in self._extra:
            self._ask(each.join, actor, room)

    def read(self, actor: Actor, room: str) -> None:
        """Refuse *actor* unless it may read the history of *room*."""
        self.require(actor, room, "history")
        for each in self._extra:
            self._ask(each.read, actor, room)

    def send(self, actor: Actor, draft: Draft) -> None:
        """Refuse *actor* unless it may send *draft*."""
        self.require(actor, draft.room, "send")
        for each in self._extra:
            self._ask(each.send, actor, draft)

    def edit(self, actor: Actor, draft: Draft) -> None:
        """Refuse *actor* unless it may edit a message of its own so."""
        self.send(actor, draft)
        if self.waits(actor, draft):
            raise ChatError(
                Kind.FORBIDDEN,
                "This edit would have to wait for a review: send it as a new message.",
            )

    def waits(self, actor: Actor, draft: Draft) -> bool:
        """
        Tell whether a message that *actor* may send is held for review.

        @raise ChatError: its words or links are not allowed.
        """
        settings = self._settings.of(draft.room)
        # The restrictions were found together with the right to send.
        if not (
            settings.words
            or settings.hold != "none"
            or settings.links != "allow"
            or actor.restricted
        ) or "moderate" in self.rights(actor, draft.room):
            return False
        restriction = actor.restricted.get(draft.room)
        held = restriction is not None and restriction.kind == "hold"
        guest = actor.kind == "guest"
        return judge(settings, draft.message, guest=guest, held=held) == "hold"

    def retract(self, actor: Actor, retraction: Retraction) -> None:
        """Refuse *actor* unless it may retract messages."""
        self.remove(actor, retraction, "moderate" if retraction.moderates else "send")

    def remove(self, actor: Actor, retraction: Retraction, right: Right) -> None:
        """Refuse *actor* unless it may remove a person's messages, or all; that needs *right*."""
        self.require(actor, retraction.room, right)
        if retraction.moderates:
            for each in self._extra:
                self._ask(each.moderate, actor, retraction)

    def _ask(self, question: Callable[[Actor, Any], object], actor: Actor, about: Any) -> None:
        """
        Ask one extension.  A failure of it is logged, and costs only this call.

        @raise ChatError: it refuses, or does not work.
        """
        try:
            answer = question(actor, about)
        except ChatError:
            raise
        except Exception:  # noqa: BLE001 - other people's code may raise anything
            if (more := self._failures.due(self._time.seconds())) is not None:
                self._log.failure("The policy {policy} failed{more}.", policy=question, more=more)
            raise internal() from None
        if answer is None:
            return
        if (more := self._failures.due(self._time.seconds())) is not None:
            self._log.error(
                "The policy {policy} returned {answer}, not None{more}.",
                policy=question,
                answer=answer,
                more=more,
            )
        raise internal()


def restricted(restriction: Restriction, now: float) -> ChatError:
    """Make the error for an act that *restriction* takes away."""
    banned = restriction.kind == "ban"
    detail = "You are banned" if banned else "You are muted"
    wait = None
    if restriction.until is not None:
        wait = max(0.001, restriction.until - now)
        detail += f" until {datetime.fromtimestamp(restriction.until, UTC):%Y-%m-%d %H:%M} UTC"
    detail += f": {restriction.reason}" if restriction.reason else "."
    return ChatError(
        Kind.BANNED if banned else Kind.MUTED,
        detail,
        retry_after=wait,
        reason=restriction.reason,
    )


def _weight(restriction: Restriction) -> tuple[int, float]:
    until = inf if restriction.until is None else restriction.until
    return ("hold", "mute", "ban").index(restriction.kind), until
