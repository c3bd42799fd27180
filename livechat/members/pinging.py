"""Pings to members that may be gone: in rounds, many at once, without a timer for each."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IReactorTime

from livechat.limits.deadlines import Deadlines, Rounds
from livechat.members.base import HEARTBEAT
from livechat.net.fast import write_all

#: Seconds between pings, and for an answer or any other sign of life.
PING_EVERY: Final = HEARTBEAT
PONG_WITHIN: Final = 10
#: Seconds by which a ping may come early, so that a turn of the reactor sends many, and idle
#: members do not wake it one by one.
PING_EARLY: Final = 0.25
#: A ping without payload, which is the same for all.
PING: Final = b"\x89\x00"


class Pinged(Protocol):
    """A member that is pinged."""

    wire: Any

    def asked_for_life(self) -> None:
        """Take the next bytes of the peer, whatever they are, for the answer to a ping."""

    def pinged(self, sent: int) -> None:
        """
        Send the rest of a ping.

        @param sent: the bytes that were sent; -1 if the wire was not ready for any.
        """

    def silent(self) -> None:
        """Close: the peer gave no sign of life."""

    def met_a_bug(self) -> None:
        """Log the exception that is being handled; end only this connection."""


class Pings:
    """
    The pings of a process.

    @ivar unanswered: members that were pinged and have not sent anything since.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.unanswered: Deadlines[Pinged] = Deadlines(
            clock, PONG_WITHIN, lambda one: one.silent(), lambda one: one.met_a_bug()
        )
        self._rounds: Rounds[Pinged] = Rounds(clock, PING_EVERY, self.ask, early=PING_EARLY)

    def start(self, member: Pinged) -> None:
        """Ping *member* from now on."""
        self._rounds.start(member)

    def stop(self, member: Pinged) -> None:
        """Ping *member* no more, and wait for no answer.  No-op a second time."""
        self._rounds.stop(member)
        self.unanswered.stop(member)

    def ask(self, members: Sequence[Pinged]) -> None:
        """Ping *members* now."""
        # This comes first, so that a member closed meanwhile has no deadline.
        self.unanswered.start_all(members)
        for member in members:
            member.asked_for_life()
        left = write_all([member.wire for member in members], PING, 0, len(members))
        # Members whose ping has begun come first: the rest of it must be written next.
        for index, sent in sorted(left, key=itemgetter(1), reverse=True):
            member = members[index]
            try:
                member.pinged(sent)
            except Exception:  # noqa: BLE001 - whatever it is, the others are pinged
                member.met_a_bug()
