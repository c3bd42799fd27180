"""
The figures of the last day, a minute each, in memory: what the admin page shows without a monitor.

They are taken once a minute from what is counted anyhow (`livechat.metrics`), of all processes on
the port.  Their number is bounded by that of the labels, which no client chooses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from livechat import metrics
from livechat.system import files

#: Seconds between two looks, and how many of them are kept.
EVERY: Final = 60.0
MINUTES: Final = 24 * 60
#: Bytes of a file that has a day.
LARGEST: Final = 16 << 20

_COUNTED: Final = frozenset(
    f"{name}_total"
    for name in (
        "stored", "delivered", "refusals", "closes", "turned_away", "handshakes_failed", "healed",
        "asked",
    )
)  # fmt: skip
_TIMED: Final = frozenset(
    f"{name}_bucket"
    for name in (
        "stored_to_written_seconds", "reactor_lag_seconds", "redis_answer_seconds",
        "ask_answer_seconds",
    )
)  # fmt: skip
_GAUGES: Final = frozenset(
    (
        "connections", "members", "rooms", "unsent_bytes", "slow_members", "storing", "processes",
        "workers", "memory_bytes", "disk_free_bytes", "disk_size_bytes", "redis_up",
        "redis_clock_ahead_seconds",
    )
)  # fmt: skip
#: The share of a minute's times that is not above the kept bound.
_PART: Final = 0.99

#: A figure: its name without `_total`, and its labels, which have no blanks.
Figures = dict[str, float]


class Minute(Struct, frozen=True):
    """
    A minute, or what went by for one.

    @ivar at: its end, in seconds since 1970.
    @ivar seconds: its length.
    @ivar counts: its counts by figure; without those that are 0.
    @ivar times: by figure, the seconds that 99 of 100 took at most; none where nothing was timed.
    @ivar gauges: by figure, as they were at its end.
    """

    at: float
    seconds: float
    counts: Figures
    times: Figures
    gauges: Figures


class _Look(Struct, frozen=True):
    """
    Counts up to a moment.

    @ivar times: for each figure its buckets: counts by the most seconds that they took.
    """

    at: float
    counts: Figures
    times: dict[str, dict[float, float]]
    gauges: Figures


_decoder: Final = msgspec.msgpack.Decoder(list[Minute])


class Day:
    """The last minutes, the oldest first."""

    def __init__(self) -> None:
        self._minutes: deque[Minute] = deque(maxlen=MINUTES)
        self._last: _Look | None = None

    def minutes(self) -> Sequence[Minute]:
        """Return all known minutes."""
        return tuple(self._minutes)

    def take(self, minutes: Iterable[Minute], now: float) -> None:
        """Put *minutes* of another process, as far as they are of this day, before those here."""
        first = self._minutes[0].at if self._minutes else now
        since = now - MINUTES * EVERY
        old = [each for each in minutes if since < each.at <= first]
        self._minutes = deque([*old, *self._minutes], MINUTES)

    def look(self, now: float) -> None:
        """
        Add the minute that is over; the first look only begins one.

        @param now: in seconds since 1970.
        """
        last, self._last = self._last, _look(now)
        if last is not None and now > last.at:
            self._minutes.append(_minute(last, self._last))


def gauges() -> Figures:
    """Return the present values of all gauges."""
    return _look(0).gauges


def _look(now: float) -> _Look:
    counts: Figures = {}
    gauges: Figures = {}
    times: dict[str, dict[float, float]] = {}
    for name, labels, value in ((each.name, each.labels, each.value) for each in metrics.samples()):
        if name in _COUNTED:
            counts[" ".join((name.removesuffix("_total"), *labels))] = value
        elif name in _GAUGES:
            gauges[" ".join((name, *labels))] = value
        elif name in _TIMED:
            # Answers of all Redis count together.
            buckets = times.setdefault(name.removesuffix("_seconds_bucket"), {})
            bound = float(labels[0])
            buckets[bound] = buckets.get(bound, 0) + value
    return _Look(now, counts, times, gauges)


def _minute(before: _Look, after: _Look) -> Minute:
    counts = {
        name: more
        for name, value in after.counts.items()
        # A count is never less, unless a process has begun anew.
        if (more := value - before.counts.get(name, 0)) > 0
    }
    times = {}
    for name, buckets in after.times.items():
        earlier = before.times.get(name, {})
        found = quantile({each: buckets[each] - earlier.get(each, 0) for each in buckets})
        if found is not None:
            times[name] = found
    return Minute(after.at, after.at - before.at, counts, times, after.gauges)


def quantile(buckets: Mapping[float, float], part: float = _PART) -> float | None:
    """
    The bound of the bucket that *part* of all do not exceed; None if there are none.

    @param buckets: cumulative, by their upper bounds.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0
    if total <= 0:
        return None
    largest = bounds[-2] if len(bounds) > 1 else bounds[-1]
    found = next(each for each in bounds if buckets[each] >= part * total)
    return min(found, largest)


def read_day(kept: Path) -> list[Minute]:
    """Read what the processes of one port have kept, from the newest file.  Blocks."""
    try:
        newest = max(kept.parent.glob(f"{kept.stem}.*"), key=lambda each: each.stat().st_mtime)
        return _decoder.decode(files.read(newest, LARGEST))
    except (OSError, ValueError, msgspec.MsgspecError):
        # The file is missing, or of another version, so the day begins now.
        return []


def write_day(kept: Path, minutes: Sequence[Minute]) -> None:
    """Keep *minutes*.  Blocks."""
    files.write(kept, msgspec.msgpack.encode(minutes), 0o600)
