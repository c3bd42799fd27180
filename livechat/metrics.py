"""
Figures of a process, for monitors (Prometheus's text format).

Every figure stands here, and is counted where it happens.  No label holds what clients choose:
neither rooms nor users nor addresses.

Of several processes on one port any may be asked, and answers for all: they write their figures
into files of one directory, once they are told to (`share`).  One that takes another's place goes
on with its figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from typing import Final, Literal

from msgspec import Struct
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

from livechat.errors import Close, Kind

#: In the environment, where Prometheus's library looks: the directory for the figures of
#: several processes.
SHARED: Final = "PROMETHEUS_MULTIPROC_DIR"
#: In the environment of one of several processes: the number of its figures.
NUMBER: Final = "_LIVECHAT_FIGURES"
#: Seconds between two measurements of gauges.
LOOK_EVERY: Final = 1.0
_QUICK: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
_OF_PEERS: Final = frozenset({1000, 1001, 1005, 1006})
#: A gauge of several processes on the port: the sum of all, or that of one.
_Of = Literal["livesum", "livemin", "livemax"]
_GAUGES: Final[dict[str, tuple[_Of, str]]] = {
    "connections": ("livesum", "Connections."),
    "connections_limit": ("livesum", "Connections that --max-connections allows; 0: any number."),
    "members": ("livesum", "Members of rooms."),
    "rooms": ("livesum", "Rooms that have members, counted at each process."),
    "unsent_bytes": ("livesum", "Bytes that wait for members to read them."),
    "slow_members": ("livesum", "Members with more than --max-unsent waiting."),
    "storing": ("livesum", "Processes that can store messages."),
    "asking": ("livesum", "Acts that wait for the site's answer."),
    "redis_nodes": ("livemax", "Masters of a Redis Cluster."),
    "redis_nodes_usable": ("livemin", "Those of them that all processes can use."),
    "processes": ("livesum", "Processes that serve the port."),
    "workers": ("livemax", "Processes that should serve the port: --workers."),
    "memory_bytes": ("livesum", "Resident memory of these processes."),
    "start_time_seconds": ("livemax", "When the newest of them began, since 1970."),
    "disk_free_bytes": ("livemin", "Bytes that livechat may still write where --state is."),
    "disk_size_bytes": ("livemax", "Bytes of that file system."),
    "certificate_expires_seconds": ("livemin", "When the certificate expires, since 1970."),
}


class Tally:
    """
    Counts what happens for each message, where a counter's lock would cost as much as to write
    it to somebody.

    @ivar count: what its counter does not have yet; it is settled every `LOOK_EVERY` seconds.
    """

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def settle(self, counter: Counter) -> None:
        """Add the count to *counter*."""
        count, self.count = self.count, 0
        counter.inc(count)


#: HTTP requests that were answered, by method and status, as far as their counter lacks them.
_answered: Final[defaultdict[tuple[str, int], int]] = defaultdict(int)
#: Messages that were stored; and that were written, counted for each member.
stored: Final = Tally()
delivered: Final = Tally()


class _Figures:
    """All figures of this process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(namespace="livechat", registry=self.registry)
        refusals = self._counter("refusals", "Refusals, by the error's code.", "code")
        text = "WebSockets that closed, by the code of who began it; 1006 is a break."
        closes = self._counter("closes", text, "code", "by")
        requests = self._counter(
            "requests", "HTTP requests that were answered.", "method", "status"
        )
        # To find the counter of a label anew costs as much as to refuse a frame.
        self.refused = cache(refusals.labels)
        self.closed = cache(closes.labels)
        self.answered = cache(requests.labels)
        self._begin_at_zero()
        self.turned_away = self._counter(
            "turned_away", "Connections that were closed unheard, beyond those that are told why."
        )
        self.handshakes_failed = self._counter("handshakes_failed", "TLS handshakes that failed.")
        self.stored = self._counter("stored", "Messages that were stored.")
        self.delivered = self._counter("delivered", "Messages that were written, to each member.")
        self.healed = self._counter(
            "healed",
            "Messages that Redis did not tell of, and that were read where they were missing.",
        )
        text = "Commands that a node of a Redis Cluster did not carry out, by its answer."
        self.redirected = cache(self._counter("redis_redirections", text, "code").labels)
        self.stored_to_written = self._histogram(
            "stored_to_written_seconds",
            "From when a message was stored until it was written to all members here: of each "
            "turn's messages the one that took longest.",
        )
        self.lag = self._histogram("reactor_lag_seconds", "By how much a timer was late.")
        self.gauges = {name: self._gauge(name, *told) for name, told in _GAUGES.items()}
        self._make_redis()
        self._make_site()
        self._make_webhooks()

    def _begin_at_zero(self) -> None:
        """Show what did not happen yet: a monitor would not see the first time as an increase."""
        for kind in Kind:
            self.refused(kind.code)
        for code in Close:
            self.closed(str(code.value), "server")
        for peers in (*sorted(_OF_PEERS), "other"):
            self.closed(str(peers), "peer")

    def _make_redis(self) -> None:
        """Make the figures of each Redis, by its name, which holds no secret."""
        self.redis_up = self._gauge(
            "redis_up", "livemin", "1 if all processes can use this Redis.", "redis"
        )
        text = "By how much its clock is ahead of this machine's."
        self.redis_ahead = self._gauge("redis_clock_ahead_seconds", "livemax", text, "redis")
        self.redis_answers = Histogram(
            "livechat_redis_answer_seconds",
            "How long it took to answer, asked each second.",
            ("redis",),
            buckets=_QUICK,
            registry=self.registry,
        )

    def _make_site(self) -> None:
        """Make the figures of the site that is asked."""
        text = "Acts that the site was to be asked about, by its answer, or by why there is none."
        self.asked = cache(self._counter("asked", text, "about", "answer").labels)
        self.site_answers = self._histogram(
            "ask_answer_seconds", "How long the site took to answer, or to be given up."
        )

    def _make_webhooks(self) -> None:
        """Make the figures of each receiver of webhooks, by its name, which holds no secret."""
        self.webhook_waiting = self._gauge(
            "webhook_waiting", "livesum", "Entries that wait for this receiver.", "receiver"
        )
        self.webhook_oldest = self._gauge(
            "webhook_oldest_seconds", "livesum", "Since when the oldest of them waits.", "receiver"
        )
        self.webhook_sent = self._counter(
            "webhook_sent", "Events that this receiver has taken.", "receiver"
        )
        self.webhook_failed = self._counter(
            "webhook_failed", "Requests that this receiver did not take.", "receiver"
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"livechat_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str) -> Histogram:
        return Histogram(f"livechat_{name}", text, buckets=_QUICK, registry=self.registry)

    def _gauge(self, name: str, of: _Of, text: str, *labels: str) -> Gauge:
        return Gauge(f"livechat_{name}", text, labels, registry=self.registry, multiprocess_mode=of)

    def settle(self) -> None:
        """Count what the tallies have."""
        stored.settle(self.stored)
        delivered.settle(self.delivered)
        for (method, status), count in _answered.items():
            self.answered(method, str(status)).inc(count)
        _answered.clear()


class _Process:
    """
    The state of this process: its figures, made when the first one is counted.

    @ivar directory: that of the figures of several processes, if this is one of them.
    @ivar clocks: by how many seconds that of each Redis is ahead.
    """

    directory: str | None = None

    def __init__(self) -> None:
        self.clocks: dict[str, float] = {}

    @cached_property
    def figures(self) -> _Figures:
        if self.directory is None:
            # The library goes by the environment, which others may have set for others.
            values.ValueClass = values.MutexValue
        return _Figures()


_process: Final = _Process()


def share(directory: str, number: int) -> None:
    """
    Write the figures of this process, which is one of several, into files.

    It has to be called before anything is counted.

    @param directory: the value of `SHARED` in the environment.
    @param number: tells this process from the others, and is that of one that it replaces.
    """
    assert "figures" not in vars(_process), "something was counted"
    # As its documentation has it for uWSGI.  By default a file bears the number of the process,
    # and those that are gone would be read for ever.
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]
    _process.directory = directory
    # Makes the figures, and so opens their files, while nobody is served yet.
    _process.figures.settle()


