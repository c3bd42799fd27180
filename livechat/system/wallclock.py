"""
The time of day, as far as it can be believed.

Messages are stamped by the wall clock and expire by it, and it may be wrong: a machine
wakes before NTP has answered, somebody mistypes a date.  A wrong time must cost no message.

The *offset* is the wall clock less the monotonic one.  Drift and the slewing of NTP move
both clocks alike on Linux, and are followed at any rate, as is every change of up to `JUMP`.
The offset changes by more, a *jump*, where somebody sets the clock, and where the machine
sleeps: CLOCK_MONOTONIC stands still meanwhile.  A new offset has to hold:

    jump ──holds for HOLD──> believed ──holds for DAY──> trusted
      └─── is the trusted one again: believed and trusted at once

Stamps and reads go by the monotonic clock and the believed offset.  Messages are removed
for their age only while the clock is trusted; until then reads hide them.

A start has no monotonic clock to compare with, so the wall clock is believed at once.  It is
trusted if it can follow the last trusted time, which a `Record` in the store has: from `JUMP`
before it to `PAUSE` after it, since that is how long a process may have been away.  A clock
that is wrong by less than that costs the messages that would have expired within it.  A wait
for trust outlives restarts by the record too; of it only the time counts in which a process ran,
so that neither frequent restarts nor nights without power postpone it for ever.

A machine that sleeps each night jumps each morning.  So a forward jump of up to `PAUSE` in all
does not begin the wait anew.

No I/O happens here: `WallClock.compare` is called about once a second.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from math import inf
from typing import Final, NamedTuple

from livechat.limits.rates import LogLimit, Rate

#: Seconds by which the offset must change to be a jump.
JUMP: Final = 10.0
#: Seconds for which a new time has to hold until it is believed.
HOLD: Final = 60.0
#: Seconds for which a time has to hold until messages may be removed by it.
DAY: Final = 86_400.0
#: Seconds for which a process may have been away, or a machine asleep.
PAUSE: Final = 86_400.0
#: Lines in the log about a clock that jumps to and fro.
FLAPS: Final = Rate(per_second=1 / 600, burst=6)

# Later than any stamp, and a number that Lua has too.
_NEVER: Final = 1 << 53
_ANY: Final = (-inf, inf)
_NONE: Final = (inf, -inf)


class Record(NamedTuple):
    """
    The state that outlives a restart, in seconds since 1970, UTC.

    @ivar trusted: the newest time that was trusted; 0 if none was.
    @ivar doubted: the newest time that was believed and not trusted; 0 if it was trusted.
    @ivar held: seconds for which that one had held.
    """

    trusted: float = 0.0
    doubted: float = 0.0
    held: float = 0.0


class WallClock:
    """
    A wall clock that is not followed blindly.

    `start` and `look` belong to one thread; all else may be called in any.
    """

    def __init__(self, wall: Callable[[], float], elapsed: Callable[[], float]) -> None:
        """
        @param wall: seconds since 1970, UTC, as the system says.
        @param elapsed: seconds since any moment, of a clock that cannot be set.
        """
        self._wall = wall
        self._elapsed = elapsed
        self._offset = 0.0
        self._looked = 0.0
        # The least and the greatest offset that are trusted.
        self._known = _ANY
        # Seconds for which the believed offset has held, and its value when this wait began.
        self._held = DAY
        self._anchor = 0.0
        # An offset that is not believed yet, and the seconds for which it has held.
        self._new: float | None = None
        self._new_held = 0.0
        self._flaps = LogLimit(FLAPS)

    def start(self, record: Record | None) -> str:
        """
        Begin with the wall clock as it is.

        @param record: that of the store; None if there is nothing in it.
        @return: a line for the log; empty if the clock can be trusted.
        """
        self._looked = self._elapsed()
        self._offset = self._wall() - self._looked
        self._new = None
        self._known = _ANY if record is None else _NONE
        last, doubted, held = record or Record()
        if last:
            first = last - self._looked
            self._known = first, first + PAUSE
        if self._is_known(self._offset):
            self._trust(self._offset)
            return ""
        now = self.now()
        self._held = held if -JUMP <= now - doubted <= PAUSE else 0.0
        self._anchor = self._offset
        apart = f": it is {_distance(now - last)} the last trusted time" if last else ""
        return f"The wall clock cannot be trusted yet{apart}. {_waits(self._held)}"

    def compare(self) -> str:
        """
        Compare the clocks.

        @return: a line for the log; empty if nothing is new.
        """
        now = self._elapsed()
        offset = self._wall() - now
        # Time without looks may have had other offsets, so little of it counts.
        passed = min(now - self._looked, HOLD)
        self._looked = now
        if abs(offset - self._offset) <= JUMP:
            return self._go_on(offset, passed)
        if self._is_known(offset):
            self._trust(offset)
            return self._say("The wall clock has jumped back to the time that is trusted.")
        if self._new is None or abs(offset - self._new) > JUMP:
            self._new, self._new_held = offset, 0.0
            jumped = _distance(offset - self._offset)
            return self._say(
                f"The wall clock has jumped: it is {jumped} the time that is believed. {_waits(0)}"
            )
        self._new_held += passed
        if self._new_held >= HOLD:
            self._believe(offset)
        return ""

    def now(self) -> float:
        """The believed time, in seconds since 1970, UTC."""
        return self._elapsed() + self._offset

    def milliseconds(self) -> int:
        """The same, in milliseconds."""
        return round(1000 * self.now())

    @property
    def trusted(self) -> bool:
        """True while messages may be removed for their age."""
        return self._held >= DAY and self._new is None

    def latest_milliseconds(self) -> int:
        """The newest stamp that cannot be from a wrong clock; no bound until that is known."""
        return self.milliseconds() + round(1000 * JUMP) if self.trusted else _NEVER

    def record(self) -> Record:
        """The state to be kept."""
        now = self._looked + self._offset
        if self._held >= DAY:
            return Record(now)
        first, _ = self._known
        return Record(first + self._looked if first < inf else 0.0, now, self._held)

    def _is_known(self, offset: float) -> bool:
        first, last = self._known
        return first - JUMP <= offset <= last + JUMP

    def _trust(self, offset: float) -> None:
        self._offset = offset
        self._known = offset, offset
        self._held = DAY
        self._new = None

    def _believe(self, offset: float) -> None:
        """Stamp by *offset* from now on, and wait until it can be trusted."""
        waits = self._held < DAY
        if not (waits and 0 <= offset - self._anchor <= PAUSE):
            self._held, self._anchor = self._new_held, offset
        self._offset = offset
        self._new = None

    def _go_on(self, offset: float, passed: float) -> str:
        """Go on with the believed offset, which is still, or again, the wall clock's."""
        back, self._new = self._new is not None, None
        self._offset = offset
        if self._held >= DAY:
            self._trust(offset)
        else:
            self._held += passed
            if self._held >= DAY:
                self._trust(offset)
                return "The wall clock has held: messages are removed for their age again."
        return self._say("The wall clock is as it was before it jumped.") if back else ""

    def _say(self, line: str) -> str:
        more = self._flaps.due(self._elapsed())
        return "" if more is None else line + more


def _distance(seconds: float) -> str:
    return f"{timedelta(seconds=round(abs(seconds)))} {'after' if seconds > 0 else 'before'}"


def _waits(held: float) -> str:
    left = timedelta(seconds=round(DAY - held))
    return f"No message is removed for its age until it has held for {left} more."
