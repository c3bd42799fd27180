"""
May this actor do that here?

An actor may do what its rights in the room say (`livechat.identity.rights`).  Extensions may
refuse more, never less.
Internal rooms are not open to actors, whatever their rights: the audit writes and shows its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from livechat.errors import ChatError, Kind, internal
from livechat.identity.actor import Actor
from livechat.identity.rights import Guests, Right, Rights, Settings, rights
from livechat.interfaces import IPolicy
from livechat.limits.rates import LogLimit, Rate
from livechat.protocol.messages import Draft, Retraction
from livechat.protocol.names import is_internal

#: Seconds between two lines in the log on policies that do not work.
LOG_EVERY: Final = 10.0


class Policy:
    """
    The rights of actors, and the policies of extensions.

    Every method returns, or refuses by raising a `ChatError`.
    """

    _log = Logger()

    def __init__(
        self, extra: Sequence[IPolicy], clock: IReactorTime, guests: Guests = "on"
    ) -> None:
        """
        @param guests: what they may, in all rooms.
        @param extra: policies of extensions.  They are asked in this order, and only for what
            the actor has the right to.
        """
        self._extra = tuple(extra)
        self._clock = clock
        self._failures = LogLimit(Rate(1 / LOG_EVERY, 1))
        self._settings = Settings(guests)

    def rights(self, actor: Actor, room: str) -> Rights:
        """Find what *actor* may do in *room*, and keep it with the actor."""
        found = actor.rights.get(room)
        if found is None:
            found = rights(actor.kind, actor.grants, room, self._settings)
            actor.rights[room] = found
        return found

    def require(self, actor: Actor, room: str, right: Right) -> None:
        """Refuse *actor* unless it has *right* in *room*; extensions are not asked."""
        if right not in self.rights(actor, room):
            raise _lacks(actor, right)

    def join(self, actor: Actor, room: str) -> None:
        """*actor* is about to enter *room*, or to watch it."""
        _check_room(room)
        self.require(actor, room, "join")
        for each in self._extra:
            self._ask(each.join, actor, room)

    def read(self, actor: Actor, room: str) -> None:
        """*actor* is about to read the history of *room*."""
        _check_room(room)
        self.require(actor, room, "history")
        for each in self._extra:
            self._ask(each.read, actor, room)

    def send(self, actor: Actor, draft: Draft) -> None:
        """*actor* is about to send *draft*, or to edit a message of its own so."""
        _check_room(draft.room)
        self.require(actor, draft.room, "send")
        for each in self._extra:
            self._ask(each.send, actor, draft)

    def retract(self, actor: Actor, retraction: Retraction) -> None:
        """*actor* is about to take messages back."""
        self.remove(actor, retraction, "moderate" if retraction.moderates else "send")

    def remove(self, actor: Actor, retraction: Retraction, right: Right) -> None:
        """*actor* is about to take back all of somebody, or all there is; that needs *right*."""
        _check_room(retraction.room)
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
            if (more := self._failures.due(self._clock.seconds())) is not None:
                self._log.failure("The policy {policy} failed{more}.", policy=question, more=more)
            raise internal() from None
        if answer is None:
            return
        if (more := self._failures.due(self._clock.seconds())) is not None:
            self._log.error(
                "The policy {policy} returned {answer}, not None{more}.",
                policy=question,
                answer=answer,
                more=more,
            )
        raise internal()


def _lacks(actor: Actor, right: Right) -> ChatError:
    if actor.kind == "guest":
        return ChatError(Kind.UNAUTHORIZED, f"Guests lack the right '{right}' here: bring a token.")
    return ChatError(Kind.FORBIDDEN, f"This needs the right '{right}' here, which you lack.")


def _check_room(room: str) -> None:
    if is_internal(room):
        raise ChatError(Kind.FORBIDDEN, "This room is internal.")
