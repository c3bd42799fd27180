"""
Rate limits of connections, addresses and log lines.

Rates are leaky buckets in the form that ATM calls the generic cell rate
algorithm (ITU-T I.371): one number per bucket, the time at which it will be
empty again.  An event moves that time on by ``1 / rate``; it is refused if the
bucket would then need longer than ``burst / rate`` to empty.  So nothing
leaks between events, no bucket needs a timer, and one whose time has passed
is the same as none and can be forgotten.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

#: A burst may be this many times the rate of one second.
_BURST: Final = 2
#: Seconds between two removals of empty buckets.
_FORGET_EVERY: Final = 60.0
#: Seconds that count as zero: the error of adding up many small times.
_INSTANT: Final = 1e-6


@lru_cache(maxsize=4096)
def address_key(host: str) -> str:
    """
    The key under which an address is counted: an IPv4 address, or an IPv6 network of /64,
    the size that one household or one machine gets.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))


@dataclass(frozen=True)
class Rate:
    """
    Events a second, and the number that may come at once; a rate of 0 is no limit.
    """

    per_second: float
    burst: float

    @classmethod
    def of(cls, per_second: float) -> Rate:
        """A rate whose burst is twice that of a second, and at least one event."""
        return cls(per_second, max(1, _BURST * per_second))

    def after(self, empty_at: float, now: float) -> tuple[float, float]:
        """
        Add one event to a bucket.

        @return: the time at which the bucket will be empty, and the seconds by which the
            event is too early: 0 if it is admitted.  A refused event leaves the bucket as
            it is.
        """
        if not self.per_second:
            return empty_at, 0.0
        start = max(empty_at, now)
        wait = start - now - (self.burst - 1) / self.per_second
        if wait > _INSTANT:
            return empty_at, wait
        return start + 1 / self.per_second, 0.0


class Bucket:
    """One leaky bucket."""

    __slots__ = ("_empty_at", "_rate")

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._empty_at = 0.0

    def admit(self, now: float) -> float:
        """Admit one event and return 0, or return the seconds by which it is too early."""
        if not self._rate.per_second:
            return 0.0
        self._empty_at, wait = self._rate.after(self._empty_at, now)
        return wait

    def refund(self) -> None:
        """Uncount an admitted event."""
        if self._rate.per_second:
            self._empty_at -= 1 / self._rate.per_second


class LogLimit:
    """Rate-limits a log line."""

    def __init__(self, rate: Rate) -> None:
        self._bucket = Bucket(rate)
        self._left_out = 0

    def due(self, now: float) -> str | None:
        """
        Count an event that could be logged.

        @return: None if it is not to be logged; else text to append to the line, which says
            how many were left out.
        """
        if self._bucket.admit(now):
            self._left_out += 1
            return None
        left_out, self._left_out = self._left_out, 0
        return f" ({left_out} more since the last one)" if left_out else ""


class Buckets:
    """Leaky buckets, by key."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._empty_at: dict[str, float] = {}
        self._forget_at = 0.0

    def __len__(self) -> int:
        return len(self._empty_at)

    def admit(self, key: str, now: float, rate: Rate | None = None) -> float:
        """
        Admit one event of *key* and return 0, or return the seconds by which it is too early.

        @param rate: that of this key, if it has one of its own.
        """
        rate = rate or self._rate
        if not rate.per_second:
            return 0.0
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_EVERY
            self._empty_at = {key: at for key, at in self._empty_at.items() if at > now}
        empty_at, wait = rate.after(self._empty_at.get(key, 0.0), now)
        self._empty_at[key] = empty_at
        return wait

    def refund(self, key: str) -> None:
        """Uncount an admitted event of *key*."""
        if key in self._empty_at:
            self._empty_at[key] -= 1 / self._rate.per_second
