"""Results of the runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

#: Counts of loadgen that must be 0.
FAULTS = (
    *("lost", "lost_on_disconnected", "dup", "out_of_order", "corrupt", "misrouted"),
    *("disconnects", "failed_conns", "http_err"),
)


@dataclass(frozen=True)
class Run:
    """
    A run of one server under one load.

    @ivar report: loadgen's report; empty if there is none.
    @ivar problem: the reason why the run does not count; empty if all was well.
    """

    scenario: str
    server: str
    report: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


class Results:
    """All runs, by load and server."""

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._runs: defaultdict[tuple[str, str], list[Run]] = defaultdict(list)
        for run in runs:
            self.add(run)

    def add(self, run: Run) -> None:
        self._runs[run.scenario, run.server].append(run)

    def all(self) -> list[Run]:
        return [run for runs in self._runs.values() for run in runs]

    def of(self, scenario: str, server: str) -> Sequence[Run]:
        return self._runs.get((scenario, server), ())

    def failed(self, scenario: str, server: str) -> list[Run]:
        """Return the runs that failed. Their figures do not count."""
        return [run for run in self.of(scenario, server) if run.problem]

    def values(self, scenario: str, server: str, key: str) -> list[float]:
        """Return a figure of each run that counts."""
        runs = self.of(scenario, server)
        return [run.report[key] for run in runs if not run.problem and key in run.report]

    def median(self, scenario: str, server: str, key: str) -> float | None:
        values = self.values(scenario, server, key)
        return median(values) if values else None

    def spread(self, scenario: str, server: str, key: str) -> float | None:
        """Return the range of a figure, divided by its median."""
        values = self.values(scenario, server, key)
        if len(values) < 2 or not median(values):
            return None
        return (max(values) - min(values)) / median(values)


def share(runs: Iterable[Run], part: str, whole: str) -> float | None:
    """Return the share of one figure in another over all runs; None if the whole is 0."""
    counted = [run.report for run in runs if not run.problem]
    divisor = sum(report.get(whole, 0) for report in counted)
    return sum(report.get(part, 0) for report in counted) / divisor if divisor else None


def wrong(report: Mapping[str, Any]) -> str:
    """Describe the faults that loadgen counted."""
    found = [f"{report[fault]:,} {fault}" for fault in FAULTS if report.get(fault)]
    return ": ".join(filter(None, [", ".join(found), str(report.get("first_error", ""))]))