def refused(code: str) -> None:
    """Count an error that somebody is told of."""
    _process.figures.refused(code).inc()


def closed(code: int, *, here: bool) -> None:
    """
    Count a WebSocket that closed.

    @param here: by the server; else the code is the peer's, who may choose any.
    """
    known = str(code) if here or code in _OF_PEERS else "other"
    _process.figures.closed(known, "server" if here else "peer").inc()


def answered(method: str, status: int) -> None:
    """Count an answered HTTP request."""
    _answered[method if method in _METHODS else "other", status] += 1


def turned_away() -> None:
    """Count a connection that was closed unheard."""
    _process.figures.turned_away.inc()


def handshake_failed() -> None:
    """Count a TLS handshake that failed."""
    _process.figures.handshakes_failed.inc()


def healed(count: int) -> None:
    """Count messages that Redis did not tell of."""
    _process.figures.healed.inc(count)


def redirected(code: str) -> None:
    """Count a command that a node of a Redis Cluster did not carry out."""
    _process.figures.redirected(code).inc()


def asked(about: str, answer: str) -> None:
    """Count an act that the site was to be asked about."""
    _process.figures.asked(about, answer).inc()


def site_answered(seconds: float) -> None:
    """Note how long the site took to answer, or to be given up."""
    _process.figures.site_answers.observe(seconds)


