"""
How much one connection and one address may do.

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

from twisted.internet.defer import Deferred, succeed

from livechat.errors import ChatError, Kind

#: A burst may be this many times the rate of one second.
_BURST: Final = 2
#: Seconds between two looks for buckets that can be forgotten.
_FORGET_EVERY: Final = 60.0
#: Seconds that count as none: what adding up many small times may be off by.
_INSTANT: Final = 1e-6
#: How many more connections than allowed are held at once, to be told so.
_EXCESS: Final = 64


@lru_cache(maxsize=4096)
def address_key(host: str) -> str:
    """
    What counts as one address: an IPv4 address, or an IPv6 network of /64,
    which is what one household or one machine gets.
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
    Events a second and how many may come at once; a rate of 0 is no limit.
    """

    per_second: float
    burst: float

    @classmethod
    def of(cls, per_second: float) -> Rate:
        """A rate whose burst is twice that of a second, and at least one event."""
        return cls(per_second, max(1, _BURST * per_second))

    def after(self, empty_at: float, now: float) -> tuple[float, float]:
        """
        What one more event does to a bucket.

        @return: when the bucket will be empty now, and how many seconds the
            event comes too early: 0 if it is admitted.  A refused event leaves
            the bucket as it is.
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

    def take(self, now: float) -> float:
        """Admit one event, or return how many seconds it comes too early."""
        self._empty_at, wait = self._rate.after(self._empty_at, now)
        return wait

    def give_back(self) -> None:
        """An event that was admitted does not count after all."""
        if self._rate.per_second:
            self._empty_at -= 1 / self._rate.per_second


class Seldom:
    """When to say something that may happen without end, and must not fill the disk."""

    def __init__(self, rate: Rate) -> None:
        self._bucket = Bucket(rate)
        self._unsaid = 0

    def due(self, now: float) -> str | None:
        """It happened: None, or how often it did since it was said, in words to say besides."""
        if self._bucket.take(now):
            self._unsaid += 1
            return None
        unsaid, self._unsaid = self._unsaid, 0
        return f" ({unsaid} more since the last one)" if unsaid else ""


class Buckets:
    """Leaky buckets by key, of the same rate."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._empty_at: dict[str, float] = {}
        self._forget_at = 0.0

    def __len__(self) -> int:
        return len(self._empty_at)

    def take(self, key: str, now: float) -> float:
        """Admit one event of *key*, or return how many seconds it comes too early."""
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_EVERY
            self._empty_at = {key: at for key, at in self._empty_at.items() if at > now}
        empty_at, wait = self._rate.after(self._empty_at.get(key, 0.0), now)
        if self._rate.per_second:
            self._empty_at[key] = empty_at
        return wait

    def give_back(self, key: str) -> None:
        """An event of *key* that was admitted does not count after all."""
        if key in self._empty_at:
            self._empty_at[key] -= 1 / self._rate.per_second


class Connections:
    """
    Counts the port's connections, in all and by address.

    A connection over a limit is still let in, so that it can be told so, but
    only `_EXCESS` of them at a time: after that they are closed unheard.
    """

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._open = 0
        self._excess = 0
        self._by_address: dict[str, int] = {}
        self._waiting: Deferred[None] | None = None

    def __len__(self) -> int:
        return self._open + self._excess

    def emptied(self) -> Deferred[None]:
        """Fires when no connection is left."""
        if len(self):
            self._waiting = Deferred()
            return self._waiting
        return succeed(None)

    def enter(self, key: str | None) -> Admission | None:
        """
        Count a new connection in.  None: close it at once.

        @param key: what counts as its address; None where that is not known yet.
        """
        refusal = self._too_many(key)
        if refusal is None and self._most and self._open >= self._most:
            refusal = ChatError(Kind.OVERLOADED, "The server has as many connections as it takes.")
        if refusal is not None:
            if self._excess >= _EXCESS:
                return None
            self._excess += 1
            return Admission(self, key, refusal)
        self._open += 1
        self.count(key, 1)
        return Admission(self, key, None)

    def _too_many(self, key: str | None) -> ChatError | None:
        here = 0 if key is None else self._by_address.get(key, 0)
        if not self._most_per_address or here < self._most_per_address:
            return None
        return ChatError(
            Kind.TOO_MANY_CONNECTIONS,
            f"Your address has {here} connections open; no more are allowed.",
        )

    def count(self, key: str | None, change: int) -> None:
        """So many more connections of an address."""
        if key is not None:
            now = self._by_address.get(key, 0) + change
            if now:
                self._by_address[key] = now
            else:
                del self._by_address[key]

    def move(self, before: str | None, key: str) -> ChatError | None:
        """A connection turns out to be of *key*; returns why it may not be."""
        refusal = self._too_many(key) if key != before else None
        if refusal is None:
            self.count(before, -1)
            self.count(key, 1)
        return refusal

    def refuse(self, key: str | None) -> None:
        """A connection that was let in may not stay after all."""
        self._open -= 1
        self.count(key, -1)
        self._excess += 1

    def leave(self, key: str | None, refused: bool) -> None:
        """Count a connection out; `Admission.leave` is how."""
        if refused:
            self._excess -= 1
        else:
            self._open -= 1
            self.count(key, -1)
        if self._waiting is not None and not len(self):
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)


class Admission:
    """
    One connection's place in the count.

    @ivar refusal: what to tell it before it is closed; None if it may stay.
    """

    __slots__ = ("_connections", "_key", "refusal")

    def __init__(
        self, connections: Connections, key: str | None, refusal: ChatError | None
    ) -> None:
        self._connections: Connections | None = connections
        self._key = key
        self.refusal = refusal

    def belongs_to(self, key: str) -> None:
        """
        Count it as one of *key* from now on.

        @raise ChatError: that address has too many; it stays what it was.
        """
        if self._connections is not None and self.refusal is None:
            refusal = self._connections.move(self._key, key)
            if refusal is not None:
                raise refusal
            self._key = key

    def refuse(self, refusal: ChatError) -> None:
        """It may not stay after all, for this reason."""
        if self._connections is not None and self.refusal is None:
            self._connections.refuse(self._key)
            self.refusal = refusal

    def leave(self) -> None:
        """Count the connection out; a second time is nothing."""
        if self._connections is not None:
            self._connections.leave(self._key, self.refusal is not None)
            self._connections = None
