"""
What a process counts, for monitors (Prometheus's text format).

Every figure stands here, and is counted where it happens.  No label holds what clients choose:
neither rooms nor users nor addresses.

Of several processes on one port any may be asked, and answers for all: they write their figures
into files of one directory (`SHARED`), which is given to them, with a number for each (`NUMBER`),
before this is loaded.  One that takes another's place goes on with its figures.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector
from twisted.internet.interfaces import IReactorTime

#: In the environment: the directory for the figures of several processes.
SHARED: Final = "PROMETHEUS_MULTIPROC_DIR"
NUMBER: Final = "LIVECHAT_METRICS_NUMBER"
#: Seconds between two looks at what is not counted but is.
LOOK_EVERY: Final = 1.0
_QUICK: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
_OF_PEERS: Final = frozenset({1000, 1001, 1005, 1006})

if SHARED in os.environ:
    # As its documentation has it for uWSGI.  By default a file bears the number of the process,
    # and those that are gone would be read for ever.
    values.ValueClass = values.MultiProcessValue(  # type: ignore[no-untyped-call]
        lambda: os.environ[NUMBER]
    )

_REGISTRY: Final = CollectorRegistry()
ProcessCollector(namespace="livechat", registry=_REGISTRY)

_refusals: Final = Counter(
    "livechat_refusals", "What was refused, by the error's code.", ["code"], registry=_REGISTRY
)
_closes: Final = Counter(
    "livechat_closes",
    "WebSockets that closed, by the code of who began it; 1006 is a break.",
    ["code", "by"],
    registry=_REGISTRY,
)
_requests: Final = Counter(
    "livechat_requests", "HTTP requests that were answered.", ["method", "status"],
    registry=_REGISTRY,
)  # fmt: skip
turned_away: Final = Counter(
    "livechat_turned_away",
    "Connections that were closed unheard, beyond those that are told why.",
    registry=_REGISTRY,
)
handshakes_failed: Final = Counter(
    "livechat_handshakes_failed", "TLS handshakes that failed.", registry=_REGISTRY
)


class Tally:
    """
    Counts what happens for each message, where a counter's lock would cost as much as to write
    it to somebody.

    @ivar count: what the counter does not know of yet; it is told every `LOOK_EVERY` seconds.
    """

    __slots__ = ("_counter", "count")

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self.count = 0

    def settle(self) -> None:
        """Tell the counter."""
        count, self.count = self.count, 0
        self._counter.inc(count)


stored: Final = Tally(Counter("livechat_stored", "Messages that were stored.", registry=_REGISTRY))
delivered: Final = Tally(
    Counter("livechat_delivered", "Messages that were written, to each member.", registry=_REGISTRY)
)
stored_to_written: Final = Histogram(
    "livechat_stored_to_written_seconds",
    "From when a message was stored until it was written to all members here: of each turn's "
    "messages the one that took longest.",
    buckets=_QUICK,
    registry=_REGISTRY,
)
healed: Final = Counter(
    "livechat_healed",
    "Messages that Redis did not tell of, and that were read where they were missing.",
    registry=_REGISTRY,
)
lag: Final = Histogram(
    "livechat_reactor_lag_seconds",
    "By how much a timer was late.",
    buckets=_QUICK,
    registry=_REGISTRY,
)


def _gauge(name: str, text: str) -> Gauge:
    return Gauge(f"livechat_{name}", text, registry=_REGISTRY, multiprocess_mode="livesum")


connections: Final = _gauge("connections", "Connections.")
members: Final = _gauge("members", "Members of rooms.")
rooms: Final = _gauge("rooms", "Rooms that have members.")
unsent_bytes: Final = _gauge("unsent_bytes", "Bytes that wait for members to read them.")
slow: Final = _gauge("slow_members", "Members for whom more than --max-unsent waits.")
up: Final = _gauge("storing", "Processes that can store messages.")

# To find the counter of a label anew costs as much as to refuse a frame.
_refused: Final = cache(_refusals.labels)
_closed: Final = cache(_closes.labels)
_answered: Final = cache(_requests.labels)


def refused(code: str) -> None:
    """Somebody is told of an error."""
    _refused(code).inc()


def closed(code: int, *, here: bool) -> None:
    """
    A WebSocket is closed.

    @param here: by the server; else the code is the peer's, who may choose any.
    """
    known = str(code) if here or code in _OF_PEERS else "other"
    _closed(known, "server" if here else "peer").inc()


def answered(method: str, status: int) -> None:
    """An HTTP request is."""
    _answered(method if method in _METHODS else "other", str(status)).inc()


def written(now: float, time_ms: int, count: int) -> None:
    """
    A turn's messages were written.

    @param now: in seconds since 1970.
    @param time_ms: when the first of them was stored.
    @param count: the messages, each as often as there are members to whom it was written.
    """
    delivered.count += count
    stored_to_written.observe(max(0.0, now - time_ms / 1000))


class Pulse:
    """Looks at the reactor: a timer that is late was kept waiting by something."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._due = clock.seconds() + LOOK_EVERY

    def look(self) -> None:
        """It is time to; call it every `LOOK_EVERY` seconds."""
        now = self._clock.seconds()
        late = max(0.0, now - self._due)
        lag.observe(late)
        # As a LoopingCall counts: what is late once must not make the next ones look in time.
        self._due += LOOK_EVERY * (1 + late // LOOK_EVERY)
        _settle()


def _settle() -> None:
    stored.settle()
    delivered.settle()


def text() -> bytes:
    """All figures, of all processes on the port; those of the others may be a second old."""
    _settle()
    if SHARED not in os.environ:
        return generate_latest(_REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