def written(now: float, time_ms: int, count: int) -> None:
    """
    Count a turn's messages that were written.

    @param now: in seconds since 1970.
    @param time_ms: when the first of them was stored.
    @param count: the deliveries: each message counts once for each member it was written to.
    """
    delivered.count += count
    _process.figures.stored_to_written.observe(max(0.0, now - time_ms / 1000))


def measured(**gauges: float) -> None:
    """Set gauges, by their names without ``livechat_``."""
    for name, value in gauges.items():
        _process.figures.gauges[name].set(value)


def redis_usable(name: str, usable: bool) -> None:
    """Note whether the Redis of this name can be used."""
    _process.figures.redis_up.labels(name).set(usable)


def redis_answered(name: str, seconds: float, ahead: float) -> None:
    """
    Note an answer of the Redis of this name.

    @param seconds: which it took.
    @param ahead: seconds by which its clock is ahead.
    """
    _process.figures.redis_answers.labels(name).observe(seconds)
    _process.figures.redis_ahead.labels(name).set(ahead)
    _process.clocks[name] = ahead


def webhook_waits(receiver: str, events: int, oldest: float) -> None:
    """
    Note what waits for a receiver; nothing at the processes that do not tell it.

    @param oldest: the seconds for which the oldest waits.
    """
    _process.figures.webhook_waiting.labels(receiver).set(events)
    _process.figures.webhook_oldest.labels(receiver).set(oldest)


def webhook_told(receiver: str, sent: int, failed: int) -> None:
    """Count events that a receiver has taken, and requests that it has not."""
    _process.figures.webhook_sent.labels(receiver).inc(sent)
    _process.figures.webhook_failed.labels(receiver).inc(failed)


def clocks() -> Mapping[str, float]:
    """Seconds by which the clock of each Redis is ahead of this process's."""
    return dict(_process.clocks)


class Pulse:
    """Measures the reactor's lag: a timer that is late was kept waiting by something."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._due = clock.seconds() + LOOK_EVERY

    def measure(self) -> float:
        """Measure; call it every `LOOK_EVERY` seconds.  Return the lag."""
        now = self._clock.seconds()
        late = max(0.0, now - self._due)
        _process.figures.lag.observe(late)
        # As a LoopingCall counts: what is late once must not make the next ones look in time.
        self._due += LOOK_EVERY * (1 + late // LOOK_EVERY)
        _process.figures.settle()
        return late


class Sample(Struct, frozen=True):
    """
    A figure at one moment, of all processes on the port.

    @ivar name: without ``livechat_``, and as Prometheus gets it.
    @ivar labels: their values, in the order of their names.
    """

    name: str
    labels: tuple[str, ...]
    value: float


def samples() -> Iterator[Sample]:
    """All figures of livechat's own, as `text` has them."""
    for family in _registry().collect():
        for each in family.samples:
            labels = tuple(each.labels[name] for name in sorted(each.labels))
            yield Sample(each.name.removeprefix("livechat_"), labels, each.value)


def text() -> bytes:
    """All figures, of all processes on the port; those of the others may be a second old."""
    return generate_latest(_registry())


def _registry() -> CollectorRegistry:
    _process.figures.settle()
    if _process.directory is None:
        return _process.figures.registry
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=_process.directory)  # type: ignore[no-untyped-call]
    return registry
