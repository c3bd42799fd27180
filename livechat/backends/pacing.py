"""
The pace of rooms: whether a message is let through now, or how long its author has to wait.

Two rules, each in force where a draft's `Throttle` has a number for it:

    slow    after a message of a key, none of the same key for so many seconds
    rate    so many messages a second of the whole room, of which a second's worth may come at
            once: the generic cell rate algorithm, which keeps one time for each room

Redis counts by the same rules (`pacing.lua`).  The clock may be set back.  Then no time that is
kept stays later than one that could be kept now, so nobody waits longer than a rule says.
"""

from __future__ import annotations

from collections.abc import Hashable
from math import ceil
from typing import Final, NamedTuple

from livechat.errors import ChatError, Kind
from livechat.protocol.counts import counted
from livechat.protocol.messages import Throttle

#: Microseconds of a burst: a room may have the messages of a second at once.
BURST: Final = 1_000_000
#: Keys and rooms that are remembered before those that delay no message are removed.
FEW: Final = 1_000


class Spoken(NamedTuple):
    """
    The newest message of a key, in milliseconds since 1970, UTC.

    @ivar time: when it was let through.
    @ivar until: from when it need not be remembered, by the rule of that time.
    """

    time: int
    until: int


class Pacing:
    """
    The pace of rooms, in memory.

    @ivar spoken: by key.
    @ivar due: by room: when all that was let through would be through, had it come evenly; in
        microseconds since 1970, UTC.
    """

    def __init__(self) -> None:
        self.spoken: dict[Hashable, Spoken] = {}
        self.due: dict[str, int] = {}
        self._many = FEW

    def admit(self, room: str, key: Hashable, throttle: Throttle, now: int) -> ChatError | None:
        """
        Count a message; or return why it is refused, which does not count.

        @param key: names the room and the throttle's key.
        @param now: in milliseconds since 1970, UTC, as far as the clock is believed.
        """
        slow = 1000 * throttle.slow
        if slow and (wait := self._last(key, now) + slow - now) > 0:
            return too_soon(wait)
        if throttle.rate:
            begins = max(1000 * now, self._due(room, 1000 * now))
            due = begins + BURST // throttle.rate
            if (left := due - BURST - 1000 * now) > 0:
                return too_many(ceil(left / 1000), throttle.rate)
            self.due[room] = due
        if slow:
            self.spoken[key] = Spoken(now, now + slow)
        if len(self.spoken) + len(self.due) > self._many:
            self.forget_over(now)
        return None

    def _last(self, key: Hashable, now: int) -> int:
        """The time when the newest message of *key* was let through; 0 if none is known."""
        last = self.spoken.get(key)
        if last is None:
            return 0
        if last.time > now:
            self.spoken[key] = last = Spoken(now, now + last.until - last.time)
        return last.time

    def _due(self, room: str, now: int) -> int:
        due = self.due.get(room, 0)
        if due > now + BURST:
            self.due[room] = due = now + BURST
        return due

    def forget_over(self, now: int) -> None:
        """Forget what holds nobody up any more."""
        self.spoken = {key: each for key, each in self.spoken.items() if each.until > now}
        self.due = {room: due for room, due in self.due.items() if due > 1000 * now}
        self._many = max(FEW, 2 * (len(self.spoken) + len(self.due)))


def too_soon(wait: int) -> ChatError:
    """
    The refusal of a message too soon after the last one of its key.

    @param wait: milliseconds until one is let through.
    """
    detail = f"This room is in slow mode: you can write again in {_in_words(wait)}."
    return ChatError(Kind.SLOW_MODE, detail, retry_after=wait / 1000)


def too_many(wait: int, rate: int) -> ChatError:
    """
    The refusal of a message that is one too many for its room just now.

    @param wait: milliseconds until one is let through.
    """
    most = counted(rate, "message")
    detail = f"This room takes {most} a second: try again in {_in_words(wait)}."
    return ChatError(Kind.SLOW_MODE, detail, retry_after=wait / 1000)


def _in_words(wait: int) -> str:
    return counted(ceil(wait / 1000), "second")
