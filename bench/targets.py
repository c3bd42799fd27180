"""Targets for livechat's figures, and verdicts on them."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from bench.ours import BEFORE, CLUSTER, HOOKED, LIVECHAT, PURE
from bench.results import Results, share
from bench.scenarios import (
    CORE,
    DELIVERIES,
    HANDSHAKES,
    MEMORY,
    P50,
    P99,
    REQUESTS,
    REQUESTS_PER_CPU,
    SCENARIOS,
    Figure,
)

#: The share from which all handshakes count as resumed: the first few come before any ticket.
NEARLY_ALL = 0.95


@dataclass(frozen=True)
class Target:
    """
    A bound for one of livechat's figures.

    @ivar times: a multiple of another figure, or the bound itself if there is none.
    @ivar server: the server of the other figure; empty if there is none.
    @ivar baselines: other scenarios, whose mean is the other figure.
    @ivar most: the bound is an upper one.
    @ivar reach: a wish; missing it is no failure.
    @ivar ours: the name of the kind of livechat.
    """

    scenario: str
    figure: Figure
    times: float
    server: str = ""
    baselines: tuple[str, ...] = ()
    most: bool = False
    reach: bool = False
    ours: str = LIVECHAT.name

    def words(self) -> str:
        bound = f"{'≤' if self.most else '≥'} {self.times:,g}"
        if self.server:
            bound += f" × {self.server}"
        if self.baselines:
            bound += f" in {' and '.join(self.baselines)}"
        if self.reach:
            bound = f"reach for {bound}"
        return bound if self.ours == LIVECHAT.name else f"{self.ours}: {bound}"


def _fanout(window: int | str, *bounds: tuple[float, str]) -> tuple[Target, ...]:
    return tuple(Target(f"fanout-{window}", DELIVERIES, *bound) for bound in bounds)


TARGETS: tuple[Target, ...] = (
    *_fanout(1, (0.97, "uwebsockets"), (1.1, "picows"), (1.1, "nchan")),
    *_fanout(1, (3.3, "autobahn"), (20.0, "channels")),
    Target("fanout-1", DELIVERIES, 1.0, "uwebsockets", reach=True),
    *_fanout(100, (1.0, "ws")),
    Target("fanout-100", DELIVERIES, 1.0, "nchan", reach=True),
    *_fanout("5000-1", (1.0, "uwebsockets")),
    *_fanout(16, (1.0, "uwebsockets"), (3.0, "ws"), (10.0, "nchan")),
    *_fanout(64, (1.5, "uwebsockets")),
    *_fanout(5000, (3.0, "nchan"), (3.0, "ws")),
    Target("calm", DELIVERIES, 1.3, "ws"),
    *(Target("calm", DELIVERIES, 1.0, each) for each in ("picows", "nchan")),
    Target("calm", DELIVERIES, 1.0, "picows", ours=PURE.name),
    *(
        Target("calm", figure, 1.0, each, most=True)
        for figure in (P50, P99)
        for each in ("picows", "nchan", "ws")
    ),
    Target("rooms", DELIVERIES, 0.95, "uwebsockets"),
    Target("rooms", DELIVERIES, 1.6, "ws"),
    Target("rooms", DELIVERIES, 1.1, "ws", ours=PURE.name),
    Target("rooms", DELIVERIES, 4.0, "autobahn"),
    Target("rooms", DELIVERIES, 1.0, "uwebsockets", reach=True),
    *(
        Target("rooms-100k", DELIVERIES, 0.95, each, ("rooms",), ours=each)
        for each in (LIVECHAT.name, PURE.name)
    ),
    Target("connect", HANDSHAKES, 1.3, "autobahn"),
    Target("connect", HANDSHAKES, 1.0, "ws"),
    Target("resume", HANDSHAKES, 2.0, LIVECHAT.name, ("connect",)),
    Target("idle", MEMORY, 1.0, "autobahn", most=True),
    Target("idle", MEMORY, 30, most=True, reach=True),
    Target("idle-pings", CORE, 1.5, most=True),
    Target("http", REQUESTS, 10.0, "channels"),
    Target("http", REQUESTS_PER_CPU, 2_500),
    Target("http", REQUESTS_PER_CPU, 0.6, "nchan", reach=True),
    Target("rooms", DELIVERIES, 0.9, LIVECHAT.name, ours=HOOKED.name),
    Target("http", REQUESTS_PER_CPU, 0.9, LIVECHAT.name, ours=HOOKED.name),
    Target("v1-fanout-1", DELIVERIES, 0.85, LIVECHAT.name, ("fanout-1",)),
    Target("v1-rooms", DELIVERIES, 0.85, LIVECHAT.name, ("rooms",)),
    Target("mixed-fanout-1", DELIVERIES, 0.9, LIVECHAT.name, ("fanout-1", "v1-fanout-1")),
    Target("mixed-rooms", DELIVERIES, 0.9, LIVECHAT.name, ("rooms", "v1-rooms")),
    Target("cluster-fanout", DELIVERIES, 0.85, LIVECHAT.name, ours=CLUSTER.name),
)
#: The cost that a change may have: one part in twenty.
COSTS: tuple[Target, ...] = tuple(
    Target(
        scenario.name, figure, 1.05 if figure.less else 0.95, BEFORE, most=figure.less, ours=each
    )
    for scenario in SCENARIOS
    for figure in scenario.figures
    for each in (LIVECHAT.name, PURE.name)
    if figure in {DELIVERIES, HANDSHAKES, REQUESTS_PER_CPU, MEMORY, CORE}
    if not scenario.clustered
)
RESUMING = frozenset(scenario.name for scenario in SCENARIOS if scenario.resumes)


@dataclass(frozen=True)
class Verdict:
    """
    The verdict on a target.

    @ivar ours: livechat's figure.
    @ivar theirs: the figure that it is compared with.
    @ivar met: None if a figure is missing.
    @ivar why: remarks.
    """

    target: Target
    ours: float | None
    theirs: float | None
    met: bool | None
    why: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.theirs if self.ours is not None and self.theirs else None


def judge(target: Target, results: Results) -> Verdict | None:
    """Judge a target. Return None if its scenario was not measured."""
    if not results.of(target.scenario, target.ours):
        return None
    ours = results.median(target.scenario, target.ours, target.figure.key)
    theirs = None if target.server else target.times
    reasons = [failures(results, target.scenario, target.ours)]
    if target.server:
        found = []
        for baseline in target.baselines or (target.scenario,):
            found.append(results.median(baseline, target.server, target.figure.key))
            if not results.of(baseline, target.server):
                reasons.append(f"{target.server} was not measured")
            elif (baseline, target.server) != (target.scenario, target.ours):
                reasons.append(failures(results, baseline, target.server))
        known = [each for each in found if each is not None]
        theirs = fmean(known) if len(known) == len(found) else None
    if (resumed := resumption(results, target.scenario, target.ours)) is not None:
        reasons.append(f"{resumed:.0%} resumed")
    met: bool | None = None
    if results.failed(target.scenario, target.ours) or resumed is not None:
        met = False
    elif ours is not None and theirs is not None:
        bound = target.times * theirs if target.server else theirs
        met = ours <= bound if target.most else ours >= bound
    return Verdict(target, ours, theirs, met, ", ".join(filter(None, reasons)))


def failures(results: Results, scenario: str, server: str) -> str:
    """Count failed runs in words; empty if there are none."""
    failed = len(results.failed(scenario, server))
    return f"{failed} of {len(results.of(scenario, server))} of {server} failed" if failed else ""


def resumption(results: Results, scenario: str, server: str) -> float | None:
    """Return the share of resumed handshakes if it is too low, else None."""
    if scenario not in RESUMING:
        return None
    resumed = share(results.of(scenario, server), "hs_resumed", "conns_open")
    return resumed if resumed is not None and resumed < NEARLY_ALL else None
